import assert from "node:assert/strict";
import type { Core } from "../../../src/cpu/core/interface.ts";
import { JOINED_TURNS, TIME_END } from "../../../src/machine/hardware/clock.ts";
import type { El2, PhysicalCpu } from "../../../src/machine/hardware/el2.ts";
import { Machine } from "../../../src/machine/hardware/machine.ts";
import { memoryMap, MINIMUM_PRIMARY_MEMORY, RAM_BASE } from "../../../src/machine/hardware/memory-map.ts";

const QUANTUM = 1000;

/** A machine with an EL2 from the test. `written` are the ranges that the core was notified of. */
function machineWith(
  cpuCount: number,
  run: (cpu: PhysicalCpu, until: number) => void,
  runnable: (cpu: PhysicalCpu) => boolean = () => true,
) {
  const map = memoryMap(MINIMUM_PRIMARY_MEMORY);
  const memory = new WebAssembly.Memory({ initial: map.wasmSize / 65536, maximum: map.wasmSize / 65536 });
  const written: [number, number][] = [];
  const core = { memoryWritten: (pa: number, size: number) => written.push([pa, size]) } as Partial<Core> as Core;
  const machine = new Machine(memory, map, core, cpuCount, QUANTUM);
  const el2: El2 = { run: (cpu) => run(cpu, machine.turnEnd), runnable, interrupt: () => {} };
  machine.install(el2);
  return { machine, written };
}

Deno.test("CPUs run in order of index, each to the end of the same quantum", () => {
  const turns: [number, number, number][] = [];
  const { machine } = machineWith(2, (cpu, until) => {
    turns.push([cpu.index, cpu.position, until]);
    cpu.position = until;
  });
  assert.deepEqual(machine.run(Infinity, 2), { kind: "turns" });
  assert.deepEqual(turns, [[0, 0, 1000], [1, 0, 1000], [0, 1000, 2000], [1, 1000, 2000]]);
});

Deno.test("a CPU that went further than its quantum is not run until the others have caught up", () => {
  const turns: number[] = [];
  const { machine } = machineWith(2, (cpu, until) => {
    turns.push(cpu.index);
    cpu.position = cpu.index === 0 && cpu.position === 0 ? 2500 : until;
  });
  machine.run(3000);
  assert.deepEqual(turns, [0, 1, 1, 0, 1]);
  assert.equal(machine.time, 3000);
});

Deno.test("time is the highest position that any CPU has reached", () => {
  const { machine } = machineWith(2, (cpu, until) => {
    if (cpu.index === 1) assert.equal(machine.time, 1000);
    cpu.position = until;
  });
  machine.run(Infinity, 1);
});

Deno.test("a turn ends at the next event, and the event happens at its time", () => {
  const { machine } = machineWith(1, (cpu, until) => void (cpu.position = until));
  const seen: number[] = [];
  machine.events.schedule(1300, () => seen.push(machine.time));
  machine.run(5000);
  assert.deepEqual(seen, [1300]);
});

Deno.test("when all wait, run says when the next event is, and skipTo does not pass it", () => {
  const { machine } = machineWith(2, () => assert.fail("nothing is runnable"), () => false);
  assert.deepEqual(machine.run(Infinity), { kind: "idle", next: Infinity });
  machine.events.schedule(7000, () => {});
  assert.deepEqual(machine.run(Infinity), { kind: "idle", next: 7000 });
  machine.skipTo(9000);
  assert.equal(machine.time, 7000);
  assert.deepEqual(machine.cpus.map((cpu) => cpu.idle), [7000, 7000]);
});

Deno.test("a CPU that comes back early is idle for the rest of the turn", () => {
  const { machine } = machineWith(1, (cpu) => void (cpu.position += 10));
  machine.run(Infinity, 3);
  assert.equal(machine.time, 3000);
  assert.equal(machine.cpus[0].idle, 2970);
});

Deno.test("stop ends the run with the first reason given", () => {
  const { machine } = machineWith(1, () => {
    machine.stop({ kind: "system-off", vcpu: "a" });
    machine.stop({ kind: "system-reset", vcpu: "b" });
  });
  assert.deepEqual(machine.run(Infinity), { kind: "stopped", reason: { kind: "system-off", vcpu: "a" } });
});

Deno.test("virtual time has an end, at which the machine stops: neither a wait nor a run passes it", () => {
  const waiting = machineWith(1, () => assert.fail("nothing is runnable"), () => false).machine;
  waiting.events.schedule(2 ** 61, () => assert.fail("it is beyond the end"));
  assert.deepEqual(waiting.run(Infinity), { kind: "idle", next: 2 ** 61 });
  waiting.skipTo(2 ** 61);
  const stopped = { kind: "stopped", reason: { kind: "crash", message: "virtual time has reached its end, after 104 days" } };
  assert.equal(waiting.time, TIME_END);
  assert.deepEqual(waiting.run(Infinity, 3), stopped);
  const { machine } = machineWith(1, (cpu) => void (cpu.position = machine.horizon));
  machine.skipTo(TIME_END - 2.5 * QUANTUM);
  assert.deepEqual(machine.run(Infinity, 8), stopped);
  assert.equal(machine.time, TIME_END);
});

Deno.test("RAM is the primary's memory and the hypervisor's region, not the gap between them", () => {
  const { machine } = machineWith(1, () => {});
  const { ram, map } = machine;
  assert.ok(ram.contains(RAM_BASE, map.primarySize));
  assert.ok(!ram.contains(map.primaryEnd - 1, 2));
  assert.ok(!ram.contains(RAM_BASE - 1, 1));
  assert.ok(ram.contains(map.hypervisorBase, map.ramEnd - map.hypervisorBase));
  assert.ok(!ram.contains(map.ramEnd, 1));
  assert.throws(() => ram.bytes(map.primaryEnd, 1), RangeError);
});

Deno.test("the core is notified of every write to RAM", () => {
  const { machine, written } = machineWith(1, () => {});
  machine.ram.write(RAM_BASE + 5, Uint8Array.of(1, 2, 3));
  assert.deepEqual([...machine.ram.bytes(RAM_BASE + 4, 5)], [0, 1, 2, 3, 0]);
  machine.ram.zero(RAM_BASE + 6, 1);
  assert.deepEqual([...machine.ram.bytes(RAM_BASE + 5, 3)], [1, 0, 3]);
  assert.deepEqual(written, [[RAM_BASE + 5, 3], [RAM_BASE + 6, 1]]);
});

Deno.test("two devices cannot share an address; nothing answers where none is", () => {
  const { machine } = machineWith(1, () => {});
  const stores: [number, number, bigint][] = [];
  const device = { read: (offset: number) => BigInt(offset), write: (...args: [number, number, bigint]) => void stores.push(args) };
  machine.bus.attach({ name: "a", base: 0x1000, size: 0x100, device });
  assert.throws(() => machine.bus.attach({ name: "b", base: 0x10ff, size: 1, device }), /b overlaps a/);
  assert.equal(machine.bus.read(0x1004, 4), 4n);
  assert.ok(machine.bus.write(0x1008, 2, 9n));
  assert.deepEqual(stores, [[8, 2, 9n]]);
  assert.equal(machine.bus.read(0x1100, 4), undefined);
  assert.ok(!machine.bus.write(0xfff, 1, 0n));
});

Deno.test("a suspended machine continues in the middle of its turn", () => {
  const turns: [number, number, number][] = [];
  const { machine } = machineWith(2, (cpu, until) => {
    turns.push([cpu.index, cpu.position, until]);
    if (cpu.position !== 300) cpu.position = until;
    if (turns.length > 1) return;
    cpu.position = 300;
    machine.suspend();
  });
  assert.deepEqual(machine.run(Infinity, 1), { kind: "suspended" });
  assert.equal(machine.time, 300);
  assert.deepEqual(machine.run(Infinity, 1), { kind: "turns" });
  assert.deepEqual(turns, [[0, 0, 1000], [0, 300, 1000], [1, 0, 1000]]);
  assert.equal(machine.time, 1000);
});

/** Where CPU 0 may run to, from the start of a turn that has `turns` after it. */
function horizonOf(turns: number, until: number, prepare: (machine: Machine) => void = () => {}, cpuCount = 1): number {
  let horizon: number | undefined;
  const { machine } = machineWith(cpuCount, (cpu, end) => {
    if (cpu.index === 0) horizon ??= machine.horizon;
    cpu.position = end;
  });
  prepare(machine);
  machine.run(until, turns);
  assert.ok(horizon !== undefined);
  return horizon;
}

Deno.test("a CPU may run on over the turns that nothing else has a part in", () => {
  assert.equal(horizonOf(8, Infinity), 8 * QUANTUM);
  assert.equal(horizonOf(1, Infinity), QUANTUM);
  assert.equal(horizonOf(Infinity, 1e6), JOINED_TURNS * QUANTUM);
  assert.equal(horizonOf(8, 2500), 2500);
  assert.equal(horizonOf(8, Infinity, () => {}, 2), QUANTUM);
  const eventAt = (time: number) => (machine: Machine) => void machine.events.schedule(time, () => {});
  assert.equal(horizonOf(8, Infinity, eventAt(4300)), 4300);
  assert.equal(horizonOf(8, Infinity, eventAt(4300.5)), 4300.5);
  assert.equal(horizonOf(8, Infinity, eventAt(300.5)), 300.5);
  assert.equal(horizonOf(8, Infinity, (machine) => void (machine.cpus[0].position = 0.5)), QUANTUM);
  assert.equal(horizonOf(8, Infinity, (machine) => void (machine.cpus[0].position = 400)), 8 * QUANTUM);
});

Deno.test("a CPU does not run on over an event that was scheduled for the turn in progress", () => {
  const { machine } = machineWith(1, (cpu) => {
    machine.events.schedule(cpu.position + 100, () => {});
    assert.equal(machine.horizon, machine.turnEnd);
    cpu.position = machine.turnEnd;
  });
  assert.deepEqual(machine.run(Infinity, 3), { kind: "turns" });
  assert.equal(machine.time, 3 * QUANTUM);
});

Deno.test("turns that a CPU passes are over, count, and end where they would have ended", () => {
  const seen: [number, number, boolean][] = [];
  const { machine } = machineWith(1, (cpu) => {
    const look = () => void seen.push([machine.boundary, machine.turnEnd, machine.settled]);
    machine.events.schedule(3300, () => look());
    for (const time of [999, 1000, 2999, 3299]) {
      machine.pass(time);
      look();
    }
    cpu.position = machine.turnEnd;
  });
  assert.deepEqual(machine.run(Infinity, 4), { kind: "turns" });
  assert.deepEqual(seen, [[0, 1000, true], [1000, 2000, true], [2000, 3000, true], [3000, 3300, true]]);
  machine.settle();
  assert.deepEqual(seen.at(-1), [3300, 3300, false]);
});

Deno.test("of a range that is RAM in part, that part is zeroed", () => {
  const { machine, written } = machineWith(1, () => {});
  const { primaryEnd, hypervisorBase } = machine.map;
  const edges = [RAM_BASE, primaryEnd - 8, hypervisorBase];
  for (const pa of edges) machine.ram.write(pa, new Uint8Array(8).fill(1));
  written.length = 0;
  machine.ram.zero(RAM_BASE - 4, 8);
  machine.ram.zero(primaryEnd - 4, hypervisorBase - primaryEnd + 8);
  const left = edges.map((pa) => [...machine.ram.bytes(pa, 8)]);
  assert.deepEqual(left, [[0, 0, 0, 0, 1, 1, 1, 1], [1, 1, 1, 1, 0, 0, 0, 0], [0, 0, 0, 0, 1, 1, 1, 1]]);
  assert.deepEqual(written, [[RAM_BASE, 4], [primaryEnd - 4, 4], [hypervisorBase, 4]]);
});
