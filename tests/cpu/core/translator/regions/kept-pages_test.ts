// Loops that walk through pages, whose accesses keep the page that they used last: every tier has
// the same registers, memory, exits and counts, also where pages end in the middle of an access,
// cannot be written, or are not there, where functions with such loops are called in between, and
// where unaligned accesses fault. The lines that they write are noted.

import assert from "node:assert/strict";
import { AbortSyndrome, Sctlr } from "../../../../../src/cpu/core/architecture/exceptions.ts";
import { ExitReason, Stage2Flags } from "../../../../../src/cpu/core/interface.ts";
import { controlFlow } from "../../../../../src/cpu/core/translator/regions/control-flow.ts";
import { accessGroups } from "../../../../../src/cpu/core/translator/regions/access-groups.ts";
import { accessesThatKeepPages } from "../../../../../src/cpu/core/translator/regions/kept-pages.ts";
import { INSTRUCTIONS } from "../executed-code.ts";
import type { Block } from "../../../../../src/cpu/core/translator/regions/region.ts";
import { Random } from "../../../../support/random.ts";
import { BASE, COPY, PAGE_RAM, PagedProgram, PAGES, RAM_BASE } from "../../paged-program.ts";
import { checkNoted } from "../../written-words.ts";
import { LONG } from "../../../../support/long.ts";

const PROGRAMS = LONG ? 400 : 10, TURNS = 40;
/** The page of `PAGES` that cannot be written. */
const READ_ONLY = PAGES + 0x2000;
const INDEX = 11, SP = 31;

/** A random access that moves its base on by multiples of `unit`, or has an index that moves on. */
function walk(random: Random, unit: number): number[] {
  const rn = [BASE, BASE, COPY, SP][random.below(4)] << 5, rt = random.below(8), rt2 = (12 + random.below(4)) << 10;
  const step = ((random.below(72) - 24) & -unit & 511) << 12, pair = (random.below(12) - 4 & 127) << 15;
  const choices = [
    [0xf8400400 | step | rn | rt], // ldr x, post-index
    [0xf8000400 | step | rn | rt], // str x
    [0x38400c00 | step | rn | rt], // ldrb, pre-index
    [0x38000400 | step | rn | rt], // strb
    [0x78800400 | step | rn | rt], // ldrsh
    [0xb8000400 | step | rn | rt], // str w
    [0xa8c00000 | pair | rt2 | rn | rt], // ldp x, post-index
    [0xa9800000 | pair | rt2 | rn | rt], // stp x, pre-index
    [0x3c800400 | step | rn | rt], // str q, post-index
    // ldr x, [base, index, lsl 3]; add index, index, #1
    [0xf8606800 | 1 << 12 | INDEX << 16 | BASE << 5 | rt, 0x91000400 | INDEX << 5 | INDEX],
    // ldr x, [n]; str x, [n, #8]; add n, n, #8
    [0xf9400000 | rn | rt, 0xf9000400 | rn | rt, 0x91002000 | rn | rn >>> 5],
    // A byte at a place that was loaded.
    [0xf9400000 | BASE << 5 | 16, 0x92400000 | 5 << 10 | 16 << 5 | 16, 0x38706800 | COPY << 5 | rt],
  ];
  return choices[random.below(choices.length)].map((word) => word >>> 0);
}

/** A loop of `counter` turns. */
function loop(random: Random, unit: number, counter: number): number[] {
  const body = Array.from({ length: 1 + random.below(4) }, () => walk(random, unit)).flat();
  const turns = 0xd2800000 | (1 + random.below(30)) << 5 | counter; // movz
  return [turns, ...body, 0xf1000400 | counter << 5 | counter, 0x54000001 | (-body.length - 1 & 0x7ffff) << 5].map((word) => word >>> 0);
}

/** Two loops, a call of a function with a loop between them, and from the start again. */
function program(random: Random, unit: number): number[] {
  const first = loop(random, unit, 9), second = loop(random, unit, 9), called = loop(random, unit, 10);
  const call = 0x94000000 | second.length + 2, again = 0x14000000 | -(first.length + second.length + 1) & 0x3ffffff;
  return [0xd280000b, ...first, call, ...second, again, ...called, 0xd65f03c0].map((word) => word >>> 0);
}

Deno.test("loops walk through pages as they do in the interpreter", () => {
  const random = new Random(7);
  let trapped = 0, translated = 0, aligned = 0;
  for (let i = 0; i < PROGRAMS; i++) {
    const sctlr = i % 3 ? 0 : Sctlr.A, words = program(random, sctlr ? 8 : 1);
    const interpreter = new PagedProgram(words, sctlr, {});
    const translator = new PagedProgram(words, sctlr, { tier: "jit", hotness: { samples: 1, landings: 2, slice: 50 } });
    for (let turn = 0; turn < TURNS; turn++) {
      const address = PAGES + random.below(0x3000) & (sctlr || random.below(3) ? ~15 : ~0), length = 20 + random.below(1500);
      const expected = interpreter.turn(address, length);
      assert.equal(translator.turn(address, length), expected, `program ${i}, turn ${turn} at 0x${address.toString(16)}`);
      if (expected.startsWith(`${ExitReason.Trap} `)) trapped++;
      else if (sctlr) aligned++;
    }
    assert.deepEqual(translator.ram, interpreter.ram, `memory after program ${i}`);
    translated += translator.core.counters.translator!.regions;
  }
  assert.ok(translated >= 2 * PROGRAMS, "little was translated");
  assert.ok(trapped > PROGRAMS, "few accesses fault");
  assert.ok(aligned > PROGRAMS, "few accesses are aligned where they must be");
});

Deno.test("lines that loops write are noted in both tiers, also where their page was kept before", () => {
  const random = new Random(11), counts = [0, 0].map(() => ({ changed: 0, noted: 0 }));
  for (let i = 0; i < PROGRAMS; i++) {
    const sctlr = i % 3 ? 0 : Sctlr.A, words = program(random, sctlr ? 8 : 1);
    const tiers = [{}, { tier: "jit", hotness: { samples: 1, landings: 2, slice: 50 } }] as const;
    const programs = tiers.map((options) => new PagedProgram(words, sctlr, options));
    for (let turn = 0; turn < TURNS; turn++) {
      const address = PAGES + random.below(0x3000) & (sctlr || random.below(3) ? ~15 : ~0), length = 20 + random.below(300);
      const isForgotten = random.below(3) === 0, salt = random.below(256);
      programs.forEach((one, tier) => {
        const { core, ram } = one, pages = PAGE_RAM.map((at) => ram.subarray(at, at + 0x1000));
        if (isForgotten) core.forgetWritten(true);
        // A value that comes again would hide a write.
        one.vcpu.setX(9, BigInt(salt));
        const before = pages.map((page) => page.slice());
        one.turn(address, length);
        pages.forEach((page, index) => {
          const { changed, noted } = checkNoted(
            core,
            RAM_BASE + PAGE_RAM[index],
            before[index],
            page,
            `program ${i}, turn ${turn}, tier ${tier}`,
          );
          counts[tier].changed += changed;
          counts[tier].noted += noted;
        });
      });
    }
  }
  for (const { changed, noted } of counts) assert.ok(changed > 10 * PROGRAMS && noted < 60 * changed, `${changed} changed, ${noted} noted`);
});

Deno.test("watched memory stops loops where a watchpoint of its address does, and lets those beside it pass, in both tiers", () => {
  const random = new Random(12);
  let stops = 0;
  for (let i = 0; i < PROGRAMS; i++) {
    const words = program(random, 1), jit = { tier: "jit", hotness: { samples: 1, landings: 2, slice: 50 } } as const;
    const [byAddress, ...others] = [{}, {}, jit].map((options) => new PagedProgram(words, 0, options));
    for (let turn = 0; turn < TURNS; turn++) {
      const start = random.below(0x1800), address = PAGES + start, length = 20 + random.below(400), offset = start + random.below(0x200);
      const kind = (["write", "write", "read", "access"] as const)[random.below(4)], page = offset >>> 12;
      // All in one page of RAM.
      const at = page << 12 | Math.min(offset & 0xfff, 0x1000 - 8);
      byAddress.core.stops.insertWatchpoint(byAddress.vcpu.stage2, BigInt(PAGES + at), 8, kind);
      for (const { core } of others) core.stops.watchMemory({ pa: RAM_BASE + PAGE_RAM[page] + (at & 0xfff), length: 8, kind });
      const [expected, ...found] = [byAddress, ...others].map((one) => one.turn(address, length));
      for (const result of found) assert.equal(result, expected, `program ${i}, turn ${turn}: ${kind} at 0x${at.toString(16)}`);
      if (expected.startsWith(`${ExitReason.Watchpoint} `)) stops++;
      byAddress.core.stops.removeWatchpoint(byAddress.vcpu.stage2, BigInt(PAGES + at), 8, kind);
      for (const { core } of others) core.stops.watchMemory(undefined);
    }
    for (const { ram } of others) assert.deepEqual(ram, byAddress.ram);
  }
  assert.ok(stops > 3 * PROGRAMS && stops < 35 * PROGRAMS, `${stops} stops`);
});

/**
 * Runs a program eleven times in both tiers; only the last run traps.
 * @param prepare is told which run comes, and gives the address of the bases.
 */
function compare(words: readonly number[], sctlr: number, prepare: (program: PagedProgram, isLast: boolean, run: number) => number): void {
  const interpreter = new PagedProgram(words, sctlr, {});
  const translator = new PagedProgram(words, sctlr, { tier: "jit", hotness: { samples: 1, landings: 2, slice: 50 } });
  for (let run = 0; run <= 10; run++) {
    const [expected, result] = [interpreter, translator].map((program) => program.turn(prepare(program, run === 10, run), 400));
    assert.equal(result, expected);
    assert.equal(expected.startsWith(`${ExitReason.Trap} `), run === 10, expected);
  }
  assert.deepEqual(translator.ram, interpreter.ram);
  assert.ok(translator.core.counters.translator!.regions > 0, "nothing was translated");
}

/** Takes the first of `PAGES` away. */
function unmap({ core, stage2 }: PagedProgram): void {
  stage2.unmap(PAGES, 0x1000);
  core.invalidateStage2(stage2.id, PAGES, 0x1000);
}

Deno.test("a page that a function has read is none that its caller may write", () => {
  compare(
    [
      // movz x9, #3; str x0, [x20], #8; subs x9, x9, #1; b.ne
      ...[0xd2800069, 0xf8008680, 0xf1000529, 0x54ffffc1],
      ...[0x94000002, 0x17fffffb], // bl f; b to the start
      // f: movz x10, #3; mov x22, x23; ldr x1, [x22], #8; subs; b.ne
      ...[0xd280006a, 0xaa1703f6, 0xf84086c1, 0xf100054a, 0x54ffffc1],
      ...[0xaa1703f4, 0xd65f03c0], // mov x20, x23; ret
    ],
    0,
    ({ vcpu }, isLast) => {
      vcpu.setX(23, BigInt(isLast ? READ_ONLY : PAGES));
      return PAGES;
    },
  );
});

Deno.test("a loop whose accesses were aligned faults where they no longer are", () => {
  // ldr x0, [x20]; add x20, x20, x12; b to the start
  compare([0xf9400280, 0x8b0c0294, 0x17fffffe], Sctlr.A, ({ vcpu }, isLast) => {
    vcpu.setX(12, isLast ? 4n : 8n);
    return PAGES;
  });
});

// movz x9, #3; str x1, [sp]; subs x9, x9, #1; b.ne to the store; ldur x0, [sp, #4]; b to the start
const STACK_LOOP = [0xd2800069, 0xf90003e1, 0xf1000529, 0x54ffffc1, 0xf84043e0, 0x17fffffb];

/** Makes the first of `PAGES` one that may be written but not read. */
function denyReads({ core, stage2 }: PagedProgram): void {
  stage2.map(PAGES, RAM_BASE + PAGE_RAM[0], 0x1000, Stage2Flags.Write);
  core.invalidateStage2(stage2.id, PAGES, 0x1000);
}

Deno.test("the page of a stack that may be written but not read serves no load", () => {
  // The same with a load that is aligned; and with two stores and two loads that each go together.
  const loops = [
    [0xd2800069, 0xf90003e1, 0xf1000529, 0x54ffffc1, 0xf94007e0, 0x17fffffb],
    [0xd2800069, 0xf90003e1, 0xf90007e2, 0xf1000529, 0x54ffffa1, 0xf94003e0, 0xf94007e3, 0x17fffff9],
  ];
  for (const words of loops) {
    compare(words, 0, (program, isLast) => {
      if (isLast) denyReads(program);
      return PAGES;
    });
  }
});

Deno.test("an atomic reads: where only writes are allowed it faults as a read, also behind a store", () => {
  // str x1, [x20]; ldadd x2, x3, [x20]; b to the start
  const words = [0xf9000281, 0xf8220283, 0x17fffffe];
  compare(words, 0, (program, isLast) => {
    if (isLast) denyReads(program);
    return PAGES;
  });
  for (const tier of ["interp", "jit"] as const) {
    const program = new PagedProgram(words, 0, { tier });
    denyReads(program);
    const [reason, , esr] = program.turn(PAGES, 400).split(" ").map(Number);
    assert.deepEqual([reason, program.vcpu.pc & 0xffn], [ExitReason.Trap, 4n], tier);
    assert.equal(esr & AbortSyndrome.WnR, 0, `${tier}: the read faults`);
  }
});

Deno.test("what is kept of pages does not outlive their mapping", () => {
  // A loop of ldr x0, [x20], #8.
  for (const words of [STACK_LOOP, [0xf8408680, 0x17ffffff]]) {
    compare(words, 0, (program, isLast) => {
      if (isLast) unmap(program);
      return PAGES;
    });
  }
});

Deno.test("a call that remembers where it went forgets that with the mapping", () => {
  // blr x21; b to the start. There: add x1, x1, #1; ret
  compare([0xd63f02a0, 0x17ffffff], 0, (program, isLast) => {
    const { vcpu, ram } = program;
    new Uint32Array(ram.buffer, ram.byteOffset + PAGE_RAM[0], 2).set([0x91000421, 0xd65f03c0]);
    vcpu.setX(21, BigInt(PAGES));
    if (isLast) unmap(program);
    return PAGES;
  });
});

Deno.test("an access over the end of the stack's page takes what follows from the next one", () => {
  // str x1, [sp, #-16]; b to the next; ldp x3, x4, [sp, #-8]; b to the start
  compare([0xf81f03e1, 0x14000001, 0xa97f93e3, 0x17fffffd], 0, (_, isLast) => isLast ? PAGES + 0x3000 : PAGES + 0x1000);
});

Deno.test("an unaligned access to the stack faults although the page is kept", () => {
  compare(STACK_LOOP, 0, ({ vcpu }, isLast) => {
    if (isLast) vcpu.setRegister("SCTLR_EL1", BigInt(Sctlr.A));
    return PAGES;
  });
});

Deno.test("the page of the stack that was read is not kept for writes", () => {
  // ldr x0, [sp]; cbz x23, to the start; str x0, [sp]; b to the start
  compare([0xf94003e0, 0xb4fffff7, 0xf90003e0, 0x17fffffd], 0, ({ vcpu }, isLast, run) => {
    vcpu.setX(23, isLast || run % 2 ? 1n : 0n);
    return run % 2 ? PAGES : READ_ONLY;
  });
});

/** A block of a loop. */
function block(words: readonly number[]): Block {
  const instructions = words.map((word) => INSTRUCTIONS.translatable(word) ?? assert.fail(`0x${word.toString(16)}`));
  return { first: 0, instructions, ending: { kind: "condition", to: 0, next: words.length } };
}

/** The accesses of a loop of one block that keep their pages. */
function kept(words: readonly number[]): number[] {
  const blocks = [block(words)];
  const pages = accessesThatKeepPages(blocks, controlFlow([[0]]), blocks.map(({ instructions }) => accessGroups(instructions)));
  assert.equal(new Set(pages.get(0)?.values()).size, pages.get(0)?.size ?? 0, "each has a place of its own");
  return [...pages.get(0)?.keys() ?? []];
}

Deno.test("accesses keep their pages where their bases walk, not where these are loaded", () => {
  const LDR_X0_FROM_X0 = 0xf9400000, LDR_X5_POST_X3 = 0xf8408465, LDR_X4_FROM_X5 = 0xf94000a4, BRANCH = 0x54ffffc1;
  assert.deepEqual(kept([LDR_X5_POST_X3, BRANCH]), [0]);
  assert.deepEqual(kept([LDR_X0_FROM_X0, BRANCH]), [], "a list");
  assert.deepEqual(kept([LDR_X5_POST_X3, LDR_X4_FROM_X5, BRANCH]), [0]);
  // ldr x4, [x5]; add x5, x3, #8; ldr x6, [x5]; ldr x5, [x3]: loaded at the start of the next turn,
  // a sum after that.
  assert.deepEqual(kept([LDR_X4_FROM_X5, 0x91002065, 0xf94000a6, 0xf9400065, BRANCH]), [2]);
  // ldr x1, [x3]; ldr x2, [x3, #8]; str x1, [x3, #16]: a group.
  assert.deepEqual(kept([0xf9400061, 0xf9400462, 0xf9000861, BRANCH]), [0]);
  // ldr x1, [sp]: the stack is kept for all.
  assert.deepEqual(kept([0xf94003e1, BRANCH]), []);
});
