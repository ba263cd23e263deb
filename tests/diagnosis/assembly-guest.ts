// Bare-metal guests of a few instructions, assembled for one test. They start at their first
// instruction with the MMU off.

import assert from "node:assert/strict";
import { readElfSections } from "../../src/kit/formats/elf-sections.ts";
import { runNative } from "../support/oracles.ts";

/** SHF_ALLOC, and SHT_RELA. */
const ALLOCATED = 2n, RELOCATIONS = 4;

/** Words that guests share. Tables lie at 0x80100000, one page for each level from 1 on. */
const MACROS = `
.arch armv8.2-a+sve+fp16+dotprod
.macro mov64 register, value
  movz \\register, #((\\value) & 0xffff)
  movk \\register, #(((\\value) >> 16) & 0xffff), lsl 16
  movk \\register, #(((\\value) >> 32) & 0xffff), lsl 32
  movk \\register, #(((\\value) >> 48) & 0xffff), lsl 48
.endm
.macro set register, value
  mov64 x0, \\value
  msr \\register, x0
.endm
.macro entry table, index, descriptor
  mov64 x0, 0x80100000 + (\\table) * 0x1000 + (\\index) * 8
  mov64 x1, \\descriptor
  str x1, [x0]
.endm
// Stage 1 of 39 bits with pages of 4 KiB: attribute 0 is Normal, 1 is Device. 1 GiB from 0x40000000
// on and 2 MiB from 0x80000000 on are mapped, and pages from 0x80200000 on that the guest puts into
// table 3.
.macro mmu_on tcr=0x180193519, ttbr=0x80100000, shared=0x300, mair=0x04ff
  entry 0, 1, 0x40000401 + \\shared
  entry 0, 2, 0x80101003
  entry 1, 0, 0x80000401 + \\shared
  entry 1, 1, 0x80103003
  set mair_el1, \\mair
  set tcr_el1, \\tcr
  set ttbr0_el1, \\ttbr
  set ttbr1_el1, 0x80100000
  dsb sy
  isb
  mrs x0, sctlr_el1
  orr x0, x0, #1
  msr sctlr_el1, x0
  isb
.endm
.macro no_vectors
  set vbar_el1, 0x70000000
  isb
.endm
// A GIC whose timer interrupt is on.
.macro timer_gic
  mov64 x1, 0x080b0000
  mov w2, #(1 << 27)
  str w2, [x1, #0x80]
  str w2, [x1, #0x100]
  mov64 x1, 0x08000000
  mov w2, #0x12
  str w2, [x1]
  mov x2, #0xf0
  msr icc_pmr_el1, x2
  mov x2, #1
  msr icc_igrpen1_el1, x2
.endm
// X2 is the period of a timer of 10 ms.
.macro timer_period
  isb
  mrs x2, cntfrq_el0
  mov x3, #100
  udiv x2, x2, x3
.endm
// A timer every 10 ms, in which a healthy guest sleeps. Its vectors end the interrupt.
.macro sleep_healthily
  timer_gic
  timer_period
  msr cntv_tval_el0, x2
  mov x3, #1
  msr cntv_ctl_el0, x3
1: wfi
  mrs x3, icc_iar1_el1
  msr cntv_tval_el0, x2
  msr icc_eoir1_el1, x3
  b 1b
.endm
.text
`;

/** Guests that this process has assembled, by source: tests share some. */
const ASSEMBLED = new Map<string, Promise<Uint8Array>>();

/** Writes FOLDER/NAME.bin. */
export async function assembleGuest(folder: string, name: string, source: string): Promise<void> {
  let image = ASSEMBLED.get(source);
  if (!image) ASSEMBLED.set(source, image = assembled(`${folder}/${name}.o`, source));
  await Deno.writeFile(`${folder}/${name}.bin`, await image);
}

/** The code of an object, which nothing has to be linked with: its addresses are relative. */
async function assembled(object: string, source: string): Promise<Uint8Array> {
  const { code, stderr } = await runNative("aarch64-linux-gnu-as", ["-o", object], new TextEncoder().encode(`${MACROS}${source}\n`));
  assert.equal(code, 0, `${object}: ${stderr}`);
  const sections = readElfSections(await Deno.readFile(object));
  assert.ok(!sections.some(({ type }) => type === RELOCATIONS), `${source}\nhas addresses that are not relative`);
  const [text, ...others] = sections.filter(({ flags, bytes }) => flags & ALLOCATED && bytes.length > 0);
  assert.deepEqual([text.name, others], [".text", []]);
  return text.bytes;
}
