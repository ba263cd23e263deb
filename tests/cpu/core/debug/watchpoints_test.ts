// Watchpoints in the core: what they stop, before it happens, whichever tier runs, and that they
// change nothing else.

import assert from "node:assert/strict";
import { ExitReason } from "../../../../src/cpu/core/interface.ts";
import type { WatchKind } from "../../../../src/cpu/core/debug/watchpoints.ts";
import { type Line, Machine, RAM_BASE } from "../program.ts";

const CODE = RAM_BASE + 0x1000;
const DATA = RAM_BASE + 0x10_0000;
const EAGER = { tier: "jit", hotness: { samples: 1, landings: 2, slice: 50 } } as const;

/** Walks X20 through memory, eight bytes at a time, with a load and a store each. */
const WALK: Line[] = [
  ["ldr x1, [x20]", 0xf9400281],
  ["add x1, x1, #0x1", 0x91000421],
  ["str x1, [x20], #8", 0xf8008681],
  ["b ", 0x17fffffd],
];

for (const [tier, options] of [["interp", {}], ["jit", EAGER]] as const) {
  const machineWith = (lines: Line[]) => {
    const machine = new Machine(options);
    machine.load(CODE, lines);
    machine.vcpu.setX(20, BigInt(DATA));
    return machine;
  };

  Deno.test(`watchpoints of each kind stop before the access of their kind, in tier ${tier}`, () => {
    const watched = DATA + 0x2010;
    for (const [kind, at, index] of [["write", CODE + 8, 2], ["read", CODE, 0], ["access", CODE, 0]] as const) {
      const machine = machineWith(WALK), { core, vcpu } = machine;
      machine.run(400, CODE); // long enough to be translated
      core.stops.insertWatchpoint(vcpu.stage2, BigInt(watched + 4), 4, kind);
      const { reason, retired } = machine.run(10_000);
      assert.equal(reason, ExitReason.Watchpoint);
      assert.equal(retired + 400, 4 * 0x2010 / 8 + index, "instructions before the access");
      assert.equal(vcpu.pc, BigInt(at));
      assert.deepEqual(core.stops.hit, { kind, address: BigInt(watched + 4) });
      assert.equal(vcpu.getX(20), BigInt(watched), "the base has not moved");
      assert.equal(machine.view.getBigUint64(watched - RAM_BASE, true), 0n, "nothing is stored yet");
      // Again without a step: it stops again. A step is not stopped.
      assert.equal(machine.run(100).retired, 0);
      assert.equal(core.step(vcpu, machine.now, machine.now).retired, 1);
      core.stops.removeWatchpoint(vcpu.stage2, BigInt(watched + 4), 4, kind);
      assert.equal(machine.run(1000).reason, ExitReason.Budget);
      assert.equal(machine.view.getBigUint64(watched - RAM_BASE, true), 1n);
    }
  });

  Deno.test(`watched memory stops accesses by any address, and execution, in tier ${tier}`, () => {
    const watched = DATA + 0x2010;
    const cases = [["write", watched, CODE + 8, 2], ["read", watched, CODE, 0], ["execute", CODE + 4, CODE + 4, 1]] as const;
    for (const [kind, pa, at, index] of cases) {
      const machine = machineWith(WALK), { core, vcpu } = machine;
      const before = machine.run(400, CODE).retired;
      core.stops.watchMemory({ pa: kind === "execute" ? pa : pa + 4, length: 4, kind });
      const { reason, retired } = machine.run(10_000);
      assert.equal(reason, kind === "execute" ? ExitReason.Breakpoint : ExitReason.Watchpoint);
      assert.equal(retired + before, kind === "execute" ? 400 + index : 4 * 0x2010 / 8 + index);
      assert.equal(vcpu.pc, BigInt(at));
      if (kind !== "execute") assert.deepEqual(core.stops.hit, { kind, address: BigInt(watched + 4) });
      assert.equal(machine.run(100).retired, 0);
      assert.equal(core.step(vcpu, machine.now, machine.now).retired, 1);
      core.stops.watchMemory(undefined);
      assert.equal(machine.run(1000).reason, ExitReason.Budget);
    }
  });

  Deno.test(`several places of memory are watched together, in tier ${tier}`, () => {
    const places = [DATA + 0x2010, DATA + 0x2040, DATA + 0x5008];
    const machine = machineWith(WALK), { core, vcpu } = machine;
    let retired = machine.run(400, CODE).retired;
    core.stops.watchMemory({ pa: places[1], length: 4, kind: "write", more: [places[2], places[0]] });
    for (const place of places) {
      const exit = machine.run(10_000);
      retired += exit.retired;
      assert.equal(exit.reason, ExitReason.Watchpoint);
      assert.equal(retired, 4 * (place - DATA) / 8 + 2, "instructions before the access");
      assert.deepEqual(core.stops.hit, { kind: "write", address: BigInt(place) });
      retired += core.step(vcpu, machine.now, machine.now).retired;
    }
    assert.equal(machine.run(1000).reason, ExitReason.Budget);
  });

  Deno.test(`pairs, vectors, atomics, accesses over a page's end and DC ZVA are watched, in tier ${tier}`, () => {
    const base = DATA + 0x3000;
    const cases: readonly [Line, base: number, watched: number, kind: WatchKind][] = [
      [["stp x1, x2, [x20]", 0xa9000a81], base, base + 15, "write"],
      [["ldp q1, q2, [x20]", 0xad400a81], base, base + 31, "read"],
      [["str q1, [x20]", 0x3d800281], base - 8, base + 2, "write"],
      [["ldr x1, [x20]", 0xf9400281], base - 4, base, "read"],
      [["ldadd x1, x2, [x20]", 0xf8210282], base, base + 7, "read"],
      [["ldadd x1, x2, [x20]", 0xf8210282], base, base, "write"],
      [["st1 {v1.16b-v4.16b}, [x20]", 0x4c002281], base, base + 63, "write"],
      [["sys #3, C7, C4, #1, x20", 0xd50b7434], base + 8, base + 60, "write"],
    ];
    for (const [line, x20, watched, kind] of cases) {
      const machine = machineWith([line, ["b ", 0x17ffffff]]), { core, vcpu } = machine;
      vcpu.defaultCacheable = true;
      vcpu.setX(20, BigInt(x20));
      vcpu.setRegister("CPACR_EL1", 3n << 20n);
      machine.run(300, CODE);
      core.stops.insertWatchpoint(vcpu.stage2, BigInt(watched), 1, kind);
      const { reason } = machine.run(100);
      assert.equal(reason, ExitReason.Watchpoint, `${line[0]}, ${kind}`);
      assert.equal(vcpu.pc, BigInt(CODE));
      assert.deepEqual(core.stops.hit, { kind, address: BigInt(watched) }, line[0]);
      // The neighbors are in the same page, and not watched.
      core.stops.removeWatchpoint(vcpu.stage2, BigInt(watched), 1, kind);
      core.stops.insertWatchpoint(vcpu.stage2, BigInt(base + 128), 8, "access");
      core.stops.insertWatchpoint(vcpu.stage2, BigInt(base - 64), 8, "access");
      assert.equal(machine.run(1000).reason, ExitReason.Budget, line[0]);
    }
  });

  Deno.test(`a run with watchpoints that nothing reaches is the same run, in tier ${tier}`, () => {
    const plain = machineWith(WALK), watched = machineWith(WALK), { core, vcpu } = watched;
    // In the page of the data after the walked one, in the page of the code, and of another VM.
    core.stops.insertWatchpoint(vcpu.stage2, BigInt(DATA + 0x4_0ff8), 8, "access");
    core.stops.insertWatchpoint(vcpu.stage2, BigInt(CODE), 64, "write");
    core.stops.insertWatchpoint(vcpu.stage2 + 1, BigInt(DATA), 0x1000, "access");
    for (const machine of [plain, watched]) {
      machine.run(1, CODE);
      assert.equal(machine.run(4 * 0x4_0fc0 / 8 - 1).reason, ExitReason.Budget);
    }
    assert.equal(watched.registers(), plain.registers());
    assert.deepEqual(
      new Uint8Array(watched.memory.buffer, watched.view.byteOffset + DATA - RAM_BASE, 0x4_1000),
      new Uint8Array(plain.memory.buffer, plain.view.byteOffset + DATA - RAM_BASE, 0x4_1000),
    );
  });
}
