// A VM on the platform of QEMU's `virt`, on the whole stack: registers, messages and lines by exits
// to the VMM, and the calls of QEMU's port in their order. The devicetree and the ids on the PCI
// bus are those of QEMU itself. The VM's vCPU executes a script.

import assert from "node:assert/strict";
import type { PersonaName } from "../../../src/machine/abi/ioctl/personas.ts";
import { readDevicetree } from "../../../src/machine/devicetree/reader.ts";
import type { DevicetreeNode } from "../../../src/machine/devicetree/tree.ts";
import { writeDevicetree } from "../../../src/machine/devicetree/writer.ts";
import { Gicv2mRegister } from "../../../src/machine/devices/gicv2m.ts";
import { qemuDevicetree } from "../../../src/machine/host/boards/qemu-virt/devicetree.ts";
import {
  QEMU_ECAM,
  QEMU_FW_CFG,
  QEMU_ITS,
  QEMU_PCI_MEMORY,
  QEMU_RTC,
  QEMU_SLOTS,
  QEMU_V2M,
  qemuGicr,
  qemuPciSpi,
  qemuStub,
} from "../../../src/machine/host/boards/qemu-virt/map.ts";
import { Gicr } from "../../../src/machine/hypervisor/gic/gic-registers.ts";
import { Gits } from "../../../src/machine/hypervisor/gic/its/its-registers.ts";
import { words } from "../hypervisor/gic/its/rig.ts";
import { checkInvariants } from "../hypervisor/invariants.ts";
import type { VmPlan } from "../../../src/machine/host/data/plan.ts";
import { boardOf } from "../../../src/machine/host/boards.ts";
import { VcpuRunState } from "../../../src/machine/abi/words.ts";
import { ConsoleInput } from "../../../src/machine/host/data/console-input.ts";
import { nativeHost } from "../../../src/machine/host/native-host.ts";
import { FakePlatform } from "./fake-platform.ts";
import { RngDevice } from "../../../src/machine/virtio/rng/rng.ts";
import { runNative } from "../../support/oracles.ts";
import { BYTES, DONE, drive, FILL, FIRST_VMID, type Guest, load, off, pending, type Seen, store } from "./crosvm-guest.ts";
import { HOST_MEMORY, MIB, vmPlan } from "./plans.ts";
import { Stack } from "./stack.ts";

const RAM = 0x8000_0000, MEMORY = 16 * MIB;
const BAR = QEMU_PCI_MEMORY.base;
const QUEUE = RAM + 0x10_0000;
const config = (slot: number, register: number) => QEMU_ECAM.base + (slot << 15) + register;
const BOOTS: PersonaName[] = ["v14", "ack-6.1", "union"];

function plan(changes: Partial<VmPlan> = {}): VmPlan {
  const devices = [{ kind: "rng" }, { kind: "rng" }, { kind: "rng" }, { kind: "rng" }, { kind: "rng" }] as const;
  return vmPlan("a", { platform: "qemu-virt", memory: MEMORY, devices, ...changes });
}

/** Runs a VM with this guest. */
function run(guest: (stack: Stack) => Guest, changes: Partial<VmPlan> = {}, device: PersonaName = "v14", until = 1e9) {
  const vm = plan(changes);
  // Without boot contexts the vCPU begins with the first byte.
  const script = () => guest(stack);
  const stack: Stack = new Stack({ memory: HOST_MEMORY, vcpus: 1, vms: [vm] }, {
    ...{ cpus: 1, device, memory: 128 * MIB },
    devices: () => new RngDevice({ fill: (into) => void into.fill(FILL), save: () => null, restore() {} }),
    scripts: { [RAM]: script, [RAM + qemuStub(vm)]: script },
  });
  const names: string[] = [];
  stack.hypervisor.trace.listen(["ioctl"], (event) => {
    if ("name" in event) names.push(event.name);
  });
  stack.run(until);
  return { stack, log: stack.log(), names };
}

/** Gives BAR 0 of a function its place. */
function* placeBar(slot: number): Guest {
  yield* store(config(slot, 0x10), 4, BAR + (slot << 16));
  yield* store(config(slot, 0x14), 4, 0);
}

for (const hypervisor of ["gunyah", "geniezone"] as const) {
  for (const device of hypervisor === "gunyah" ? BOOTS : ["v14"] as const) {
    Deno.test(`a device of a VM of ${hypervisor} on ${device} sends a message for its queue`, () => {
      const seen: Seen = {};
      const spi = hypervisor === "gunyah" ? 48 : 16;
      const { log } = run(
        function* (stack) {
          yield* placeBar(1);
          yield* store(config(1, 4), 2, 6);
          // Entry 1 of the table: the frame, and the second interrupt that it has.
          const entry = BAR + (1 << 16) + 0x6000 + 16;
          yield* store(entry, 4, QEMU_V2M.base + Gicv2mRegister.SETSPI_NS);
          yield* store(entry + 4, 4, 0);
          yield* store(entry + 8, 4, 32 + spi + 1);
          yield* store(entry + 12, 4, 0);
          yield* store(config(1, 0x98 + 2), 2, 0x8000);
          yield* drive(stack, seen, {
            queue: QUEUE,
            vector: 1,
            place: { config: config(1, 0), bar: BAR + (1 << 16), intid: 32 + spi + 1 },
          });
        },
        { hypervisor },
        device,
      );
      assert.deepEqual(log, DONE);
      assert.deepEqual(seen.buffer, new Uint8Array(BYTES).fill(FILL));
      // The message replaces INTx and the ISR status.
      assert.deepEqual([seen.pending, seen.isr], [[false, true], [0n, 0n, 0n]]);
    });
  }
}

/** Tables of the ITS, in RAM, and a command of its. */
const ITS_TABLES = RAM + 0x20_0000;
const ITS_VALID = 1n << 63n;

/** A store of 64 bits. */
function* wide(address: number, value: bigint): Guest {
  yield { do: "store", address, size: 8, value };
}

/** Puts a double word into RAM: a script's stores all leave to EL2. */
function* poke(stack: Stack, address: number, value: bigint): Guest {
  const { addressSpace } = [...stack.hypervisor.scheduler.vcpus].find((vcpu) => vcpu.addressSpace?.vmid === FIRST_VMID)!;
  // Pages that the guest has not touched may not exist yet.
  if (!addressSpace!.stage2.lookup(address - address % 0x1000)) yield* load(address, 8);
  const bytes = new DataView(new ArrayBuffer(8));
  bytes.setBigUint64(0, value, true);
  stack.machine.ram.write(addressSpace!.stage2.lookup(address - address % 0x1000)!.pa + address % 0x1000, new Uint8Array(bytes.buffer));
}

/** Enables the LPIs of vCPU 0 and the ITS, and maps events 0 to 3 of a device from LPI 8192 on. */
function* itsOn(stack: Stack, device: number): Guest {
  const [queue, devices, collections, properties, itt, pendings] = [0, 1, 2, 3, 4, 16].map((page) => ITS_TABLES + page * 0x1000);
  for (let page = 0; page < 32; page++) yield* poke(stack, ITS_TABLES + page * 0x1000, 0n);
  yield* poke(stack, properties, 0xa1a1_a1a1_a1a1_a1a1n);
  const gicr = qemuGicr(1).base;
  yield* wide(gicr + Gicr.PROPBASER, BigInt(properties) | 13n);
  yield* wide(gicr + Gicr.PENDBASER, BigInt(pendings) | 1n << 62n);
  yield* store(gicr + Gicr.CTLR, 4, 1);
  yield* wide(QEMU_ITS.base + Gits.BASER, ITS_VALID | BigInt(devices));
  yield* wide(QEMU_ITS.base + Gits.BASER + 8, ITS_VALID | BigInt(collections));
  yield* wide(QEMU_ITS.base + Gits.CBASER, ITS_VALID | BigInt(queue));
  yield* store(QEMU_ITS.base + Gits.CTLR, 4, 1);
  const commands = [
    words("MAPC", { collection: 0, cpu: 0 }),
    words("MAPD", { device, bits: 2, itt }),
    ...[0, 1, 2, 3].map((event) => words("MAPTI", { device, event, intid: 8192 + event })),
  ];
  for (const [at, word] of commands.flat().entries()) yield* poke(stack, queue + 8 * at, word);
  yield* store(QEMU_ITS.base + Gits.CWRITER, 4, commands.length * 32);
}

for (const device of BOOTS) {
  Deno.test(`a device of a VM on ${device} sends a message to the VM's ITS, which makes an LPI pending`, () => {
    const seen: Seen = {};
    const registers: bigint[] = [];
    const { log, stack } = run(
      function* (stack) {
        yield* itsOn(stack, 1 << 3);
        registers.push(yield* load(QEMU_ITS.base + Gits.CREADR, 4), yield* load(QEMU_V2M.base + Gicv2mRegister.TYPER, 4));
        yield* placeBar(1);
        yield* store(config(1, 4), 2, 6);
        const entry = BAR + (1 << 16) + 0x6000 + 16;
        yield* store(entry, 4, QEMU_ITS.translater);
        yield* store(entry + 8, 4, 3);
        yield* store(entry + 12, 4, 0);
        yield* store(config(1, 0x98 + 2), 2, 0x8000);
        yield* drive(stack, seen, { queue: QUEUE, vector: 1, place: { config: config(1, 0), bar: BAR + (1 << 16), intid: 8195 } });
      },
      { msi: "its" },
      device,
    );
    assert.deepEqual(log.filter((line) => !line.includes("0x8020008")), DONE);
    assert.deepEqual(seen.buffer, new Uint8Array(BYTES).fill(FILL));
    assert.deepEqual([seen.pending, seen.isr], [[false, true], [0n, 0n, 0n]]);
    assert.deepEqual(registers, [6n * 32n, 0n], "there is no frame of GICv2m");
    checkInvariants(stack.hypervisor);
  });
}

Deno.test("a message of a device that the ITS does not know is lost, and the VM continues", () => {
  const seen: Seen = {};
  const errors: unknown[] = [];
  const { log } = run(
    function* (stack) {
      stack.hypervisor.trace.listen(["virq"], (event) => {
        if (event.name === "ITS message") errors.push(event.fields.error);
      });
      yield* itsOn(stack, 2 << 3);
      yield* placeBar(1);
      yield* store(config(1, 4), 2, 6);
      const entry = BAR + (1 << 16) + 0x6000 + 16;
      yield* store(entry, 4, QEMU_ITS.translater);
      yield* store(entry + 12, 4, 0);
      yield* store(config(1, 0x98 + 2), 2, 0x8000);
      yield* drive(stack, seen, { queue: QUEUE, vector: 1, place: { config: config(1, 0), bar: BAR + (1 << 16), intid: 8192 } });
    },
    { msi: "its" },
  );
  assert.deepEqual([log, seen.pending, errors], [DONE, [false, false], ["the device is not mapped"]]);
});

Deno.test("without messages a function raises the line of its pin, which devices share", () => {
  const seen: Seen = {};
  // Function 5 has the pin of function 1.
  assert.equal(qemuPciSpi(4), qemuPciSpi(0));
  const { log } = run(function* (stack) {
    yield* placeBar(5);
    yield* drive(stack, seen, { queue: QUEUE, place: { config: config(5, 0), bar: BAR + (5 << 16), intid: 32 + qemuPciSpi(0) } });
  });
  assert.deepEqual(log, DONE);
  assert.deepEqual([seen.pending, seen.isr], [[false, true], [8n, 1n, 0n]]);
});

Deno.test("a masked vector waits for its mask, and its bit shows that", () => {
  const seen: Seen = {};
  const values: (bigint | boolean)[] = [];
  run(function* (stack) {
    const bar = BAR + (1 << 16), entry = bar + 0x6000 + 16;
    yield* placeBar(1);
    yield* store(config(1, 4), 2, 6);
    yield* store(entry, 4, QEMU_V2M.base + Gicv2mRegister.SETSPI_NS);
    yield* store(entry + 8, 4, 32 + 48);
    yield* store(config(1, 0x98 + 2), 2, 0x8000);
    const driven = drive(stack, seen, { queue: QUEUE, vector: 1, place: { config: config(1, 0), bar, intid: 32 + 48 } });
    // All that the driver does but its last step, the end of the VM.
    let step = driven.next();
    while (!step.done && step.value.do !== "hvc") step = driven.next(yield step.value);
    values.push(pending(stack, 32 + 48), yield* load(bar + 0x7000, 4));
    yield* store(entry + 12, 4, 0);
    yield { do: "work", count: 100_000 };
    values.push(pending(stack, 32 + 48), yield* load(bar + 0x7000, 4));
    yield* off();
  });
  assert.deepEqual(values, [false, 2n, true, 0n]);
});

Deno.test("slots of virtio-mmio are there and empty, the clock counts, and fw_cfg has its signature", () => {
  const slots: bigint[][] = [], others: bigint[] = [];
  const { log } = run(
    function* () {
      for (let slot = 0; slot < QEMU_SLOTS.count; slot++) {
        const base = QEMU_SLOTS.base + slot * QEMU_SLOTS.stride;
        slots.push([yield* load(base, 4), yield* load(base + 4, 4), yield* load(base + 8, 4)]);
      }
      others.push(yield* load(QEMU_RTC.base, 4), yield* load(QEMU_RTC.base + 0xfe0, 4));
      yield* store(QEMU_FW_CFG.base + 8, 2, 0);
      others.push(yield* load(QEMU_FW_CFG.base, 4));
      yield* store(QEMU_RTC.base + 4, 4, 2);
      yield* store(QEMU_RTC.base + 0x10, 4, 1);
      yield { do: "work", count: 3_000_000_000 };
      others.push(yield* load(QEMU_RTC.base, 4), yield* load(QEMU_RTC.base + 0x18, 4));
      others.push(yield* load(QEMU_V2M.base + Gicv2mRegister.TYPER, 4));
      yield* off();
    },
    {},
    "v14",
    10e9,
  );
  assert.deepEqual(slots, Array.from({ length: 32 }, () => [0x7472_6976n, 2n, 0n]));
  assert.deepEqual(others, [0n, 0x31n, 0x554d_4551n, 3n, 1n, BigInt((32 + 48) << 16 | 32)]);
  assert.deepEqual(log, DONE);
});

/** The place of the devicetree in a VM, of which drivers with page faults lend the pages. */
const TREE = RAM + boardOf(plan()).layout(plan()).devicetree;
const TREE_LENT = new RegExp(`0x${TREE.toString(16)}\\.\\.0x[0-9a-f]+ is the place of the devicetree`);

for (
  const [device, address, lent] of [
    ["v14", QUEUE, undefined],
    ["v14", TREE, undefined],
    ["union", QUEUE, undefined],
    ["union", TREE, TREE_LENT],
    ["ack-6.6", QUEUE, /shares no memory that guests execute/],
    ["ack-6.12", QUEUE, /shares no memory that guests execute/],
  ] as const
) {
  const at = address === TREE ? "the devicetree's place" : "other memory";
  Deno.test(`a transfer of fw_cfg in ${at} of a VM on ${device} ${lent ? "ends it, as that is lent" : "reaches it"}`, () => {
    const { log } = run(
      function* (stack) {
        const { addressSpace } = [...stack.hypervisor.scheduler.vcpus].find((vcpu) => vcpu.addressSpace?.vmid === FIRST_VMID)!;
        if (!addressSpace!.stage2.lookup(address)) yield* load(address, 8);
        // The address of a descriptor, big-endian, which orders nothing.
        yield* store(QEMU_FW_CFG.base + 0x10, 4, 0);
        yield* store(QEMU_FW_CFG.base + 0x14, 4, new DataView(Uint32Array.of(address).buffer).getUint32(0, false));
        yield* off();
      },
      { devices: [] },
      device,
    );
    const failed = log.find((line) => line.includes(`fw_cfg: host access to lent memory region at 0x${address.toString(16)}`));
    assert.deepEqual([failed !== undefined, log.includes("a exited system-off")], [lent !== undefined, lent === undefined], log.join("\n"));
    if (lent) assert.match(failed ?? "", lent);
  });
}

Deno.test("a queue in pages of the devicetree, which the driver lends, ends the VM with that reason", () => {
  const { log } = run(
    function* (stack) {
      yield* placeBar(1);
      yield* drive(stack, {}, { queue: TREE, place: { config: config(1, 0), bar: BAR + (1 << 16), intid: 32 + qemuPciSpi(1) } });
    },
    {},
    "union",
  );
  const failed = log.find((line) => /host access to lent memory region: virtio-rng in slot 0: .*; queue 0 is in page 0x/.test(line));
  assert.match(failed ?? log.join("\n"), TREE_LENT);
});

Deno.test("a transfer of fw_cfg to an address that is not memory, or no longer is, changes nothing in the VM", () => {
  for (const address of [RAM - 16, RAM + MEMORY - 8, 0xffff_fff0]) {
    const { log } = run(
      function* () {
        yield* store(QEMU_FW_CFG.base + 0x10, 4, 0);
        yield* store(QEMU_FW_CFG.base + 0x14, 4, new DataView(Uint32Array.of(address).buffer).getUint32(0, false));
        yield* off();
      },
      { devices: [] },
      "ack-6.6",
    );
    assert.deepEqual(log, DONE, address.toString(16));
  }
});

Deno.test("the VMM makes the calls of QEMU's port: vCPUs, 40 bells and those of messages, devicetree, entry", () => {
  const { names } = run(() => off(), { vcpus: 1 }, "union");
  const calls = names.slice(0, names.findIndex((name) => name.endsWith("_START")) + 1);
  assert.deepEqual(calls, [
    ...["GH_CREATE_VM", "GH_VM_SET_USER_MEM_REGION"],
    ...Array.from({ length: 1 + 8 + 32 + 32 }, () => "GH_VM_ADD_FUNCTION"),
    ...["GH_VM_SET_DTB_CONFIG", "GUNYAH_VM_SET_BOOT_CONTEXT", "GUNYAH_VM_SET_BOOT_CONTEXT", "GH_VM_START"],
  ]);
});

Deno.test("a VM of QEMU's platform continues where it was after its host was saved and restored", () => {
  const driver = { device: "v14", memlock: Number.MAX_SAFE_INTEGER, gzvm: false } as const;
  const host = { memory: HOST_MEMORY, vcpus: 1, vms: [plan({ devices: [{ kind: "rng" }] })], driver };
  const device = () => new RngDevice({ fill: () => {}, save: () => null, restore() {} });
  const make = () => nativeHost({ plan: host, events: () => {}, input: new ConsoleInput(() => {}), device })();
  const platform = new FakePlatform(HOST_MEMORY + 32 * MIB, 1);
  const write = (to: ReturnType<typeof make>, address: number, size: number, value: number) =>
    platform.returnRun(to, 0, VcpuRunState.AddrspaceVmmioWrite, BigInt(address), BigInt(size), BigInt(value));
  const first = make();
  platform.boot(first);
  // The clock's match, the selector of fw_cfg, a BAR with its command register, messages, a vector.
  const stores = [
    ...[[QEMU_RTC.base + 4, 4, 77], [QEMU_FW_CFG.base + 8, 2, 0x1900], [config(1, 0x10), 4, BAR + 0x1_0000], [config(1, 4), 2, 6]],
    ...[[BAR + 0x1_6008, 4, 0x55], [config(1, 0x9a), 2, 0x8000], [BAR + 0x1_0010, 2, 1]],
  ];
  for (const [address, size, value] of stores) write(first, address, size, value);
  const saved = structuredClone(first.save());
  const second = make();
  second.restore(saved);
  assert.deepEqual(second.save(), saved);
  const text = JSON.stringify(saved, (_, value) => typeof value === "bigint" ? String(value) : value);
  for (
    const kept of [
      '"match":77',
      '"key":25',
      '"command":6',
      `"bar":${BAR + 0x1_0000}`,
      "[0,0,0,32768,0,0,0,85,1,0,0,0,1]",
      '"vectors":[1,65535]',
    ]
  ) {
    assert.ok(text.includes(kept), kept);
  }
});

/** All nodes by path. */
function nodesOf(node: DevicetreeNode, path = ""): [string, DevicetreeNode][] {
  return [[path || "/", node], ...node.children.flatMap((child) => nodesOf(child, `${path}/${child.name}`))];
}

/** Nodes that QEMU has no counterpart of, or whose content is of a run. */
const OURS = /^\/(gunyah-vm-config|memory|chosen)/;
/** Properties that hold a phandle, or what the machine's CPU is. */
const OTHER: readonly string[] = ["phandle", "interrupt-parent", "clocks", "cpu", "interrupt-map", "msi-map", "compatible of a cpu"];

Deno.test("each node of the devicetree that QEMU's virt has too has the same properties and values there", async () => {
  const folder = await Deno.makeTempDir({ prefix: "el2-qemu-dtb-" });
  try {
    const options = ["-cpu", "cortex-a57", "-m", "512", "-smp", "2", "-nographic", "-nic", "none"];
    const { code, stderr } = await runNative("qemu-system-aarch64", [
      ...["-machine", `virt,gic-version=3,highmem=off,dumpdtb=${folder}/virt.dtb`],
      ...options,
    ]);
    assert.equal(code, 0, stderr);
    const theirs = readDevicetree(await Deno.readFile(`${folder}/virt.dtb`));
    const vm = plan({ vcpus: 2, memory: 512 * MIB, msi: "its" });
    const ours = readDevicetree(writeDevicetree(qemuDevicetree(vm, boardOf(vm).layout(vm))));
    assert.ok(theirs.ok && ours.ok);
    const known = new Map(nodesOf(theirs.tree.root));
    const compared: string[] = [], differ: string[] = [];
    for (const [path, { properties }] of nodesOf(ours.tree.root)) {
      if (OURS.test(path)) continue;
      const other = known.get(path);
      if (other === undefined) {
        differ.push(path);
        continue;
      }
      compared.push(path);
      for (const [name, value] of properties) {
        if (OTHER.includes(name)) continue;
        const same = other.properties.get(name);
        if (same === undefined || same.length !== value.length || same.some((byte, at) => byte !== value[at])) {
          differ.push(`${path} ${name}`);
        }
      }
    }
    assert.deepEqual(differ, [
      // The port's GIC has frames for its vCPUs alone, and the CPU is Gunyah's.
      ...["/intc@8000000 reg", "/cpus/cpu@0 compatible", "/cpus/cpu@1 compatible"],
    ]);
    assert.ok(compared.length > 45, String(compared.length));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

/** Devices of QEMU, each with the device here that has its id. */
const DEVICES = [
  ["virtio-net-pci,netdev=n,romfile=", { kind: "net", id: 1 }],
  ["virtio-blk-pci,drive=d", { kind: "block", id: 2 }],
  ["virtio-rng-pci", { kind: "rng", id: 4 }],
  ["virtio-serial-pci", { kind: "console", id: 3 }],
  ["virtio-balloon-pci", { kind: "balloon", id: 5 }],
  ["virtio-tablet-pci", { kind: "input", id: 18 }],
] as const;
const CLASS_NAMES: Readonly<Record<string, number>> = { "Ethernet controller": 0x0200, "SCSI controller": 0x0100, "Host bridge": 0x0600 };

Deno.test("functions have the ids, classes and subsystems that QEMU's own devices have", async () => {
  const devices = DEVICES.flatMap(([name]) => ["-device", `${name},disable-legacy=on`]);
  const { stdout } = await runNative("qemu-system-aarch64", [
    ...["-machine", "virt,gic-version=3,highmem=off", "-cpu", "cortex-a57", "-m", "256", "-S", "-display", "none", "-serial", "none"],
    ...["-monitor", "stdio", "-nic", "none", "-netdev", "hubport,hubid=0,id=n", "-drive", "if=none,id=d,file=null-co://,format=raw"],
    ...devices,
  ], new TextEncoder().encode("info pci\nquit\n"));
  const text = stdout;
  const theirs = [
    ...text.matchAll(
      /^ {4}(?:Class (\d+)|([^:\n]+)): PCI device ([0-9a-f]{4}):([0-9a-f]{4})\r?\n {6}PCI subsystem ([0-9a-f]{4}):([0-9a-f]{4})/gm,
    ),
  ]
    .map(([, number, name, ...ids]) => [number === undefined ? CLASS_NAMES[name] : Number(number), ...ids.map((id) => parseInt(id, 16))]);
  assert.equal(theirs.length, 1 + DEVICES.length, text);
  const ours: number[][] = [];
  const vm = plan({ devices: DEVICES.map(([, { kind }]) => ({ kind })) as unknown as VmPlan["devices"] });
  const stack: Stack = new Stack({ memory: HOST_MEMORY, vcpus: 1, vms: [vm] }, {
    ...{ cpus: 1, device: "v14", memory: 128 * MIB },
    devices: (made) => {
      const device = new RngDevice({ fill: () => {}, save: () => null, restore() {} });
      const { id } = DEVICES.find(([, { kind }]) => kind === made.kind)![1];
      return Object.assign(device, { id });
    },
    scripts: {
      [RAM]: function* () {
        for (let slot = 0; slot <= DEVICES.length; slot++) {
          const found: number[] = [];
          for (const register of [0x0a, 0x00, 0x02, 0x2c, 0x2e]) found.push(Number(yield* load(config(slot, register), 2)));
          ours.push(found);
        }
        yield* off();
      },
    },
  });
  stack.run(1e9);
  assert.deepEqual(ours, theirs);
});
