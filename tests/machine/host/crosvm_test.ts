// A VM on crosvm's platform, on the whole stack: every register of docs/spec/phones.md §C2 by exits
// to the VMM, virtio over PCI with its interrupts, and the calls of crosvm in their order. The VM's
// vCPU executes a script.

import assert from "node:assert/strict";
import { VcpuRunState } from "../../../src/machine/abi/words.ts";
import type { PersonaName } from "../../../src/machine/abi/ioctl/personas.ts";
import { CROSVM_BATTERY, CROSVM_CAM, CROSVM_RTC, CROSVM_STALL, crosvmBar } from "../../../src/machine/host/boards/crosvm/map.ts";
import type { DriverQuirks, VmPlan } from "../../../src/machine/host/data/plan.ts";
import { CommonConfig as C } from "../../../src/machine/devices/virtio-pci-registers.ts";
import { RngDevice } from "../../../src/machine/virtio/rng/rng.ts";
import { ConsoleInput } from "../../../src/machine/host/data/console-input.ts";
import type { HostEvent } from "../../../src/machine/host/data/events.ts";
import { nativeHost } from "../../../src/machine/host/native-host.ts";
import { FakePlatform } from "./fake-platform.ts";
import { HOST_MEMORY, MIB, vmPlan } from "./plans.ts";
import {
  BASE,
  BYTES,
  CONFIG,
  DONE,
  drive,
  FILL,
  FIRST_VMID,
  type Guest,
  load,
  off,
  pending,
  QUEUE,
  type Seen,
  store,
} from "./crosvm-guest.ts";
import { Stack } from "./stack.ts";

/** The first frame of the virtual cpufreq device (docs/spec/phones.md §C1). */
const CPUFREQ = 0x0104_0000;

/** Runs a VM of crosvm's platform with this guest; an entropy device is its function 00:01.0. */
function run(guest: (stack: Stack) => Guest, changes: Partial<VmPlan> = {}, device: PersonaName = "v14", until = 1e9): Stack {
  const plan = vmPlan("a", { platform: "crosvm", memory: 8 * MIB, devices: [{ kind: "rng" }], ...changes });
  const stack: Stack = new Stack({ memory: HOST_MEMORY, vcpus: plan.vcpus, vms: [plan] }, {
    ...{ cpus: plan.vcpus, device },
    devices: () => new RngDevice({ fill: (into) => void into.fill(FILL), save: () => null, restore() {} }),
    scripts: { [BASE]: () => guest(stack) },
  });
  stack.run(until);
  return stack;
}

Deno.test("each serial port of crosvm's platform has the registers of a 16550A, and the first is the console", () => {
  const seen: Record<string, number[]> = {};
  const stack = run(function* () {
    for (const base of [0x3f8, 0x2f8, 0x3e8, 0x2e8]) {
      const values: number[] = [];
      const read = function* (offset: number): Guest {
        values.push(Number(yield* load(base + offset, 1)));
      };
      for (const offset of [1, 2, 3, 4, 5, 6, 7]) yield* read(offset);
      yield* store(base + 7, 1, 0xa5);
      yield* read(7);
      // The divisor latch.
      yield* store(base + 3, 1, 0x83);
      yield* read(0);
      yield* read(1);
      yield* store(base + 3, 1, 3);
      // Loopback: what is sent comes back, and the outputs are the inputs.
      yield* store(base + 4, 1, 0x1a);
      yield* read(6);
      yield* store(base, 1, 0x41);
      yield* read(5);
      yield* read(0);
      yield* read(5);
      yield* store(base + 4, 1, 8);
      // The transmitter is empty at once; reading the cause ends it.
      yield* store(base + 1, 1, 2);
      yield* read(2);
      yield* read(2);
      yield* store(base + 1, 1, 0);
      yield* store(base, 1, 0x68);
      seen[base] = values;
    }
    yield* off();
  });
  const expected = [0, 0xc1, 3, 8, 0x60, 0xb0, 0, 0xa5, 12, 0, 0x90, 0x61, 0x41, 0x60, 0xc2, 0xc1];
  for (const values of Object.values(seen)) assert.deepEqual(values, expected);
  assert.equal(Object.keys(seen).length, 4);
  assert.equal(stack.console("a"), "h");
  assert.deepEqual(stack.log(), DONE);
});

Deno.test("a serial port of crosvm's platform raises an edge for what it receives", () => {
  const causes: number[] = [], typed: number[] = [];
  let before = true, after = false;
  const plan = vmPlan("a", { platform: "crosvm", memory: 8 * MIB });
  const stack: Stack = new Stack({ memory: HOST_MEMORY, vcpus: 1, vms: [plan] }, {
    ...{ cpus: 1, device: "v14" },
    scripts: {
      [BASE]: function* () {
        before = pending(stack, 32);
        yield* store(0x3f9, 1, 1);
        while (!pending(stack, 32)) yield { do: "work", count: 10_000 };
        after = true;
        causes.push(Number(yield* load(0x3fa, 1)));
        while (Number(yield* load(0x3fd, 1)) & 1) typed.push(Number(yield* load(0x3f8, 1)));
        causes.push(Number(yield* load(0x3fa, 1)));
        yield* off();
      },
    },
  });
  stack.run(2e7);
  stack.input.push("a", new TextEncoder().encode("ok"));
  stack.run(1e9);
  assert.deepEqual([before, after, causes, typed], [false, true, [0xc4, 0xc1], [0x6f, 0x6b]]);
  assert.deepEqual(stack.log(), DONE);
});

Deno.test("the PL030 of crosvm's platform counts seconds that nobody sets, and says what it is", () => {
  const values: bigint[] = [];
  const stack = run(
    function* () {
      for (const offset of [0, 4, 8, 0xc, 0x10, 0xfd8, 0xfe0]) values.push(yield* load(CROSVM_RTC.base + offset, 4));
      yield* store(CROSVM_RTC.base + 0xc, 4, 1000);
      yield { do: "work", count: 3_000_000_000 };
      values.push(yield* load(CROSVM_RTC.base, 4));
      // There are no registers at other offsets.
      yield* load(CROSVM_RTC.base + 0x14, 4);
      yield* off();
    },
    {},
    "v14",
    10e9,
  );
  assert.deepEqual(values.slice(0, 7), [0n, 0n, 0n, 0n, 0n, 0xf_ffffn, 0x4_1030n]);
  assert.equal(values[7], 3n);
  assert.deepEqual(stack.log().filter((line) => line.startsWith("error")), ["error a: load of 4 bytes at 0x2014, an unmapped address"]);
});

Deno.test("the battery of crosvm's platform has its registers", () => {
  const values: bigint[] = [];
  run(function* () {
    yield* store(CROSVM_BATTERY.base + 4, 4, 3);
    for (let offset = 0; offset <= 0x40; offset += 4) if (offset !== 0x3c) values.push(yield* load(CROSVM_BATTERY.base + offset, 4));
    yield* off();
  });
  assert.deepEqual(values.map(Number), [0, 3, 1, 0, 0, 1, 50, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
});

Deno.test("a vCPU that does not restart its stall detector is interrupted, and then its VM is reset", () => {
  const at = (register: number) => CROSVM_STALL.base + register;
  const values: bigint[] = [];
  let first = false;
  const stack = run(
    function* (stack) {
      for (const register of [0, 4, 8, 0xc]) values.push(yield* load(at(register), 4));
      // A tenth of a second.
      yield* store(at(0xc), 4, 10);
      yield* store(at(4), 4, 1);
      yield* store(at(0), 4, 1);
      for (const register of [0, 4, 8, 0xc]) values.push(yield* load(at(register), 4));
      for (let pets = 0; pets < 5; pets++) {
        yield { do: "work", count: 80_000_000 };
        yield* store(at(4), 4, 1);
      }
      assert.equal(pending(stack, 32 + CROSVM_STALL.interrupt), false);
      yield { do: "work", count: 150_000_000 };
      first = pending(stack, 32 + CROSVM_STALL.interrupt);
      for (;;) yield { do: "work", count: 1_000_000 };
    },
    {},
    "v14",
    10e9,
  );
  assert.deepEqual(values.map(Number), Array(8).fill(0));
  assert.equal(first, true);
  assert.ok(stack.log().includes("error a: vCPU 0 ran twice its time without restarting its stall detector"), stack.log().join("\n"));
  assert.equal(stack.log().at(-1), "finished a");
});

Deno.test("a vCPU that sleeps does not stall: only its own run time counts", () => {
  const stack = run(
    function* () {
      yield* store(CROSVM_STALL.base + 0xc, 4, 10);
      yield* store(CROSVM_STALL.base + 4, 4, 1);
      yield* store(CROSVM_STALL.base, 4, 1);
      yield { do: "wfi" };
    },
    {},
    "v14",
    3e9,
  );
  assert.deepEqual(stack.log(), DONE.slice(0, 3));
});

Deno.test("the virtual cpufreq device of crosvm's platform offers each vCPU its frequencies, and takes requests", () => {
  const frame = (vcpu: number, register: number) => CPUFREQ + vcpu * 0x1000 + register;
  const values: Record<string, bigint[]> = { reset: [], table: [], set: [], other: [] };
  const stack = run(
    function* () {
      const read = function* (into: bigint[], vcpu: number, register: number, size = 4): Guest {
        into.push(yield* load(frame(vcpu, register), size));
      };
      for (const register of [0, 4, 8, 0xc, 0x10, 0x14, 0x18]) yield* read(values.reset, 0, register);
      for (const entry of [0, 1, 2, 3]) {
        yield* store(frame(0, 0xc), 4, entry);
        yield* read(values.table, 0, 0x10);
      }
      for (const kHz of [900_000, 2_000_000, 0]) {
        yield* store(frame(0, 4), 4, kHz);
        yield* read(values.set, 0, 0);
      }
      // The other vCPU has its own frame. Other registers, and other sizes, do nothing.
      yield* store(frame(1, 4), 4, 600_000);
      yield* store(frame(1, 4), 2, 7);
      yield* store(frame(1, 8), 4, 7);
      for (const register of [0, 8, 0x10, 0x14]) yield* read(values.other, 1, register);
      yield* read(values.other, 1, 0, 2);
      // There are two vCPUs, and two frames.
      yield* read(values.other, 2, 8);
      yield* off();
    },
    { vcpus: 2, cpuFrequencies: [600_000, 900_000, 1_800_000] },
  );
  assert.deepEqual(values, {
    reset: [1_800_000n, 0n, 3n, 0n, 600_000n, 0n, 0n],
    table: [600_000n, 900_000n, 1_800_000n, 0n],
    set: [900_000n, 1_800_000n, 1_800_000n],
    other: [600_000n, 3n, 600_000n, 1n, 0n, 0n],
  });
  assert.deepEqual(stack.log().filter((line) => line.startsWith("error")), [
    "error a: load of 4 bytes at 0x1042008, an unmapped address",
  ]);
});

Deno.test("a VM of crosvm's platform without frequencies has no virtual cpufreq device", () => {
  const stack = run(function* () {
    yield* load(CPUFREQ + 8, 4);
    yield* off();
  });
  assert.ok(stack.log().includes("error a: load of 4 bytes at 0x1040008, an unmapped address"), stack.log().join("\n"));
});

Deno.test("the PCI host of crosvm's platform shows its bridge, a virtio device and pvpanic, and nothing else", () => {
  const words: Record<string, bigint[]> = {};
  run(function* () {
    for (const slot of [0, 1, 2, 3]) {
      words[slot] = [];
      for (const register of [0, 8, 0x10, 0x14, 0x2c, 0x3c]) words[slot].push(yield* load(CONFIG(slot, register), 4));
    }
    words.bytes = [yield* load(CONFIG(1, 2), 2), yield* load(CONFIG(1, 3), 1), yield* load(CONFIG(0, 0) + 0x100, 4)];
    // Sizing of a BAR.
    yield* store(CONFIG(1, 0x10), 4, 0xffff_ffff);
    yield* store(CONFIG(1, 0x14), 4, 0xffff_ffff);
    yield* store(CONFIG(2, 0x10), 4, 0xffff_ffff);
    words.sizes = [yield* load(CONFIG(1, 0x10), 4), yield* load(CONFIG(1, 0x14), 4), yield* load(CONFIG(2, 0x10), 4)];
    // Other buses, and what has no function, are all ones.
    words.none = [yield* load(CROSVM_CAM.base + 0x1_0000, 4), yield* load(CONFIG(31, 0), 2)];
    yield* off();
  });
  const bar = BigInt(crosvmBar(0));
  assert.deepEqual(words[0], [0x1237_8086n, 0x0600_0000n, 0n, 0n, 0n, 0n]);
  assert.deepEqual(words[1], [0x1044_1af4n, 0x0880_0001n, bar | 4n, 0n, 0x1044_1af4n, 0x0104n]);
  assert.deepEqual(words[2], [0x0011_1b36n, 0xffff_0001n, BigInt(crosvmBar(1)), 0n, 0x00ff_00ffn, 0n]);
  assert.deepEqual(words[3], Array(6).fill(0xffff_ffffn));
  assert.deepEqual(words.bytes, [0x1044n, 0x10n, 0xffff_ffffn]);
  assert.deepEqual(words.sizes, [0xffff_8004n, 0xffff_ffffn, 0xffff_fff0n]);
  assert.deepEqual(words.none, [0xffff_ffffn, 0xffffn]);
});

Deno.test("the capabilities of a virtio function lead to its structures", () => {
  const found: Record<number, number[]> = {};
  run(function* () {
    assert.equal(Number(yield* load(CONFIG(1, 6), 2)) & 0x10, 0x10);
    for (let at = Number(yield* load(CONFIG(1, 0x34), 1)); at !== 0; at = Number(yield* load(CONFIG(1, at + 1), 1))) {
      assert.equal(Number(yield* load(CONFIG(1, at), 1)), 9);
      const type = Number(yield* load(CONFIG(1, at + 3), 1));
      found[type] = [Number(yield* load(CONFIG(1, at + 4), 1))];
      for (const word of [8, 12]) found[type].push(Number(yield* load(CONFIG(1, at + word), 4)));
      if (type === 2) found[type].push(Number(yield* load(CONFIG(1, at + 16), 4)));
    }
    yield* off();
  });
  assert.deepEqual(found, {
    1: [0, 0, 56],
    2: [0, 0x3000, 0x1000, 4],
    3: [0, 0x1000, 1],
    4: [0, 0x2000, 0x1000],
    5: [0, 0, 0],
  });
});

Deno.test("configuration space reaches BAR 0 before it answers memory accesses", () => {
  const queues: bigint[] = [];
  run(function* () {
    queues.push(yield* load(crosvmBar(0) + C.num_queues, 2));
    yield* store(CONFIG(1, 0x44), 1, 0);
    yield* store(CONFIG(1, 0x48), 4, C.num_queues);
    yield* store(CONFIG(1, 0x4c), 4, 2);
    queues.push(yield* load(CONFIG(1, 0x50), 2));
    yield* off();
  });
  assert.deepEqual(queues, [0n, 1n]);
});

Deno.test("pvpanic lists its events, takes the news of a crash kernel, and reports a panic, after which the guest continues", () => {
  const values: bigint[] = [];
  const stack = run(function* () {
    const panic = crosvmBar(1);
    yield* store(CONFIG(2, 4), 2, 2);
    values.push(yield* load(panic, 1));
    yield* store(panic, 1, 2);
    values.push(yield* load(panic, 1));
    // Its register has one byte.
    yield* store(panic, 4, 1);
    values.push(yield* load(panic, 4));
    yield* store(panic, 1, 1);
    yield* off();
  });
  assert.deepEqual(values, [3n, 3n, 0n]);
  const [creating, ready, running, ...rest] = DONE;
  assert.deepEqual(stack.log(), [creating, ready, running, "error a: pvpanic reports that the guest's kernel has panicked", ...rest]);
});

for (const [device, hypervisor] of [["v14", "gunyah"], ["union", "gunyah"], ["v14", "geniezone"]] as const) {
  Deno.test(`a virtio device over PCI of a VM of ${hypervisor} on ${device} fills the guest's buffer and raises INTA`, () => {
    const seen: Seen = {};
    const stack = run((stack) => drive(stack, seen), { hypervisor }, device);
    assert.deepEqual(stack.log(), DONE);
    assert.deepEqual(seen.buffer, new Uint8Array(BYTES).fill(FILL));
    assert.deepEqual([seen.pending, seen.isr], [[false, true], [8n, 1n, 0n]]);
    assert.deepEqual(seen.fields, [
      ...[256n, 1n, 1n, BigInt(QUEUE), BigInt(QUEUE + 0x2000)],
      ...[0xffffn, 0xffffn, 1n, 0n, 1n],
      ...[15n, 0n],
    ]);
  });
}

Deno.test("a virtio device over PCI whose INTx is disabled raises no line", () => {
  const seen: Seen = {};
  run((stack) => drive(stack, seen, { intx: false }));
  assert.deepEqual([seen.pending, seen.isr], [[false, false], [8n, 1n, 0n]]);
});

/** The ioctls of a VM's VMM up to START, and the log. */
function calls(device: PersonaName, changes: Partial<VmPlan> = {}, quirks: DriverQuirks = {}): { names: string[]; log: string[] } {
  const plan = vmPlan("a", { platform: "crosvm", memory: 8 * MIB, ...changes });
  const stack: Stack = new Stack({ memory: HOST_MEMORY, vcpus: 1, vms: [plan] }, {
    ...{ cpus: 1, device, quirks },
    devices: () => new RngDevice({ fill: () => {}, save: () => null, restore() {} }),
    scripts: { [BASE]: () => off() },
  });
  const names: string[] = [];
  stack.hypervisor.trace.listen(["ioctl"], (event) => {
    if ("name" in event) names.push(event.name);
  });
  stack.run(1e9);
  return { names: names.slice(0, names.findIndex((name) => name.endsWith("_START")) + 1), log: stack.log() };
}

const repeated = (name: string, count: number) => Array.from({ length: count }, () => name);
/** vCPU, five lines of the board, and line and notifier of a virtio device. */
const FUNCTIONS = repeated("GH_VM_ADD_FUNCTION", 1 + 5 + 2);

Deno.test("the VMM of crosvm's platform makes crosvm's calls in its order", () => {
  const { names, log } = calls("v14", { devices: [{ kind: "rng" }] });
  assert.deepEqual(log, DONE);
  assert.deepEqual(names, [
    ...["GH_CREATE_VM", "GH_VM_SET_USER_MEM_REGION", ...FUNCTIONS],
    ...["GH_VM_SET_DTB_CONFIG", "GUNYAH_VM_SET_BOOT_CONTEXT", "GH_VM_START"],
  ]);
});

Deno.test("where the driver has CHECK_EXTENSION, the VMM of crosvm's platform asks when it writes the devicetree", () => {
  const { names, log } = calls("ack-6.12", { devices: [{ kind: "rng" }] }, { wakesAtTimers: true });
  assert.deepEqual(log, DONE);
  assert.deepEqual(names.slice(1 + 1 + FUNCTIONS.length).map((name) => name.replace(/^(GH|GUNYAH|ANDROID|VM|_)+_/, "")), [
    ...["CHECK_EXTENSION", "SET_DTB_CONFIG", "SET_BOOT_CONTEXT", "START"],
  ]);
});

Deno.test("the VMM of crosvm's platform takes a missing boot context for an entry at offset 0, and no other refusal", () => {
  assert.deepEqual(calls("v14").log, DONE);
  const image = { bytes: Uint8Array.of(1, 2, 3, 4), offset: 0, size: 0x1000, entry: 0x40 };
  assert.equal(calls("v14", { image }).log[1], "error a: SET_BOOT_CONTEXT: ENOTTY");
  assert.equal(calls("union", {}, { bootContext: "ENODEV" }).log[1], "error a: SET_BOOT_CONTEXT: ENODEV");
});

Deno.test("a driver without regions of user memory has no VMs of crosvm's platform", () => {
  assert.equal(calls("v17").log[1], "error a: v17 has no SET_USER_MEM_REGION, by which crosvm gives memory");
});

Deno.test("a VM of crosvm's platform continues where it was after its host was saved and restored", () => {
  const events: HostEvent[] = [];
  const driver = { device: "v14", memlock: Number.MAX_SAFE_INTEGER, gzvm: false } as const;
  const devices = [{ kind: "rng" }] as const;
  const vm = vmPlan("a", { platform: "crosvm", memory: 8 * MIB, devices, cpuFrequencies: [600_000, 900_000] });
  const plan = { memory: HOST_MEMORY, vcpus: 1, vms: [vm], driver };
  const device = () => new RngDevice({ fill: () => {}, save: () => null, restore() {} });
  const make = () => nativeHost({ plan, events: (event) => void events.push(event), input: new ConsoleInput(() => {}), device })();
  const platform = new FakePlatform(HOST_MEMORY + 16 * MIB, 1);
  const write = (host: ReturnType<typeof make>, address: number, size: number, value: number) =>
    platform.returnRun(host, 0, VcpuRunState.AddrspaceVmmioWrite, BigInt(address), BigInt(size), BigInt(value));
  const first = make();
  platform.boot(first);
  // Scratch registers, battery, a timer, a frequency, command register and window, a selector.
  const stores = [
    ...[[0x3ff, 1, 0x12], [0x2ff, 1, 0x34], [CROSVM_BATTERY.base + 4, 4, 5], [CROSVM_STALL.base + 4, 4, 77], [CPUFREQ + 4, 4, 600_000]],
    ...[[CONFIG(1, 4), 2, 6], [CONFIG(1, 0x48), 4, 0x16], [crosvmBar(0) + C.driver_feature_select, 4, 1]],
  ];
  for (const [address, size, value] of stores) write(first, address, size, value);
  const second = make();
  const saved = structuredClone(first.save());
  second.restore(saved);
  assert.deepEqual(second.save(), saved);
  write(second, 0x3f8, 1, 0x62);
  assert.deepEqual(events.flatMap((event) => event.kind === "console" ? [...event.bytes] : []), [0x62]);
  const text = JSON.stringify(saved, (_, value) => typeof value === "bigint" ? String(value) : value);
  for (
    const kept of ['"load":77', '"battery":5', '"requested":600000', '"command":6', '"window":[0,22,0]', "[0,3,8,18,12]", "[0,3,8,52,12]"]
  ) {
    assert.ok(text.includes(kept), kept);
  }
});

Deno.test("a VM with a BIOS has its devicetree at the start of RAM, and begins 2 MiB later; older drivers cannot", () => {
  const image = { bytes: Uint8Array.of(1, 2, 3, 4), offset: 2 * MIB, size: 0x1000, entry: 2 * MIB };
  const plan = vmPlan("a", { platform: "crosvm", memory: 8 * MIB, image, devicetreeFirst: true });
  let magic: Uint8Array | undefined;
  const stack: Stack = new Stack({ memory: HOST_MEMORY, vcpus: 1, vms: [plan] }, {
    ...{ cpus: 1, device: "union" },
    scripts: {
      [BASE + 2 * MIB]: function* () {
        const { addressSpace } = [...stack.hypervisor.scheduler.vcpus].find((vcpu) => vcpu.addressSpace?.vmid === FIRST_VMID)!;
        magic = stack.machine.ram.bytes(addressSpace!.stage2.lookup(BASE)!.pa, 4).slice();
        yield* off();
      },
    },
  });
  stack.run(1e9);
  assert.deepEqual(stack.log(), DONE);
  assert.deepEqual(magic, Uint8Array.of(0xd0, 0x0d, 0xfe, 0xed));
  assert.equal(calls("v14", { image, devicetreeFirst: true }).log[1], "error a: SET_BOOT_CONTEXT: ENOTTY");
});
