// Healthy machines, diagnosed from start to end: the only verdicts are that a VM starts, runs,
// waits or has ended on request.

import assert from "node:assert/strict";
import { demoSystem, runUntil } from "../session/inspection/system.ts";
import { buildBroken, FAULT } from "./broken-guest.ts";
import { LONG } from "../support/long.ts";
import { runHealthy } from "./healthy.ts";

const folder = await Deno.makeTempDir({ prefix: "el2-healthy-" });
globalThis.addEventListener("unload", () => Deno.removeSync(folder, { recursive: true }));
await buildBroken(folder);
for (const name of ["hello", "ping", "pong", "blackboard", "teletype", "firmware"]) {
  await Deno.copyFile(`assets/guests/${name}.bin`, `${folder}/${name}.bin`);
}

const DEMO = (await Deno.readTextFile("assets/demo.toml")).replaceAll("guests/", "").replaceAll(/^symbols = .*\n/gm, "");

/** The demo with keys in its sections. */
function demo({ machine = "", host = "", vm = "" } = {}): string {
  return DEMO.replace(/^cpus = 2\n/m, machine.includes("cpus") ? "" : "cpus = 2\n").replace("[machine]\n", `[machine]\n${machine}\n`)
    .replace(host.includes("vcpus") ? "vcpus = 2" : "vcpus = 0", "")
    .replace("[host]\n", `[host]\n${host}\n`).replaceAll(/^memory = "4MiB"$/gm, `memory = "4MiB"\n${vm}`);
}

const vm = (image: string, keys = "") => `[vm.${image}]\nimage = "${image}.bin"\nmemory = "4MiB"\n${keys}\n`;
const LOW = vm("broken", 'schedule = "own"\ncmdline = "fault=0"\npriority = -20');
const BROKEN = 'image = "broken.bin"\nmemory = "4MiB"\n';
/** One waits for the doorbell of another one, which has its timer and does not ring. */
const LISTENER =
  `el2 = 1\n[vm.x]\n${BROKEN}cmdline = "fault=${FAULT.listenBell} in=3 out=2"\n[vm.y]\n${BROKEN}cmdline = "fault=${FAULT.none}"\n` +
  '[link]\nthere = { kind = "doorbell", label = 2, from = "x", to = "y" }\nback = { kind = "doorbell", label = 3, from = "y", to = "x" }\n';
const ENDS = ["off", "off", "off"];

/** A configuration, the virtual time (ns) that it runs, and its verdicts then. */
interface HealthyCase {
  readonly name: string;
  readonly text: string;
  readonly until?: number;
  readonly end?: readonly string[];
}

/** The first of variants that differ little; all of them with the full numbers. */
const some = <T>(variants: readonly T[], count: number) => LONG ? variants : variants.slice(0, count);

const CASES: readonly HealthyCase[] = [
  ...some([4, 1, 2, 3, 8], 2).map((cpus) => ({
    name: `the demo on ${cpus} physical CPUs`,
    text: demo({ machine: `cpus = ${cpus}` }).replace(cpus === 1 ? "vcpus = 2" : "vcpus = 0", "vcpus = 1"),
    until: 2.2e9,
  })),
  ...some(["v17", "ack-6.12", "v14", "ack-6.6", "union"], 2).map((device) => ({
    name: `the demo by the driver ${device}`,
    text: demo({ host: `device = "${device}"` }),
  })),
  ...some(["random", "plain"], 1).map((ids) => ({
    name: `the demo with ${ids} capability ids`,
    text: demo({ machine: `cap_ids = "${ids}"` }),
  })),
  ...some([2, 3, 4], 1).map((seed) => ({ name: `the demo of seed ${seed}`, text: demo({ machine: `seed = ${seed}` }) })),
  { name: "the demo with the recorded quirks", text: demo({ machine: 'quirks = "as-observed"' }) },
  { name: "the demo with invariants checked", text: demo({ machine: "check = true" }), until: 5e8 },
  ...some(["binding-v6", "binding"], 1).map((node) => ({
    name: `the demo with the node ${node}`,
    text: demo({ machine: `hypervisor_node = "${node}"` }),
  })),
  { name: "a guest that ticks and powers off", text: `el2 = 1\n${vm("hello", 'cmdline = "ticks=3 ms=50"')}`, end: ["off"] },
  {
    name: "a guest that is started again when it has powered off",
    text: `el2 = 1\n${vm("hello", 'cmdline = "ticks=3 ms=50"\non_exit = "restart"')}`,
  },
  {
    name: "three guests that play and power off",
    text: demo().replace("[vm.hello]", '[vm.hello]\ncmdline = "ticks=2 ms=50"').replace("[vm.ping]", '[vm.ping]\ncmdline = "sets=2"')
      .replace("[vm.pong]", '[vm.pong]\ncmdline = "balls=128"'),
    until: 3e9,
    end: ENDS,
  },
  {
    name: "a guest whose partner has powered off",
    text: demo().replace("[vm.ping]", '[vm.ping]\ncmdline = "sets=1"'),
    until: 3e9,
    end: ["waits", "off", "waits"],
  },
  { name: "a guest that is started by hand", text: `el2 = 1\n${vm("hello", 'start = "manual"')}`, until: 3e9 },
  { name: "a protected VM", text: `el2 = 1\n${vm("hello", 'type = "protected"\nfirmware = "firmware.bin"')}` },
  { name: "a VM under GenieZone", text: `el2 = 1\n[host]\ngzvm = true\n${vm("hello", 'hypervisor = "geniezone"')}` },
  { name: "a guest that the hypervisor schedules", text: `el2 = 1\n${vm("broken", 'schedule = "own"\ncmdline = "fault=0"')}` },
  {
    name: "a guest that the hypervisor schedules at a low priority beside others",
    text: `el2 = 1\n[machine]\ncpus = 1\n[host]\nvcpus = 1\n${LOW}${vm("hello")}`,
    until: 2e9,
  },
  {
    name: "two guests that share memory and wait for keys",
    text: `el2 = 1\n${vm("blackboard")}${
      vm("hello")
    }[link]\nboard = { kind = "shm", label = 1, size = "64KiB", access = { blackboard = "rw", hello = "r" } }\n`,
    until: 2e9,
  },
  { name: "a guest that waits for its virtio console", text: `el2 = 1\n${vm("teletype", 'devices = [{ kind = "console" }]')}`, until: 2e9 },
  { name: "a guest that waits for a doorbell of one that works", text: LISTENER },
  { name: "a guest without a console", text: `el2 = 1\n${vm("broken", 'devices = []\nschedule = "own"\ncmdline = "fault=0"')}` },
];

for (const { name, text, until = 1.2e9, end } of CASES) {
  Deno.test(`healthy: ${name}`, async () => {
    const system = await demoSystem(text, undefined, folder);
    const verdicts = runHealthy(system, until);
    if (end) assert.deepEqual(verdicts, end);
    assert.notEqual(system.ended()?.code, 1, system.ended()?.message);
    assert.deepEqual(system.broken(), []);
  });
}

for (const force of [false, true]) {
  Deno.test(`healthy: a VM that somebody ${force ? "ends" : "asks to stop"} and starts again, and the others`, async () => {
    const system = await demoSystem();
    runHealthy(system, 3e8);
    system.inspector.act({ kind: "vm.stop", vm: "ping", force });
    runHealthy(system, 2e9);
    system.inspector.act({ kind: force ? "vm.start" : "vm.reset", vm: "ping" });
    runHealthy(system, 4e9);
    assert.equal(system.ended(), undefined);
  });
}

Deno.test("healthy: a VM that is created for inspection, and started later", async () => {
  const system = await demoSystem(`el2 = 1\n${vm("hello", 'start = "manual"')}`, undefined, folder);
  runUntil(system, 1e8);
  system.inspector.act({ kind: "vm.create", vm: "hello" });
  runHealthy(system, 3e9);
  system.inspector.act({ kind: "vm.start", vm: "hello" });
  assert.deepEqual(runHealthy(system, 4e9), ["waits"]);
});
