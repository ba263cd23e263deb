// Names in the modules of Debian's kernels: those that the guest prints, where they are shown, and
// stops at them. A kernel boots once: modules cannot be had without one.

import assert from "node:assert/strict";
import type { StopHit } from "../../../../src/model/queries/stop-rule.ts";
import { catalogEntry } from "../../../../src/app/catalog/catalog.ts";
import { BackTo, type Reached, type RunUpTo, type Sought } from "../../../../src/session/recordings/past/back-to.ts";
import { letIn } from "../../../../src/session/recordings/past/input.ts";
import { momentOf, Past } from "../../../../src/session/recordings/past/past.ts";
import type { Rerun } from "../../../../src/session/recordings/past/rerun.ts";
import { loaded } from "../../../../src/session/snapshots/begin.ts";
import { hex } from "../../../../src/kit/support/text/number-text.ts";
import { Debian, RELEASES } from "../debian.ts";

/** Virtual time (ns) within which a command is over. */
const PATIENCE = 60e9;

const BOOTED = new Map<string, Promise<Debian>>();

/** A Debian with modules, and with addresses in /proc/kallsyms. It boots once. */
async function withModules(release: string): Promise<Debian> {
  let booted = BOOTED.get(release);
  if (!booted) BOOTED.set(release, booted = boot(release));
  return (await booted).copy();
}

async function boot(release: string): Promise<Debian> {
  const debian = (await Debian.start(release, { initrd: "initrd-virtio" })).withShell();
  debian.loadModules();
  debian.command("dmesg -n 1; echo 0 > /proc/sys/kernel/kptr_restrict");
  return debian;
}

/** Runs until a rule stops the machine. */
function toStop(debian: Debian): StopHit {
  const { machine, stops } = debian.system;
  stops.goOn();
  for (const last = machine.time + PATIENCE; machine.time < last;) {
    const result = machine.run(last, 1000), hit = stops.take();
    if (hit && hit !== "passed") return hit;
    if (result.kind === "idle") machine.skipTo(Math.min(result.next, last));
  }
  throw new Error(`nothing has stopped the machine: ${debian.shown.slice(-500)}`);
}

/** `virtio_rng.ko` of a release. */
async function ofRamdisk(release: string): Promise<Uint8Array> {
  const { folder } = await catalogEntry(`debian-${release}`), bytes = await Deno.readFile(`${folder}/initrd-virtio`);
  const text = new TextDecoder("latin1").decode(bytes), name = text.indexOf("virtio_rng.ko\0"), entry = text.lastIndexOf("070701", name);
  // cpio's newc: sizes of the file and of its name, in hexadecimal; both are padded to words.
  const field = (at: number) => parseInt(text.slice(entry + at, entry + at + 8), 16), start = entry + 110 + field(94) + 3 & -4;
  return bytes.slice(start, start + field(54));
}

const encode = (text: string) => new TextEncoder().encode(text);

function back(run: RunUpTo, sought: Sought, before?: Reached): Reached | "none" {
  const way = new BackTo(run, sought, before);
  for (;;) {
    const reached = way.advance(Infinity);
    if (reached !== undefined) return reached;
  }
}

/** `ADDRESS TYPE NAME [MODULE]` of all symbols of modules, sorted. */
const printed = (debian: Debian) =>
  debian.command("grep '\\[' /proc/kallsyms").split("\n").map((line) => line.trim().replace("\t", " "))
    // Marks and local labels of the assembler are not names.
    .filter((line) => line !== "" && !/ \$[xd](\.| )|[\x00-\x1f]/.test(line)).sort();

const read = (debian: Debian) =>
  debian.system.symbols.all("host").flatMap(({ module, symbols }) =>
    module ? symbols.map(({ address, type, name }) => `${address.toString(16)} ${type} ${name} [${module.name}]`) : []
  ).sort();

/** Where a machine is stopped. */
const placeOf = ({ system }: Debian) => ({
  instructions: system.instructions(),
  pc: hex(system.symbols.vcpus("host")[0].registers.pc, 16),
});

for (const release of RELEASES) {
  Deno.test(`a stop in a module of Debian ${release} waits for it, follows rmmod and insmod, and is the same in the past`, async () => {
    const debian = await withModules(release), { system, plan } = debian, { machine, stops } = system;
    const file = (name: string) => `/lib/modules/${debian.command(`grep ${name}.ko /lib/modules/order`).trim()}`;
    const [rng, balloon] = [file("virtio_rng"), file("virtio_balloon")];
    debian.command("rmmod virtio_rng; rmmod virtio_balloon");
    const before = { at: machine.boundary, instructions: system.instructions(), moment: momentOf(system), inputs: 0, state: system.save() };

    // Code of the module that stays, and code that is gone when the module is initialized.
    const places = ["host:virtio-rng:init_module", "host:virtio_rng:cleanup_module"];
    for (const at of places) stops.change({ kind: "place", at });
    const where = () => debian.rows("stop.ls").map(({ place }) => place);
    assert.deepEqual(where(), ["waits for module virtio_rng", "waits for module virtio_rng"]);
    const line = `insmod ${rng}; rmmod virtio_rng; insmod ${balloon}; insmod ${rng}; rmmod virtio_rng; insmod ${rng}; echo EL2-"OVER"\n`;
    const input = {
      at: machine.boundary,
      settled: machine.settled,
      input: { kind: "console", console: "host", bytes: encode(line) },
    } as const;
    letIn(system, input.input);
    const hits: (ReturnType<typeof placeOf> & { readonly rule: string })[] = [];
    for (let count = 0; count < 5; count++) {
      const { rule } = toStop(debian);
      hits.push({ ...placeOf(debian), rule });
      assert.ok(where()[rule === "stop:1" ? 0 : 1]?.includes(hits[count].pc), `${where()}`);
      const [{ symbol }] = debian.rows("vcpu.ls");
      assert.match(symbol ?? "", /^\w+ \[virtio_rng\]$/);
    }
    assert.deepEqual(hits.map(({ rule }) => rule), ["stop:1", "stop:2", "stop:1", "stop:2", "stop:1"]);
    assert.ok(new Set(hits.map(({ pc }) => pc)).size > 2, "it is not always at the same place");
    stops.goOn();
    debian.until(/EL2-OVER/);
    assert.equal(where()[0], "waits for module virtio_rng", "the code of the initialization is gone");
    assert.notEqual(where()[1], "waits for module virtio_rng");

    // The run without stops is the same run.
    const plain = new Past(loaded(plan, before.state), [input]), end = momentOf(system);
    assert.ok(plain.advance(end, Infinity));
    assert.equal(plain.system.hashes.registers(), system.hashes.registers());
    assert.equal(plain.system.hashes.memory(), system.hashes.memory());

    // Back from the end, over each of them.
    const rerun: Rerun = {
      milestone: (moment) => typeof moment === "number" && moment <= before.instructions ? undefined : before,
      mayBeWritten: () => true,
      pastAt: () => new Past(loaded(plan, before.state), [input]),
    };
    for (const [index, at] of places.entries()) {
      let run: RunUpTo = { rerun, moment: end, instructions: system.instructions(), at: machine.boundary }, reached: Reached | undefined;
      const sought: Sought = { kind: "place", at, place: stops.system.placeOf(at) };
      for (const hit of hits.filter(({ rule }) => rule === `stop:${index + 1}`).reverse()) {
        const found = back(run, sought, reached);
        assert.ok(found !== "none");
        reached = found;
        const there = reached.past.system;
        assert.deepEqual([there.instructions(), reached.text], [hit.instructions, `vm:host at ${hit.pc}`]);
        run = { rerun, moment: momentOf(there), instructions: there.instructions(), at: there.machine.boundary };
      }
    }
  });

  Deno.test(`the file of a module of Debian ${release} names its variables, and a file of another build does not`, async () => {
    const debian = await withModules(release), { symbols } = debian.system;
    const tableOf = () => symbols.all("host").find(({ module }) => module?.name === "virtio_rng");
    const isVariable = (type: string) => "dDbB".includes(type);
    const [own, other] = await Promise.all([release, RELEASES.find((one) => one !== release) ?? "trixie"].map(ofRamdisk));
    symbols.give("host", other, "other.ko");
    assert.equal(tableOf()?.source, "module virtio_rng");
    assert.match(
      symbols.misfits("host").get("virtio_rng") ?? "",
      /^the file of module virtio_rng is of another build: its build id is [0-9a-f]{40}, that of the module in memory [0-9a-f]{40}$/,
    );
    assert.match(
      debian.ask("code.lines", { at: "host:virtio-rng.c:1" }).error ?? "",
      /has no code for virtio-rng.c:1; the file of module virtio_rng is of another build/,
    );
    const names = new Set(tableOf()?.symbols.map(({ name }) => name));
    symbols.give("host", own, "virtio_rng.ko");
    assert.equal(symbols.misfits("host").size, 0);
    assert.equal(tableOf()?.source, "virtio_rng.ko");
    // Both have the same names at the same places; the kernel of bookworm names no variables.
    for (
      const { name, address } of read(debian).flatMap((line) =>
        line.endsWith("[virtio_rng]") ? [{ name: line.split(" ")[2], address: line.split(" ")[0] }] : []
      )
    ) {
      if (names.has(name)) assert.ok(tableOf()?.symbols.some((one) => one.name === name && one.address.toString(16) === address), name);
    }
    const data = BigInt(debian.command("cat /sys/module/virtio_rng/sections/.data").trim());
    const variables = tableOf()?.symbols.filter(({ type, address }) => isVariable(type) && address >= data && address < data + 0x1000n) ??
      [];
    assert.ok(variables.some(({ name }) => name === "virtio_rng_driver"), variables.map(({ name }) => name).join());
  });

  Deno.test(`symbols of modules of Debian ${release} are what it prints, also after rmmod and insmod`, async () => {
    const debian = await withModules(release);
    assert.ok(read(debian).length > 400, `${read(debian).length} symbols`);
    assert.deepEqual(read(debian), printed(debian));

    // A module that is unloaded is in the list no more; the next one takes its memory.
    const file = debian.command("grep virtio_rng.ko /lib/modules/order").trim();
    debian.command("rmmod virtio_rng");
    assert.ok(!read(debian).some((line) => line.endsWith("[virtio_rng]")));
    assert.deepEqual(read(debian), printed(debian));
    debian.command(`rmmod virtio_balloon; insmod /lib/modules/${file}`);
    assert.deepEqual(read(debian), printed(debian));

    // Stops, stacks and instructions have the names, and the module beside them. In newer kernels
    // the bus of virtio is not a module.
    debian.system.stops.change({ kind: "place", at: "host:virtio_rng:cleanup_module" });
    debian.system.stops.change({ kind: "place", at: "host:unregister_virtio_driver" });
    debian.type("rmmod virtio_rng\n");
    assert.match(toStop(debian).text, /^vcpu:host\/0 at 0xffff[0-9a-f]{12}, host:virtio_rng:cleanup_module$/);
    assert.match(debian.rows("vcpu.ls")[0].symbol ?? "", /^\w+ \[virtio_rng\]$/);
    assert.match(toStop(debian).text, /host:unregister_virtio_driver$/);
    const stack = debian.rows("vcpu.stack", { vcpu: "vcpu:host/0" }).map(({ symbol }) => symbol ?? "");
    assert.match(stack[0], release === "bookworm" ? /^unregister_virtio_driver \[virtio\]$/ : /^unregister_virtio_driver$/);
    assert.match(stack[1], /^(virtio_rng_driver_exit|cleanup_module)\+0x[0-9a-f]+ \[virtio_rng\]$/);
    assert.match(stack[2], /^__(arm64_sys_|do_sys_|se_sys_)?delete_module(\.\w+)*\+0x/);
    const [{ symbol, label }] = debian.rows("code", { at: "host:virtio_rng:cleanup_module", size: 1 });
    assert.equal(symbol, `${label} [virtio_rng]`);

    // A name that several have is not guessed.
    assert.match(
      debian.ask("code", { at: "host:cleanup_module", size: 1 }).error ?? "",
      /^\d+ modules of vm:host have a symbol cleanup_module; name one: host:\w+:cleanup_module, host:/,
    );
    assert.match(debian.ask("code", { at: "host:absent:f", size: 1 }).error ?? "", /it has loaded no module absent: list them with/);
  });
}
