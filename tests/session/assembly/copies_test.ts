// A machine with the CPU `max` stops and continues between the three instructions of a copy
// (FEAT_MOPS), and between a signature and its check (FEAT_PAuth), as it does anywhere else.

import assert from "node:assert/strict";
import { assemble } from "../../../src/session/assembly/assemble.ts";
import { planCpu } from "../../../src/cpu/isa/cpus/cpus.ts";
import { disassemble } from "../../../src/cpu/isa/disassemble.ts";
import { loadSystem, saveSystem } from "../../../src/session/state/system-state.ts";
import { bootPlan, hashesOf, runTo } from "../snapshots/systems.ts";
import { withGuest } from "./bare-metal.ts";

/** Instructions: before the loop is hot, of more than a loop, and to the end. */
const FIRST = 500, LOOP = 40, END = 3_000;
const STOPS = ["setm", "cpym", "cpyfe", "autia"];

/** The name of the instruction that comes next; the guest runs without MMU. */
function next({ hypervisor, machine }: ReturnType<typeof assemble>): string {
  const pc = [...hypervisor.scheduler.vcpus].find(({ native }) => !native)!.registers.pc;
  const { buffer, byteOffset } = machine.ram.bytes(Number(pc), 4);
  return disassemble(new DataView(buffer, byteOffset).getUint32(0, true), pc).split(/\s/)[0];
}

Deno.test("a run with the CPU max continues inside a copy, and before a pointer is checked, as it would have", () =>
  withGuest("copies", ["-march=armv8.8-a+rng"], async (elf) => {
    const what = { kind: "boot", image: await Deno.readFile(elf), initrd: undefined, dtb: undefined, append: undefined } as const;
    const ends = new Set<string>();
    for (const tier of ["interp", "jit"] as const) {
      const plan = await bootPlan({ cpu: planCpu("max"), tier, what }), whole = assemble(plan);
      const left = new Set(tier === "jit" ? STOPS : ["cpye"]);
      for (let stop = FIRST; stop < FIRST + LOOP; stop++) {
        runTo(whole, stop);
        if (!left.delete(next(whole))) continue;
        const other = assemble(plan);
        loadSystem(other, saveSystem(whole), false);
        assert.equal(hashesOf(other), hashesOf(whole));
        runTo(other, END);
        ends.add(hashesOf(other));
      }
      assert.deepEqual([...left], []);
      runTo(whole, END);
      ends.add(hashesOf(whole));
    }
    assert.equal(ends.size, 1, "in both tiers, stopped or not");
  }));
