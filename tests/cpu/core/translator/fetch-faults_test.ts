// Branches to a page that cannot be fetched from any more: the exception comes at the same count of
// instructions whether the branch is interpreted, is in a region, or is the first instruction of a
// region that cannot run because of that page.

import assert from "node:assert/strict";
import { parseCpu } from "../../../../src/cpu/isa/cpus/cpus.ts";
import { ExitReason } from "../../../../src/cpu/core/interface.ts";
import { type Line, Machine, RAM_BASE } from "../program.ts";

const TABLES = RAM_BASE + 0x10_0000, LOOP = RAM_BASE + 0x1000, NEXT = LOOP + 0x1000, INVALIDATE = RAM_BASE + 0x5000;
const VECTORS = RAM_BASE + 0x6000;
const EL1 = 0x3c5, HVC = 0xd400_0002;
/** Branches to the second page, whose address X2 has. */
const BRANCHES: readonly Line[] = [["b", 0x1400_0400], ["tbz w3, #0", 0x3600_8003], ["br x2", 0xd61f_0040], ["ret x2", 0xd65f_0040]];
/** Instructions that translate the loop, and those of the way to the exception. */
const WARM = 5000, WAY = 8;

/** A machine whose loop over two pages has run; the second page is not mapped any more. */
function prepared(tier: "interp" | "jit", branch: Line, cpu: string): Machine {
  const machine = new Machine({ cpu: parseCpu(cpu), ...tier === "jit" && { tier, hotness: { samples: 1, landings: 1, slice: 200 } } });
  const { vcpu, view } = machine, at = (address: number) => address - RAM_BASE;
  view.setBigUint64(at(TABLES) + 8, BigInt(TABLES + 0x1000) | 3n, true);
  view.setBigUint64(at(TABLES + 0x1000), BigInt(TABLES + 0x2000) | 3n, true);
  for (let page = 0; page < 512; page++) {
    // AF, inner shareable, attribute 1.
    view.setBigUint64(at(TABLES + 0x2000) + 8 * page, BigInt(RAM_BASE + 0x1000 * page) | 0x787n, true);
  }
  vcpu.setRegister("MAIR_EL1", 0xff00n);
  vcpu.setRegister("TTBR0_EL1", BigInt(TABLES));
  vcpu.setRegister("TCR_EL1", 0x2_0080_3519n);
  vcpu.setRegister("VBAR_EL1", BigInt(VECTORS));
  vcpu.setRegister("SCTLR_EL1", 0x30d0_1805n);
  vcpu.pstate = EL1;
  vcpu.setX(2, BigInt(NEXT));
  machine.load(LOOP, [branch]);
  machine.load(NEXT, [["add x1, x1, #0x1", 0x9100_0421], ["b", 0x17ff_fbff]]);
  machine.load(INVALIDATE, [["sys", 0xd508_871f], ["dsb sy", 0xd503_3f9f], ["isb", 0xd503_3fdf], ["b", 0x17ff_effd]]);
  machine.load(VECTORS + 0x200, [["hvc #0x0", HVC]]);
  machine.run(WARM, LOOP);
  view.setBigUint64(at(TABLES + 0x2000) + 8 * ((NEXT - RAM_BASE) / 0x1000), 0n, true);
  machine.core.memoryWritten(TABLES + 0x2000, 0x1000);
  vcpu.pc = BigInt(INVALIDATE);
  return machine;
}

/** Counts and places at the ends of parts, from the invalidation to the exception's HVC. */
function wayOf(tier: "interp" | "jit", branch: Line, cpu: string, part: number): string[] {
  const machine = prepared(tier, branch, cpu), places: string[] = [];
  for (let count = 0, left = false; count < WAY && !left;) {
    const { retired, reason } = machine.run(Math.min(part, WAY - count));
    count += retired;
    left = reason === ExitReason.Trap;
    places.push(`${count} ${machine.vcpu.pc.toString(16)}`);
  }
  assert.equal(machine.vcpu.getRegister("ELR_EL1"), BigInt(NEXT));
  if (tier === "jit") assert.ok(machine.core.counters.translator!.regions > 0, "the loop was not translated");
  return places;
}

Deno.test("a branch to a page that is not mapped any more counts the same in all tiers, however the run is parted", () => {
  for (const cpu of ["v8", "max"]) {
    for (const branch of BRANCHES) {
      const [whole] = wayOf("interp", branch, cpu, WAY);
      for (const part of [WAY, 1, 2, 3]) {
        const what = `${branch[0]} of ${cpu} in parts of ${part}`, interpreted = wayOf("interp", branch, cpu, part);
        assert.equal(interpreted.at(-1), whole, what);
        assert.deepEqual(wayOf("jit", branch, cpu, part), interpreted, `${what}, translated`);
      }
    }
  }
});

/** A loop, which X1 counts and X0 leads to an invalidation. */
const INVALIDATING: readonly Line[] = [
  ["isb", 0xd503_3fdf],
  ["add x1, x1, #0x1", 0x9100_0421],
  ["cbz x0, 0xfffffffffffffff8", 0xb4ff_ffc0],
  ["sys", 0xd508_871f],
  ["b", 0x17ff_fffc],
];

Deno.test("an ISB in a region is the last instruction of a page that is not mapped any more", () => {
  for (const cpu of ["v8", "max"]) {
    const counts = (["interp", "jit"] as const).map((tier) => {
      const machine = prepared(tier, BRANCHES[0], cpu), { vcpu, view, core } = machine;
      machine.load(LOOP, INVALIDATING);
      machine.run(WARM, LOOP);
      if (tier === "jit") assert.ok(core.counters.translator!.regions > 1, "the loop was not translated");
      view.setBigUint64(TABLES + 0x2000 - RAM_BASE + 8 * ((LOOP - RAM_BASE) / 0x1000), 0n, true);
      core.memoryWritten(TABLES + 0x2000, 0x1000);
      vcpu.setX(0, 1n);
      assert.equal(machine.run(WARM).reason, ExitReason.Trap);
      assert.equal(vcpu.getRegister("ELR_EL1"), BigInt(LOOP + 4));
      return `${vcpu.getX(1)} ${machine.now}`;
    });
    assert.equal(counts[1], counts[0], cpu);
  }
});
