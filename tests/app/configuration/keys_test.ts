// Every key of a configuration (docs/design/workstation.md §3) is taken, and what it says is in the
// plan.

import assert from "node:assert/strict";
import { devicetree, node } from "../../../src/machine/devicetree/tree.ts";
import { writeDevicetree } from "../../../src/machine/devicetree/writer.ts";
import type { VmPlan } from "../../../src/machine/host/data/plan.ts";
import { planText, type RunConfiguration } from "../../../src/app/configuration/plan-run.ts";
import type { BootPlan } from "../../../src/model/plans/plan.ts";
import { nativeHostOf } from "../../machine/host/plans.ts";
import { assertPlanned } from "../../support/planned.ts";

const GUESTS = new URL("../../../assets/guests", import.meta.url).pathname;
const MIB = 2 ** 20;

/**
 * A file with two VMs that the hypervisor schedules and one for each key, whose table the changes
 * are for.
 */
const BASE = `el2 = 1
[machine]
cpus = 4
[vm.a]
image = "hello.bin"
memory = "4MiB"
[vm.own]
image = "teletype.bin"
memory = "4MiB"
schedule = "own"
`;
const IMAGE = `el2 = 1
[host]
kind = "image"
image = "hello.bin"
`;

async function planned(text: string, changes: readonly string[]): Promise<RunConfiguration> {
  const result = await planText(text, undefined, GUESTS, changes);
  assertPlanned(result);
  return result.run;
}

const vm = (name: string) => (run: RunConfiguration): VmPlan => nativeHostOf(run).vms.find((each) => each.name === name)!;
const own = (run: RunConfiguration) => vm("own")(run).schedule as Exclude<VmPlan["schedule"], "proxy">;
const boot = (run: RunConfiguration) => run.what as BootPlan;

/** A key with a value other than its default, where that is visible, and what is visible there. */
type Case = readonly [key: string, value: string, seen: (run: RunConfiguration) => unknown, expected: unknown];

const CASES: readonly Case[] = [
  ["machine.cpus", "3", (run) => run.cpus, 3],
  ["machine.memory", "512MiB", (run) => run.memory, 512 * MIB],
  ["machine.turbo", "true", (run) => run.turbo, true],
  ["machine.seed", "7", (run) => run.seed, 7],
  ["machine.record", "a.rec", (run) => run.recordTo, `${GUESTS}/a.rec`],
  ["machine.quirks", "as-observed", (run) => run.behaviour?.quirks, "as-observed"],
  ["machine.idle_watchdog", "refuse", (run) => run.behaviour?.idleWatchdog, "refuse"],
  ["machine.msi", "its", (run) => run.behaviour?.msi, "its"],
  ["machine.abi", "newer", (run) => run.behaviour?.abi, "newer"],
  ["machine.phone", "sm8650", (run) => run.behaviour?.capIds, "random"],
  ["host.max_order", "5", (run) => nativeHostOf(run).driver.quirks?.maxOrder, 5],
  ["host.boot_context", "ENODEV", (run) => nativeHostOf(run).driver.quirks?.bootContext, "ENODEV"],
  ["host.timer_wakeups", "driver", (run) => nativeHostOf(run).driver.quirks?.wakesAtTimers, true],
  ["host.unpinnable", "3", (run) => nativeHostOf(run).driver.quirks?.unpinnable, 3],
  ["host.gzvm", "no-node", (run) => nativeHostOf(run).driver.gzvm, "no-node"],
  ["host.huge_pages", "512", (run) => nativeHostOf(run).driver.quirks?.hugePages, 512],
  ["host.reclaim_after", "20ms", (run) => nativeHostOf(run).driver.quirks?.reclaimAfter, 20e6],
  ["host.scm_max", "63", (run) => nativeHostOf(run).driver.quirks?.scmMax, 63],
  ["rm.parcels_held", "5", (run) => run.behaviour?.parcelsHeld, 5],
  ["rm.parcels", "1024", (run) => run.behaviour?.parcels, 1024],
  ["machine.page_tables", "64", (run) => run.behaviour?.pageTables, 64],
  ["machine.ipa_bits", "40", (run) => run.behaviour?.ipaBits, 40],
  ["machine.pv_time", "true", (run) => run.behaviour?.pvTime, true],
  ["rm.size_max", "span", (run) => run.behaviour?.sizeMax, "span"],
  ["rm.low_memory", "64KiB", (run) => run.behaviour?.lowMemory, 65_536],
  ["rm.reserved_memory", "must-match", (run) => run.behaviour?.reservedMemory, "must-match"],
  ["host.device", "v14", (run) => nativeHostOf(run).driver.device, "v14"],
  ["host.gzvm", "true", (run) => nativeHostOf(run).driver.gzvm, true],
  ["host.memory", "64MiB", (run) => nativeHostOf(run).memory, 64 * MIB],
  ["host.vcpus", "3", (run) => nativeHostOf(run).vcpus, 3],
  ["host.memlock", "64KiB", (run) => nativeHostOf(run).driver.memlock, 65_536],
  ["vm.a.hypervisor", "gunyah", (run) => vm("a")(run).hypervisor, "gunyah"],
  ["vm.a.cmdline", "ticks=1", (run) => vm("a")(run).cmdline, "ticks=1"],
  ["vm.a.memory", "8MiB", (run) => vm("a")(run).memory, 8 * MIB],
  ["vm.a.base", "1073741824", (run) => vm("a")(run).base, 0x4000_0000],
  ["vm.a.size_max", "30GiB", (run) => vm("a")(run).sizeMax, 30 * 1024 * MIB],
  ["vm.a.datamatch_flag", "2", (run) => vm("a")(run).datamatchFlag, 2],
  ["vm.a.built", "teletype.bin", (run) => vm("a")(run).stale?.used.length, 64],
  ["vm.a.vcpus", "2", (run) => vm("a")(run).vcpus, 2],
  ["vm.a.start", "after:own", (run) => vm("a")(run).start, { after: "own" }],
  ["vm.a.on_exit", "end-session", (run) => vm("a")(run).onExit, "end-session"],
  ["vm.own.affinity", "pinned", (run) => own(run).affinity, "pinned"],
  ["vm.own.priority", "-4", (run) => own(run).priority, -4],
  ["vm.own.timeslice", "1ms", (run) => own(run).timeslice, 1000],
  ["ui.theme", "dark", (run) => run.ui.theme, "dark"],
  ["ui.mouse", "false", (run) => run.ui.mouse, false],
  ["ui.layout", '"9"', (run) => run.ui.layout, "9"],
  ["history.memory", "64MiB", (run) => run.historyMemory, 64 * MIB],
  ["history.disk", "0KiB", (run) => run.diskBudget, 0],
  ["ui.console_prefix", "ctrl-a", (run) => run.ui.console_prefix, "ctrl-a"],
  ["ui.braille", "false", (run) => run.ui.braille, false],
  ["ui.motion", "off", (run) => run.ui.motion, "off"],
  ["ui.background", "terminal", (run) => run.ui.background, "terminal"],
];

Deno.test("each key of one value is in the plan, and is not there without it", async () => {
  const before = await planned(BASE, []);
  for (const [key, value, seen, expected] of CASES) {
    assert.deepEqual(seen(await planned(BASE, [`${key}=${value}`])), expected, key);
    if (key !== "vm.a.hypervisor") assert.notDeepEqual(seen(before), expected, `${key} has that value anyway`);
  }
});

Deno.test("keys of lists and tables are in the plan: devices, CPUs, links, key bindings", async () => {
  const run = await planned(
    `${BASE}affinity_map = [3]
devices = [{ kind = "console", ports = ["hvc0", "agent"] }]
[vm.b]
image = "hello.bin"
memory = "4MiB"
devices = [
  { kind = "pl011", log = "b.log" },
  { kind = "block", image = "hello.bin", mode = "overlay" },
  { kind = "net", backend = "user", forward = ["2222:22", "udp:5353:53"] },
  { kind = "net", backend = "pair:lan", capture = "lan.pcapng" },
  { kind = "net", host = true, internet = false, allow = ["10.0.0.5:80"] },
  { kind = "vsock", cid = 9, path = "b.sock" },
  { kind = "rng" },
  { kind = "9p", folder = "hello", mode = "ro", tag = "sources" },
  { kind = "balloon" },
  { kind = "input", type = "tablet" } ]
[link]
control = { kind = "msgqueue-pair", label = 10, between = ["a", "b"], depth = 4, size = 100 }
alarm = { kind = "doorbell", label = 11, from = "b", to = "a", source_can_clear = true }
frames = { kind = "shm", label = 12, size = "64KiB", access = { a = "rw", b = "r" } }
[ui]
keys = { "list.sort" = "O" }
`,
    [],
  );
  assert.deepEqual(own(run).affinityMap, [3]);
  assert.deepEqual(vm("own")(run).devices, [{ kind: "console", ports: ["hvc0", "agent"] }]);
  assert.deepEqual(run.logs, { b: `${GUESTS}/b.log` });
  assert.deepEqual(vm("b")(run).devices, [
    { kind: "block", image: `${GUESTS}/hello.bin`, mode: "overlay" },
    {
      ...{ kind: "net", backend: "user", capture: undefined },
      forward: [{ protocol: "tcp", host: 2222, guest: 22 }, { protocol: "udp", host: 5353, guest: 53 }],
    },
    { kind: "net", backend: "pair:lan", forward: [], capture: `${GUESTS}/lan.pcapng` },
    {
      ...{ kind: "net", backend: "user", forward: [], capture: undefined },
      policy: { host: true, lan: false, internet: false, allow: [{ network: 0x0a00_0005, bits: 32, port: 80 }], deny: [] },
    },
    { kind: "vsock", cid: 9, path: `${GUESTS}/b.sock` },
    { kind: "rng" },
    { kind: "9p", folder: `${GUESTS}/hello`, mode: "ro", tag: "sources" },
    { kind: "balloon" },
    { kind: "input", type: "tablet" },
  ]);
  assert.deepEqual(vm("a")(run).links, [
    { kind: "message-queue-pair", label: 10, peer: "b", depth: 4, size: 100 },
    { kind: "doorbell", label: 11, peer: "b", sourceCanClear: true },
    { kind: "shared-memory", label: 12 },
  ]);
  assert.deepEqual(nativeHostOf(run).buffers, [
    { label: 12, size: 65_536, access: [{ vm: "a", write: true }, { vm: "b", write: false }] },
  ]);
  assert.deepEqual(run.ui.keys, { "list.sort": "O" });
});

Deno.test("a protected VM has its firmware, and a VM its own devicetree, ramdisk and kernel", async () => {
  const folder = await Deno.makeTempDir({ prefix: "el2-keys-" });
  try {
    for (const name of ["hello.bin", "firmware.bin"]) await Deno.copyFile(`${GUESTS}/${name}`, `${folder}/${name}`);
    await Deno.writeFile(`${folder}/initrd`, new Uint8Array([1, 2, 3]));
    const tree = writeDevicetree(devicetree(node("", {}, [node("gunyah-vm-config")])));
    await Deno.writeFile(`${folder}/guest.dtb`, tree);
    const text = `el2 = 1
[vm.safe]
type = "protected"
firmware = "firmware.bin"
kernel = "hello.bin"
initrd = "initrd"
dtb = "guest.dtb"
memory = "16MiB"
`;
    const result = await planText(text, undefined, folder);
    assertPlanned(result);
    const safe = vm("safe")(result.run);
    assert.deepEqual(safe.firmware?.bytes, await Deno.readFile(`${folder}/firmware.bin`));
    assert.deepEqual([safe.initrd, safe.devicetree], [new Uint8Array([1, 2, 3]), tree]);
    assert.equal(safe.image.entry, safe.image.offset);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("an image as the host is what el2 boot would run: its files, memory, command line, devices, log and firmware", async () => {
  const run = await planned(
    `${IMAGE}memory = "256MiB"\ncmdline = "ticks=1"\nrtc = "2026-01-31T12:00:00Z"\ndevices = [{ kind = "pl011", log = "host.log" }, { kind = "rng" }]\n`,
    [],
  );
  const hello = await Deno.readFile(`${GUESTS}/hello.bin`);
  assert.deepEqual(boot(run), {
    ...{ kind: "boot", image: hello, initrd: undefined, dtb: undefined, append: "ticks=1" },
    ...{ firmware: undefined, clock: 1_769_860_800, devices: [{ kind: "rng" }] },
  });
  assert.equal(run.memory, 256 * MIB);
  assert.deepEqual(run.logs, { host: `${GUESTS}/host.log` });
  assert.equal((await planned(IMAGE, [])).memory, 1024 * MIB, "all of the machine's");
  assert.equal((await planned(IMAGE, ["machine.geniezone=true"])).behaviour?.geniezone, true);

  const otherPlatform = boot(
    await planned(`${IMAGE}platform_devices = ["battery", "pvpanic"]\n`, ["host.bus=pci", "host.uart=16550a"]),
  );
  assert.deepEqual([otherPlatform.bus, otherPlatform.uart, otherPlatform.platformDevices], ["pci", "16550a", ["battery", "pvpanic"]]);
  const withFirmware = boot(await planned(IMAGE, ["host.firmware=hello.bin", "host.initrd=ping.bin"]));
  assert.deepEqual(withFirmware.firmware, { code: hello, vars: undefined });
  assert.deepEqual(withFirmware.initrd, await Deno.readFile(`${GUESTS}/ping.bin`));
  const itself = boot(await planned(IMAGE, ["host.el2=self", "host.cmdline=ticks=1"]));
  assert.deepEqual([itself.image, itself.atEl2, itself.append], [hello, true, "ticks=1"]);
  const other = boot(await planned('el2 = 1\n[host]\nkind = "image"\n', ["host.el2=ping.bin", "host.el2_args=dom0_mem=1G"]));
  const ping = await Deno.readFile(`${GUESTS}/ping.bin`);
  assert.deepEqual([other.image, other.append, other.modules], [ping, "dom0_mem=1G", undefined]);
  const withModules = boot(
    await planned('el2 = 1\n[host]\nkind = "image"\n', ["host.el2=ping.bin", "host.kernel=hello.bin", "host.initrd=ping.bin"]),
  );
  assert.deepEqual([withModules.image, withModules.append, withModules.initrd], [ping, undefined, undefined]);
  assert.deepEqual(withModules.modules, [{ kind: "kernel", bytes: hello, bootargs: "" }, { kind: "ramdisk", bytes: ping }]);
  for (const { clock, startsNow } of [withFirmware, otherPlatform]) {
    assert.ok(clock! > 1_700_000_000 && startsNow, "each machine has a clock, which starts now by default");
  }
});
