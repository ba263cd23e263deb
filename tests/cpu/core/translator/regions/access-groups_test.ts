// Blocks with many accesses off one base, which regions compare with the TLB once: every tier has
// the same registers, memory, exits and counts, wherever the base is: unaligned, at the end of a
// page whose successor lies elsewhere, cannot be written or is not there.

import assert from "node:assert/strict";
import { Pstate, Sctlr } from "../../../../../src/cpu/core/architecture/exceptions.ts";
import { ExitReason } from "../../../../../src/cpu/core/interface.ts";
import { decode } from "../../../../../src/cpu/isa/decode.ts";
import { accessGroups } from "../../../../../src/cpu/core/translator/regions/access-groups.ts";
import { INSTRUCTIONS } from "../executed-code.ts";
import { Random } from "../../../../support/random.ts";
import { BASE, COPY, PagedProgram, PAGES } from "../../paged-program.ts";
import { LONG } from "../../../../support/long.ts";

const BLOCK = 24, PROGRAMS = LONG ? 400 : 12, TURNS = 60;

const EL1H = Pstate.EL1h;
const SP = 31;

/** A random access near a base register, or a change of it. */
function instruction(random: Random): number {
  const rn = [BASE, BASE, BASE, COPY, SP][random.below(5)] << 5, rt = random.below(8), rt2 = (8 + random.below(8)) << 10;
  const pair = (random.below(17) - 8 & 127) << 15, near = (random.below(80) - 40 & 511) << 12;
  const choices = [
    0xf9400000 | random.below(16) << 10 | rn | rt, // ldr x
    0xf9000000 | random.below(16) << 10 | rn | rt, // str x
    0xb9400000 | random.below(16) << 10 | rn | rt, // ldr w
    0xb9000000 | random.below(16) << 10 | rn | rt, // str w
    0x79800000 | random.below(32) << 10 | rn | rt, // ldrsh x
    0x39000000 | random.below(32) << 10 | rn | rt, // strb
    0xf8400000 | near | rn | rt, // ldur
    0xf8000000 | near | rn | rt, // stur
    0xa9400000 | pair | rt2 | rn | rt, // ldp x
    0xa9000000 | pair | rt2 | rn | rt, // stp x
    0xa8c00000 | pair | rt2 | rn | rt, // ldp x, post-index
    0xa9800000 | pair | rt2 | rn | rt, // stp x, pre-index
    0x3dc00000 | random.below(4) << 10 | rn | rt, // ldr q
    0xad000000 | pair | rt2 | rn | rt, // stp q
    0x91000000 | random.below(5) * 8 << 10 | rn | rn >> 5, // add
    0xd1000000 | random.below(5) * 16 << 10 | rn | rn >> 5, // sub
    0x91000000 | random.below(64) << 10 | BASE << 5 | COPY, // add copy, base
    0x8b000000 | rt << 16 | COPY << 5 | rt, // add, of an unknown number
    0x9a800000 | COPY << 16 | BASE << 5 | COPY, // csel copy, base, copy, eq
  ];
  return choices[random.below(choices.length)] >>> 0;
}

Deno.test("accesses in groups do what they do one by one", () => {
  const random = new Random(20);
  let grouped = 0, trapped = 0, translated = 0;
  for (let i = 0; i < PROGRAMS; i++) {
    const program = Array.from({ length: BLOCK }, () => instruction(random));
    grouped += accessGroups(program.map((word) => {
      const known = INSTRUCTIONS.translatable(word);
      assert.ok(known, `0x${word.toString(16)} ${decode(word)?.instruction.name}`);
      return known;
    })).size;
    program.push(0x17ffffff - BLOCK + 1 >>> 0); // b to the block's start
    const interpreter = new PagedProgram(program, i % 2 ? Sctlr.SA : 0, {});
    const translator = new PagedProgram(program, i % 2 ? Sctlr.SA : 0, { tier: "jit", hotness: { samples: 1, landings: 2, slice: 20 } });
    for (let turn = 0; turn < TURNS; turn++) {
      // Every third one is shortly before the end of a page.
      const near = PAGES + 0x1000 * (1 + random.below(3)) - 8 * random.below(24);
      const far = PAGES + (turn < 20 ? 0x800 : random.below(0x4000)) + 16 * random.below(4) & (random.below(2) ? ~0 : ~15);
      const address = turn % 3 ? far : near;
      const length = turn % 4 ? BLOCK + 1 : random.below(3 * BLOCK);
      const expected = interpreter.turn(address, length);
      assert.equal(translator.turn(address, length), expected, `program ${i}, turn ${turn} at 0x${address.toString(16)}`);
      if (expected.startsWith(`${ExitReason.Trap} `)) trapped++;
    }
    assert.deepEqual(translator.ram, interpreter.ram, `memory after program ${i}`);
    translated += translator.core.counters.translator!.regions;
  }
  assert.ok(translated >= PROGRAMS / 2, "little was translated");
  assert.ok(grouped > 3 * PROGRAMS, "there are few groups");
  assert.ok(trapped > PROGRAMS, "few accesses fault");
});

Deno.test("a stack pointer that was aligned is checked again when it has been changed", () => {
  // movz x0, #63; subs x0, x0, #1; b.ne -4; ldr x1, [sp]; add sp, sp, #8; ldr x1, [sp]
  const program = [0xd28007e0, 0xf1000400, 0x54ffffe1, 0xf94003e1, 0x910023ff, 0xf94003e1];
  const interpreter = new PagedProgram(program, Sctlr.SA, {});
  const translator = new PagedProgram(program, Sctlr.SA, { tier: "jit", hotness: { samples: 1, landings: 2, slice: 20 } });
  for (let turn = 0; turn < 12; turn++) {
    const expected = interpreter.turn(PAGES, 200);
    assert.equal(translator.turn(PAGES, 200), expected);
    assert.equal(Number(interpreter.vcpu.getRegister("ESR_EL1")) >>> 26, 0x26, "SP alignment fault");
    interpreter.vcpu.pstate = translator.vcpu.pstate = EL1H;
  }
  // The second one begins where the loop ends.
  assert.ok(translator.core.counters.translator!.regions > 1);
});

/** Instructions after a call in its loop: an access by SP comes first, or in a later block. */
const AFTER_CALL = {
  next: [0xf94003e1, 0xd503201f, 0xd503201f], // ldr x1, [sp]; nop; nop
  later: [0xb4000042, 0xf94003e1, 0xd503201f], // cbz x2, +8; ldr x1, [sp]; nop
} as const;

Deno.test("a stack pointer that a called function leaves misaligned is found by the access after it", () => {
  for (const [where, access] of Object.entries(AFTER_CALL)) {
    // Wherever slices end.
    for (let count = 60; count < 65; count++) {
      // movz x0, #count; movz x2, #1; loop: bl f; access; subs x0, x0, #1; b.ne loop; b .
      const loop = [0xd2800000 | count << 5, 0xd2800022, 0x94000007, ...access, 0xf1000400, 0x54ffff61, 0x14000000];
      // f: cmp x0, #1; cset x3, eq; sub sp, sp, x3, lsl #3; ret
      const program = [...loop, 0xf100041f, 0x9a9f17e3, 0xcb236fff, 0xd65f03c0];
      const interpreter = new PagedProgram(program, Sctlr.SA, {});
      const translator = new PagedProgram(program, Sctlr.SA, { tier: "jit", hotness: { samples: 1, landings: 2, slice: 20 } });
      for (let turn = 0; turn < 12; turn++) {
        const expected = interpreter.turn(PAGES + 0x800, 800);
        assert.equal(translator.turn(PAGES + 0x800, 800), expected, `${where}: ${count} calls`);
        assert.equal(Number(interpreter.vcpu.getRegister("ESR_EL1")) >>> 26, 0x26, "SP alignment fault");
        interpreter.vcpu.pstate = translator.vcpu.pstate = EL1H;
      }
      assert.ok(translator.core.counters.translator!.regions > 0);
    }
  }
});
