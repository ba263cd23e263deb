// Runs hostile programs by the interpreter and by the translator, and prints as JSON where they
// differ, for stack_test.ts, which starts it with options of V8.

import { ExitReason } from "../../../../src/cpu/core/interface.ts";
import { Machine, RAM_BASE } from "../program.ts";
import { HOSTILE, type Hostile, randomHostile } from "./hostile-regions.ts";

const MAIN = RAM_BASE + 0x1000, ENTRY = RAM_BASE + 0x3000, DATA = RAM_BASE + 0x20_0000, STACK = RAM_BASE + 0x3f_0000;
const [seed, count, instructions] = Deno.args.map(Number);
/** By landings, which begin regions at functions; by samples, which begin them at loops. */
const HOTNESSES = [{ samples: 1, landings: 16, slice: 20_000 }, { samples: 4, landings: 60_000, slice: 40_000 }];

function start(machine: Machine, { code, entry, depth }: Hostile): void {
  const { view, vcpu } = machine;
  // The entry is at the start of a page: a region has at most the page before it and the one after.
  // MOVZ x0; BL; B.
  const main = [0xd2800000 | depth << 5, 0x94000000 | (ENTRY - MAIN - 4) / 4, 0x17fffffe];
  main.forEach((word, i) => view.setUint32(MAIN - RAM_BASE + 4 * i, word, true));
  code.forEach((word, i) => view.setUint32(ENTRY - RAM_BASE + 4 * (i - entry), word, true));
  machine.core.flush();
  vcpu.setRegister("CPACR_EL1", 3n << 20n);
  vcpu.setRegister("SP_EL1", BigInt(STACK));
  for (let i = 1; i < 30; i++) vcpu.setX(i, BigInt(DATA + 0x1000 * i));
  // Branches of the programs test these.
  vcpu.setX(11, 0n);
  vcpu.setX(28, 1n);
  vcpu.setX(29, 1n);
  for (let i = 0; i < 32; i++) vcpu.setV(i, 0x0101_0203_0508_0d15n * BigInt(i + 1), 0x3ff0_0000_3f80_0000n + BigInt(i));
  // The first call is not deep: all of the function is known when that is.
  vcpu.setX(0, 2n);
  vcpu.pc = BigInt(MAIN + 4);
}

/** States along the way. */
function states(machine: Machine, hostile: Hostile): string[] {
  start(machine, hostile);
  const list: string[] = [];
  while (machine.now < instructions) {
    const { reason, retired } = machine.run(instructions / 2);
    const vectors = Array.from({ length: 32 }, (_, i) => machine.vcpu.getV(i));
    list.push(
      `${retired} ${reason} ${machine.registers()} ${
        JSON.stringify(vectors, (_, value) => typeof value === "bigint" ? `${value}` : value)
      }`,
    );
    if (reason !== ExitReason.Budget) break;
  }
  return list;
}

const wrong: string[] = [];
let regions = 0;
for (const hostile of [...HOSTILE, ...randomHostile(seed, count)]) {
  const expected = states(new Machine(), hostile);
  for (const hotness of HOTNESSES) {
    const machine = new Machine({ tier: "auto", hotness });
    try {
      const found = states(machine, hostile);
      if (found.join() !== expected.join()) wrong.push(`${hostile.name}: other registers`);
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      wrong.push(`${hostile.name}: ${error}`);
    }
    regions += machine.core.counters.translator!.regions;
  }
}
console.log(JSON.stringify({ wrong, regions }));
