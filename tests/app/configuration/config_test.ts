import assert from "node:assert/strict";
import { hint } from "../../../src/kit/support/text/hint.ts";
import type { WayOut } from "../../../src/kit/support/text/way-out.ts";
import fc from "fast-check";
import { stringify } from "smol-toml";
import { planDemo, planRun, planText } from "../../../src/app/configuration/plan-run.ts";
import { TomlPositions } from "../../../src/app/configuration/positions.ts";
import { DEVICE_KINDS } from "../../../src/app/configuration/keys/devices.ts";
import { deviceKeys, KNOWN_KEYS } from "../../../src/app/configuration/schema.ts";
import { readConfig } from "../../../src/app/configuration/config.ts";
import { buildRootGuest } from "../../../bench/root-guests.ts";
import { inFolder } from "../../support/temporary-folder.ts";
import { nativeHostOf } from "../../machine/host/plans.ts";
import { didYouMean } from "../../../src/kit/support/text/did-you-mean.ts";
import { cpuTime } from "../../support/cpu-time.ts";
import { TRUSTED } from "../../support/trusted.ts";
import { planErrors } from "../../support/planned.ts";
import { configProblem } from "../../../src/model/plans/config-fact.ts";
import { problemText } from "../../../src/kit/support/problem.ts";

const INVALID = new URL("../../invalid-configs", import.meta.url).pathname;

// Each file of tests/invalid-configs says at its end, in lines that begin with `#!`, which errors
// it gives.
for (
  const { name } of [...Deno.readDirSync(INVALID)].filter(({ name }) => name.endsWith(".toml")).sort((a, b) => a.name < b.name ? -1 : 1)
) {
  Deno.test(`W68: ${name} is refused with exactly the errors that it lists`, async () => {
    const text = await Deno.readTextFile(`${INVALID}/${name}`);
    const expected = text.split("\n").filter((line) => line.startsWith("#! ")).map((line) => `${name}:${line.slice(3)}`);
    assert.ok(expected.length > 0, "the file lists no error");
    const result = await planText(text, name, INVALID);
    assert.deepEqual(planErrors(result), expected);
    // Programs get the parts: no part is left in another one's text.
    for (const { what, wayOut, at } of result.ok ? [] : result.problems) {
      assert.equal(at?.file, name);
      assert.doesNotMatch(what, /^[^ ]*:\d+:\d+: /);
      assert.ok(wayOut === undefined ? !what.includes("; ") : !/^;|; (use|did you mean|remove|change) /.test(`${what}; `), what);
    }
  });
}

Deno.test("planDemo() plans hello, ping and pong with their links", async () => {
  const result = await planDemo();
  assert.ok(result.ok);
  const { cpus } = result.run;
  const host = nativeHostOf(result.run);
  assert.equal(cpus, 2);
  assert.deepEqual(host.vms.map(({ name }) => name), ["hello", "ping", "pong"]);
  assert.deepEqual(host.vms[1].links, [
    { kind: "message-queue-pair", label: 1, peer: "pong", depth: 8, size: 64 },
    { kind: "doorbell-source", label: 2, peer: "pong", sourceCanClear: false },
  ]);
  assert.deepEqual(host.vms[2].links, [
    { kind: "message-queue-pair", label: 1, peer: "ping", depth: 8, size: 64 },
    { kind: "doorbell", label: 2, peer: "ping", sourceCanClear: false },
  ]);
});

Deno.test("readConfig() gives the defaults of the design", () => {
  const result = readConfig('el2 = 1\n[vm.a]\nimage = "a.bin"\n');
  assert.ok(result.ok);
  const { machine, host, vm } = result.config.file;
  const behaviour = {
    cap_ids: "plain",
    quirks: "fixed",
    hypervisor_node: "platform",
    strict: false,
    check: false,
    idle_watchdog: "accept",
    abi: "recorded",
    ipa_bits: 36,
    pv_time: false,
    geniezone: false,
    msi: "none",
  };
  assert.deepEqual(machine, { cpus: 2, cpu: "v8", memory: 2 ** 30, turbo: false, record: "off", seed: 1, ...behaviour });
  const kernel = { memlock: Number.MAX_SAFE_INTEGER, boot_context: undefined, timer_wakeups: undefined };
  assert.deepEqual(host, { kind: "native", device: "union", gzvm: false, ...kernel });
  assert.equal(vm.a.memory, 256 * 2 ** 20);
  assert.equal(vm.a.base, 0x8000_0000);
  assert.deepEqual([vm.a.schedule, vm.a.type, vm.a.devices], ["proxy", "unauthenticated", undefined]);
});

Deno.test("planRun() of an image that is not there is one error without a position", async () => {
  const refused = async (what: string, why: string, wayOut?: WayOut) => {
    const result = await planRun(what, TRUSTED);
    assert.deepEqual(result.ok || result.problems, [{ what: `image ${what}: no such file${why}`, wayOut }]);
  };
  await refused("/nowhere/x.bin", "");
  await refused("debain", ", and no guest of this name", 'did you mean "debian"?');
  await refused("no-such", ", and no guest of this name", ["list them with ", hint("guests ls")]);
});

Deno.test("planRun() of an image plans one VM with its name, that ends the session", async () => {
  const result = await planRun(`${INVALID}/hello.bin`, TRUSTED);
  assert.ok(result.ok);
  assert.deepEqual(nativeHostOf(result.run).vms.map(({ name, onExit, console }) => ({ name, onExit, console })), [
    { name: "hello", onExit: "end-session", console: true },
  ]);
});

Deno.test("planRun() places an error in a file where it is, and one in a change nowhere", async () => {
  const folder = await Deno.makeTempDir();
  try {
    await Deno.copyFile(`${INVALID}/hello.bin`, `${folder}/hello.bin`);
    const file = `${folder}/a.toml`;
    await Deno.writeTextFile(file, 'el2 = 1\n[vm.a]\nimage = "hello.bin"\nmemory = "4MiB"\nvcpus = 99\n');
    const problems = async (what: string, ...changes: string[]) => {
      const result = await planRun(what, TRUSTED, changes);
      return result.ok ? [] : result.problems.map(problemText);
    };
    const vcpus = `${file}:5:9: vcpus 99 exceeds the 8 threads of one address space; use 1..8`;
    assert.deepEqual(await problems(file), [vcpus]);
    assert.deepEqual(await problems(file, "machine.cpus=9"), ["machine.cpus 9 is outside 1..8", vcpus]);
    assert.deepEqual(await problems(file, "vm.a.vcpus=98"), ["vm.a.vcpus 98 exceeds the 8 threads of one address space; use 1..8"]);
    assert.deepEqual(await problems(file, "vm.a.vcpus=1", "vm.a.image=x.bin"), ["image x.bin: no such file"]);
    assert.match((await problems(file, "vm.a.vcpus=1", "vm.b.memory=4MiB")).join(), /^[^:]*\bb\b[^:]*$/);
    // Nobody sees the demo's text.
    assert.deepEqual(await problems("demo", "machine.cpus=99"), ["machine.cpus 99 is outside 1..8"]);
    assert.deepEqual(await problems("demo", "vm.png.memory=4MiB"), ['no VM "png"; did you mean "ping"?']);
    assert.deepEqual(await problems("demo", "machine.cpus=1"), [
      "host.vcpus of the demo: vcpus 2 is over the 1 physical CPUs of [machine]; use 1..1",
    ]);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("didYouMean() names the nearest word, or none", () => {
  assert.equal(didYouMean("memroy", ["memory", "machine"]), 'did you mean "memory"?');
  assert.equal(didYouMean("x", ["memory", "machine"]), undefined);
  assert.equal(didYouMean("memroy", ["memory"], "use memory"), 'did you mean "memory"? Use memory');
  assert.equal(didYouMean("x", ["memory"], "use memory"), "use memory");
});

Deno.test("TomlPositions finds every value of any document that stringify() writes", () => {
  const leaf = fc.oneof(fc.string(), fc.integer(), fc.boolean());
  const key = fc.oneof(fc.string({ minLength: 1 }), fc.constantFrom("a", "b-c", "a.b"));
  const table = fc.dictionary(
    key,
    fc.oneof(leaf, fc.array(leaf), fc.dictionary(key, leaf), fc.array(fc.dictionary(key, leaf), { minLength: 1 })),
  );
  fc.assert(
    fc.property(table, (document) => {
      const text = stringify(document);
      const positions = new TomlPositions(text);
      const lines = text.split("\n");
      for (const [name, value] of Object.entries(document)) {
        if (typeof value === "object" && !Array.isArray(value)) {
          for (const inner of Object.keys(value)) assert.ok(positions.value([name, inner]), `${name}.${inner} in\n${text}`);
        } else if (!Array.isArray(value)) {
          const at = positions.value([name])!;
          const written = lines[at.line - 1].slice(at.column - 1);
          assert.ok(written.startsWith(typeof value === "string" ? '"' : String(value)), `${name}: ${written}`);
        }
      }
    }),
    { numRuns: 200 },
  );
});

Deno.test("a VM of crosvm's platform has what crosvm builds, and the rest is refused by name", async () => {
  const folder = new URL("../../../assets/guests", import.meta.url).pathname;
  const said = async (keys: string, more = "") => {
    const result = await planText(`el2 = 1\n[vm.a]\nimage = "hello.bin"\nplatform = "crosvm"\n${keys}${more}`, "a.toml", folder);
    return planErrors(result).map((error) => error.replace(/^a\.toml:\d+:\d+: /, ""));
  };
  assert.deepEqual(await said('devices = [{ kind = "rng" }]\n'), []);
  assert.deepEqual(await said('schedule = "own"\n'), [
    'schedule "own" needs platform = "el2"; the devices of other boards are their VMM\'s',
  ]);
  for (const msi of ["its", "gicv2m"]) {
    assert.deepEqual(await said(`msi = "${msi}"\n`), ['msi needs platform = "qemu-virt"; remove it']);
  }
  const guarded = 'type = "protected"\nfirmware = "firmware.bin"\n';
  assert.deepEqual(await said(guarded), []);
  assert.deepEqual(await said(`${guarded}swiotlb = "8MiB"\nmemory = "12MiB"\n`), []);
  assert.deepEqual(await said(`${guarded}memory = "64MiB"\n`), [
    'memory "64MiB" is too small for what vm "a" is loaded with; use 68MiB',
  ]);
  assert.deepEqual(await said(`${guarded}without_access_platform = ["block"]\n`), []);
  assert.deepEqual(await said(`${guarded}without_access_platform = ["pl011"]\n`), [
    'without_access_platform "pl011" is not known; use "console", "block", "net", "vsock", "rng", "9p", "balloon" or "input"',
  ]);
  assert.deepEqual(await said('without_access_platform = ["block"]\n'), [
    'without_access_platform needs platform = "crosvm" and type = "protected"; remove it',
  ]);
  assert.deepEqual(await said("datamatch_flag = 2\n"), [
    'datamatch_flag needs platform = "el2" or "qemu-virt" and hypervisor = "gunyah" and schedule = "proxy"; others have no ioeventfds of virtio-mmio; remove it',
  ]);
  assert.deepEqual(await said("cpu_frequencies = [600000, 900000]\n"), []);
  assert.deepEqual(await said("cpu_frequencies = [900000, 600000]\n"), ["cpu_frequencies is not in rising order"]);
  assert.deepEqual(await said("base = 0x90000000\n"), ['the RAM of platform "crosvm" begins at 0x80000000; remove base']);
  assert.deepEqual(await said('devices = [{ kind = "pl011" }]\n'), ['platform "crosvm" has four 16550A ports and no pl011; remove it']);
  assert.deepEqual(await said("", '[host]\ndevice = "v17"\n'), [
    'device "v17" has no SET_USER_MEM_REGION, by which crosvm gives memory; use "v14"',
  ]);
  const other = '[vm.b]\nimage = "hello.bin"\n[link]\nbell = { kind = "doorbell", label = 7, from = "b", to = "a" }\n';
  assert.deepEqual(await said("", other), [
    'labels below 64 are those of the interrupts of platform "crosvm", which vm "a" (to) has; use a higher one',
  ]);
});

Deno.test("a VM of the platform of QEMU's virt has what QEMU's port has, and the rest is refused by name", async () => {
  const folder = new URL("../../../assets/guests", import.meta.url).pathname;
  const said = async (keys: string, more = "") => {
    const result = await planText(`el2 = 1\n[vm.a]\nimage = "hello.bin"\nplatform = "qemu-virt"\n${keys}${more}`, "a.toml", folder);
    return planErrors(result).map((error) => error.replace(/^a\.toml:\d+:\d+: /, ""));
  };
  assert.deepEqual(await said('devices = [{ kind = "rng" }]\n'), []);
  assert.deepEqual(await said('type = "protected"\nfirmware = "firmware.bin"\n'), [
    'type "protected" needs platform = "el2" or "crosvm"; the others run no firmware for protected VMs',
  ]);
  assert.deepEqual(await said("cpu_frequencies = [600000]\n"), ['cpu_frequencies needs platform = "crosvm"; remove it']);
  assert.deepEqual(await said('swiotlb = "2MiB"\n'), ['swiotlb needs platform = "crosvm"; remove it']);
  assert.deepEqual(await said('msi = "gicv2m"\n'), []);
  assert.deepEqual(await said('msi = "its"\nhypervisor = "geniezone"\n', "[host]\ngzvm = true\n"), [
    'msi "its" needs hypervisor = "gunyah"; GenieZone has no ITS; use "gicv2m"',
  ]);
  assert.deepEqual(await said('devices = [{ kind = "pl011" }]\n'), ['platform "qemu-virt" has its own pl011; remove it']);
  assert.deepEqual(await said("", '[host]\ndevice = "v17"\n'), [
    'device "v17" has no SET_USER_MEM_REGION, by which QEMU gives memory; use "v14"',
  ]);
});

Deno.test("an ITS of a VM is refused with a Resource Manager that is an image, and the frame is not", () =>
  inFolder(async (folder) => {
    const { runtime, app } = await buildRootGuest("environment", folder);
    const image = new URL("../../../assets/guests/hello.bin", import.meta.url).pathname;
    const said = async (msi: string) => {
      const manager = `[rm]\nkind = "image"\nruntime = "${runtime}"\napp = "${app}"\n`;
      const vm = `[vm.a]\nimage = "${image}"\nplatform = "qemu-virt"\n${msi}`;
      const result = await planText(`el2 = 1\n${manager}${vm}`, "a.toml", folder);
      return planErrors(result);
    };
    const refusal = 'a.toml:3:8: msi = "its" needs [rm] kind = "native"; use msi = "gicv2m"';
    assert.deepEqual(await said('msi = "its"\n'), [refusal]);
    // A VM of such a manager has the frame unless its configuration says otherwise.
    for (const msi of ["", 'msi = "gicv2m"\n']) assert.deepEqual(await said(msi), []);
  }));

Deno.test("planText() refuses memory that is too small for image and initrd, and says what is enough", async () => {
  const folder = await Deno.makeTempDir();
  try {
    await Deno.copyFile(`${INVALID}/hello.bin`, `${folder}/hello.bin`);
    await Deno.writeFile(`${folder}/initrd`, new Uint8Array(2 * 2 ** 20));
    const text = 'el2 = 1\n[vm.a]\nkernel = "hello.bin"\ninitrd = "initrd"\nmemory = "2MiB"\n';
    const what = 'memory "2MiB" is too small for what vm "a" is loaded with';
    const at = { file: "a.toml", line: 5, column: 10 };
    assert.deepEqual(await planText(text, "a.toml", folder), { ok: false, problems: [{ what, wayOut: "use 4MiB", at }] });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("readConfig() answers any damage to a configuration with positions inside the text, and never throws", async () => {
  const demo = await Deno.readTextFile(new URL("../../../assets/demo.toml", import.meta.url));
  const pieces = [
    "[",
    "]",
    "{",
    "}",
    '"',
    "'",
    "=",
    ".",
    ",",
    "#",
    "\n",
    "[[x]]",
    '"""',
    "\\",
    "1e9",
    "-0x1",
    "é",
    "[vm.hello]",
    "el2 = 1",
  ];
  const damage = fc.record({ at: fc.nat(demo.length), cut: fc.nat(40), put: fc.constantFrom(...pieces) });
  fc.assert(
    fc.property(fc.array(damage, { minLength: 1, maxLength: 3 }), (damages) => {
      let text = demo;
      for (const { at, cut, put } of damages) text = text.slice(0, at) + put + text.slice(at + cut);
      const result = readConfig(text);
      if (result.ok) return;
      assert.ok(result.errors.length > 0);
      const lines = text.split("\n").length;
      for (const { line, column } of result.errors) assert.ok(line >= 1 && line <= lines + 1 && column >= 1, `${line}:${column}`);
    }),
    { numRuns: 2000 },
  );
});

Deno.test("docs/configuration.md names every key, and no other", async () => {
  const text = await Deno.readTextFile(new URL("../../../docs/configuration.md", import.meta.url));
  const example = /```toml\n([^]*?)```/.exec(text)![1];
  const documented = new Set([...example.matchAll(/([a-z][a-z0-9_]*) = /g)].map(([, key]) => key));
  const devices = DEVICE_KINDS.map((kind) => deviceKeys(kind)!);
  const built = new Set([...Object.values(KNOWN_KEYS), ...devices].flat());
  for (const section of ["machine", "host", "rm", "vm", "link", "history", "ui"]) built.delete(section);
  // A network card has a key that is called as a section is.
  for (const key of devices.flat()) built.add(key);
  assert.deepEqual([...documented].sort(), [...built].sort());
});

Deno.test("D11: a configuration of any shape is refused in little time", () => {
  const shapes = {
    header: `el2 = 1\n[${"a.".repeat(20_000)}b]\n`,
    dotted: `el2 = 1\n${"a.".repeat(20_000)}b = 1\n`,
    tables: `x = ${"{ a = ".repeat(500)}1${" }".repeat(500)}\n`,
    keys: Array.from({ length: 20_000 }, (_, i) => `k${i} = ${i}\n`).join(""),
    vms: Array.from({ length: 10_000 }, (_, i) => `[vm.b${i}]\nx = 1\n`).join(""),
    large: `x = "${"a".repeat(300_000)}"\n`,
  };
  for (const [name, text] of Object.entries(shapes)) {
    const begun = cpuTime();
    const result = readConfig(text);
    const took = cpuTime() - begun;
    assert.ok(!result.ok && result.errors.length > 0, name);
    assert.ok(took < 5000, `${name}: ${took} ms of CPU time`);
  }
  const deep = readConfig(shapes.header);
  assert.ok(!deep.ok);
  assert.deepEqual(deep.errors.map((error) => problemText(configProblem("a", error))), [
    "a:1:1: tables and lists are nested deeper than 16",
  ]);
});

Deno.test("D15: a command line that has no room in a devicetree is refused, and quoted in part", () => {
  const config = (length: number) => readConfig(`el2 = 1\n[vm.a]\nimage = "a"\nmemory = "4MiB"\ncmdline = "${"x".repeat(length)}"\n`);
  assert.ok(config(32_768).ok);
  const result = config(32_769);
  assert.ok(!result.ok);
  const said = result.errors.map((error) => problemText(configProblem("a", error)));
  assert.deepEqual(said, [`a:5:11: cmdline "${"x".repeat(79)}…" has more than 32768 characters`]);
});

Deno.test("a change that is wrong is named by its whole key, with what there is instead", async () => {
  const says = async (...changes: string[]) => planErrors(await planRun("demo", TRUSTED, changes))[0];
  assert.equal(await says("vm.hello.memory=lots"), 'vm.hello.memory "lots" is not a size; use for example "256MiB"');
  assert.equal(await says("machine.cpus=99"), "machine.cpus 99 is outside 1..8");
  assert.match(await says("machine.memory=1TiB"), /^machine\.memory "1TiB" is outside 2MiB\.\.|^machine\.memory "1TiB" is (outside|over) /);
  assert.equal(await says("vm.nope.memory=8MiB"), 'no VM "nope"; there are hello, ping, pong');
  assert.equal(await says("vm.helo.memory=8MiB"), 'no VM "helo"; did you mean "hello"?');
  assert.match(await says("machine.cpu=v8.4,+FEAT_BTII"), /"FEAT_BTII" is not a feature; did you mean "FEAT_BTI"\?$/);
  assert.match(await says("machine.cpu=v8.4,+FEAT_NOPE"), /"FEAT_NOPE" is not a feature; el2 reference cpu max lists them$/);
  // A table that the program makes of an image's name has the same.
  const image = new URL("../../../assets/guests/hello.bin", import.meta.url).pathname;
  assert.deepEqual(planErrors(await planRun(image, TRUSTED, ["vm.hello.memory=lots"])), [
    'vm.hello.memory "lots" is not a size; use for example "256MiB"',
  ]);
  assert.deepEqual(planErrors(await planRun(image, TRUSTED, ["vm.nope.vcpus=1"])), ['no VM "nope"; there is hello']);
});

Deno.test("changes by the names of prototypes change no object of the program", async () => {
  const image = new URL("../../../assets/guests/hello.bin", import.meta.url).pathname;
  for (const name of ["__proto__", "constructor", "prototype", "toString"]) {
    for (const change of [`${name}.memory=1`, `vm.${name}.memory=8MiB`, `vm.hello.${name}=1`, `vm.${name}.image=${image}`, `${name}=1`]) {
      for (const what of ["demo", image]) {
        const result = await planRun(what, TRUSTED, [change]);
        assert.ok(!result.ok, `${what} ${change}`);
      }
    }
  }
  assert.deepEqual([({} as { memory?: unknown }).memory, Reflect.ownKeys(Object.prototype).includes("memory")], [undefined, false]);
});
