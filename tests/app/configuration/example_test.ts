// The example of a configuration that the design names (docs/design/workstation.md
// §3): phone.toml.

import assert from "node:assert/strict";
import { planText } from "../../../src/app/configuration/plan-run.ts";
import { demoSystem, rows, runUntil } from "../../session/inspection/system.ts";
import { planErrors } from "../../support/planned.ts";

const EXAMPLE = Deno.readTextFileSync(new URL("phone.toml", import.meta.url));
const GUESTS = new URL("../../../assets/guests/", import.meta.url);

/**
 * Files that the example names and that are missing here: they come from the catalog, or are the
 * user's own.
 */
const ABSENT = ["21:10: catalog:nobody/Image", "22:10: catalog:nobody/initrd", "31:11: catalog:nobody/root.img", "36:9: image rt.bin:"];

Deno.test("W70: the example loads: nothing is wrong with it but files that are not here", async () => {
  const folder = await Deno.makeTempDir({ prefix: "el2-test-" });
  try {
    // A guest that no cache has.
    const result = await planText(EXAMPLE.replaceAll("catalog:debian/", "catalog:nobody/"), "phone.toml", folder);
    const errors = planErrors(result);
    assert.deepEqual(errors.map((error) => ABSENT.find((absent) => error.startsWith(`phone.toml:${absent} `)) ?? error), ABSENT);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

/** A line of the example, its spoilt form, and the error. */
const SPOILT: readonly (readonly [line: number, from: string, to: string, said: readonly string[]])[] = [
  [20, '"unauthenticated"', '"protected"', ['20:8: type "protected" needs firmware = PATH; add it or use "unauthenticated"']],
  [24, "memory", "memroy", ['24:1: unknown key "memroy" in [vm.debian]; did you mean "memory"?']],
  [25, "0x80000000", "0x80001000", [
    "25:8: base 0x80001000 is not 2 MiB aligned (the Resource Manager would round it up, but not the devicetree); use 0x80200000",
  ]],
  [27, "= 2", "= 9", ["27:9: vcpus 9 exceeds the 8 threads of one address space; use 1..8"]],
  [
    ...[38, '"own"', '"proxy"'] as const,
    ["affinity", "affinity_map", "priority", "timeslice"].map((key, index) =>
      `${39 + index}:1: ${key} needs schedule = "own"; a proxied vCPU runs where its caller runs`
    ),
  ],
  [41, "-4", "4", ["41:12: priority 4 gives 36, not below the owner (32): the Resource Manager would refuse VM_INIT; use -32..-1"]],
  [42, "1ms", "50us", ['42:13: timeslice "50us" is outside 100us..100ms']],
  [45, "depth = 8", "depth = 256", ["45:85: depth 256 is outside 1..255 (documents say 256, the hypervisor excludes it)"]],
  [
    ...[46, "label = 11", "label = 12"] as const,
    ['47:38: label 12: doorbells "alarm" and "bell2" meet in vm "rt"; change one'],
  ],
];

/** The errors of the example with these of its lines spoilt. */
async function errorsOf(...spoilt: typeof SPOILT[number][]): Promise<readonly string[]> {
  const lines = EXAMPLE.replaceAll("catalog:debian/", "catalog:nobody/").split("\n");
  for (const [line, from, to] of spoilt) {
    assert.ok(lines[line - 1].includes(from), `${line}: ${from}`);
    lines[line - 1] = lines[line - 1].replace(from, to);
  }
  // Another doorbell of the same VM, below the first.
  if (spoilt.some(([line]) => line === 46)) lines.splice(46, 0, 'bell2 = { kind = "doorbell", label = 12, from = "rt", to = "debian" }');
  const folder = await Deno.makeTempDir({ prefix: "el2-test-" });
  try {
    const result = await planText(lines.join("\n"), "el2.toml", folder);
    return planErrors(result).map((error) => error.replace("el2.toml:", ""));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Errors of the missing files, which every variant has. */
const isAbsent = (error: string) => ABSENT.some((absent) => error.startsWith(`${absent} `));

Deno.test("W68: each message of the design appears, with the line and column that it has there, when that line is spoilt", async () => {
  for (const one of SPOILT) {
    const errors = await errorsOf(one);
    assert.deepEqual(errors.filter((error) => !isAbsent(error)), one[3], `line ${one[0]}`);
    assert.ok(
      errors.includes(
        "21:10: catalog:nobody/Image is not in the cache; el2 guests ls lists those that are there; guests add adds one",
      ),
      String(errors),
    );
  }
});

Deno.test("W69: all errors come in one run: of keys, values, what does not fit together, and files", async () => {
  const all = SPOILT.filter(([line]) => line !== 38);
  const errors = await errorsOf(...all);
  const expected = all.flatMap(([, , , said]) => said);
  assert.deepEqual(errors.filter((error) => !isAbsent(error)).toSorted(), expected.toSorted());
  assert.equal(errors.filter(isAbsent).length, ABSENT.length);
  const lines = errors.map((error) => Number(error.split(":")[0]));
  assert.deepEqual(lines, lines.toSorted((a, b) => a - b), "in the order of the file");
});

Deno.test("W69: no error is reported for a value that depends on a wrong one", async () => {
  const said = async (text: string) => {
    const result = await planText(`el2 = 1\n${text}`, undefined, "assets/guests");
    return planErrors(result);
  };
  const cases: readonly (readonly [text: string, errors: readonly RegExp[]])[] = [
    ['[machine]\ncpus = 99\n[vm.a]\nimage = "hello.bin"\nvcpus = 4\n', [/^cpus 99 /]],
    ['[machine]\ncpus = 1\n[vm.a]\nimage = "hello.bin"\nvcpus = 4\nmemory = 7\n', [/^vcpus 4 is over the 1 /, /^memory 7 /]],
    ['[machine]\nmemory = "64MiB"\n[vm.a]\nimage = "hello.bin"\nmemory = "1"\n', [/^memory "1" /]],
    ['[vm.a]\nkernel = 5\ninitrd = "hello.bin"\n', [/^kernel 5 /]],
    ['[vm.a]\nimage = "hello.bin"\ntype = "secret"\nfirmware = "firmware.bin"\n', [/^type "secret" /]],
    ['[vm.a]\nimage = "hello.bin"\nhypervisor = "geniezone"\n[host]\ngzvm = 1\n', [/^gzvm 1 /]],
    ['[vm.a]\nimage = "hello.bin"\nvcpus = "2"\nschedule = "own"\naffinity_map = [0, 1]\ndevices = []\n', [/^vcpus "2" /]],
    ['[vm.a]\nimage = "hello.bin"\ndevices = [{ kind = "pl011", log = 3 }, { kind = "pl011x" }, { kind = "block", image = "x" }]\n', [
      /^log 3 /,
      /^kind "pl011x" /,
      /^image x: no such file/,
    ]],
    ['[rm]\nkind = "mine"\nruntime = "x"\n[vm.a]\nimage = "none.bin"\n', [/^kind "mine" /, /^image none\.bin: no such file/]],
  ];
  for (const [text, expected] of cases) {
    const errors = await said(text);
    assert.equal(errors.length, expected.length, `${text}${errors.join("\n")}`);
    for (const error of expected) assert.ok(errors.some((one) => error.test(one)), `${error}: ${errors.join("\n")}`);
  }
});

Deno.test("W70: both VMs of the example run and exchange messages, in both directions", async () => {
  const folder = await Deno.makeTempDir({ prefix: "el2-test-" });
  try {
    // Our guests instead of Debian and the user's own: they find their links by these labels.
    await Deno.copyFile(new URL("pong.bin", GUESTS), `${folder}/Image`);
    await Deno.copyFile(new URL("ping.bin", GUESTS), `${folder}/rt.bin`);
    await Deno.writeFile(`${folder}/initrd`, new Uint8Array(16));
    await Deno.writeFile(`${folder}/root.img`, new Uint8Array(4096));
    const example = EXAMPLE.replaceAll("catalog:debian/", "").replace("label = 10,", "label = 1,").replace("label = 11,", "label = 2,")
      // A port of this computer, which is not the test's to take.
      .replace('forward = ["2222:22"]', "forward = []");
    const system = await demoSystem(example, undefined, folder);
    system.inspector.watch(["hvc"]);
    runUntil(system, 5e8);
    assert.deepEqual(
      rows(system, "vm.ls", { filter: "via=gunyah" }).map(({ id, state, schedule }) => [id, state, schedule]),
      [["vm:debian", "running", "proxy"], ["vm:rt", "running", "own"]],
    );
    const calls = (name: string, vm: string) => rows(system, "events", { filter: `name=${name} vm=${vm} res=OK` }).length;
    for (const vm of ["debian", "rt"]) {
      assert.ok(calls("msgqueue_send", vm) > 0, `${vm} sends`);
      assert.ok(calls("msgqueue_receive", vm) > 0, `${vm} receives`);
    }
    assert.ok(calls("doorbell_send", "rt") > 0 && calls("doorbell_receive", "debian") > 0, "rt rings");
    const [control] = rows(system, "queue.ls", { filter: "kind=msgqueue from=debian to=rt" });
    assert.deepEqual([control.depth, control.size], [8, 240]);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("[rm] auth: a platform that takes protected VMs alone refuses VM_INIT of others, and says which it takes", async () => {
  const system = await demoSystem('el2 = 1\n[rm]\nauth = ["android"]\n[vm.a]\nimage = "hello.bin"\nmemory = "4MiB"\n');
  runUntil(system, 1e8);
  assert.match(system.ended()?.message ?? "", /START: E/);
  const [init] = rows(system, "rpc.ls", { filter: "msg=VM_INIT" });
  assert.equal(init.res, "0x0a MEM_INVALID");
  const reason = rows(system, "why", { filter: `id=${init.why}` })[0];
  assert.deepEqual([reason.section, reason.rule, reason.values, reason.object], [
    "resource-manager 3.8",
    "the platform takes no VM of this type of authentication",
    { auth: "none", accepted: "android" },
    "vm:a",
  ]);
  assert.match(reason.way_out ?? "", /add "none" to \[rm\] auth/);
  assert.deepEqual(rows(system, "mem.check"), []);
  const both = await demoSystem('el2 = 1\n[rm]\nauth = ["none", "android"]\n[vm.a]\nimage = "hello.bin"\nmemory = "4MiB"\n');
  runUntil(both, 1e8);
  assert.equal(rows(both, "vm.ls", { filter: "id=vm:a" })[0].state, "running");
});
