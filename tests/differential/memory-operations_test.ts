// Memory copies and sets (FEAT_MOPS) beside QEMU 11, which unicorn cannot be: whole sequences with
// random options, registers, sizes and overlaps. All of what they leave is compared.

import assert from "node:assert/strict";
import { newestQemuUser } from "../../scripts/newest-qemu.ts";
import { nativeProgram } from "../../scripts/native-tools.ts";
import { parseCpu } from "../../src/isa/cpus.ts";
import { Machine, RAM_BASE } from "../core/program.ts";
import { Random } from "../support/random.ts";
import { inFolder } from "../support/temporary-folder.ts";

const LONG = Deno.env.get("EL2_LONG") !== undefined;
const CASES = 10_000, DATA_SIZE = 0x8000, LARGEST = 0x3000;
const CODE = RAM_BASE + 0x1_0000;
/** Bytes of a case's results: X1 to X3 and NZCV. */
const RESULT_SIZE = 32;
/** X1 to X4 of a case, then the distance of its sequence. */
const INPUTS = 5;

/** The three parts of a sequence with some options, over X1, X2, X3 and X4, and RET. */
function sequence(random: Random): number[] {
  const kind = random.below(3),
    part = (index: number) => {
      if (kind === 2) return 0x19c0_0400 | 4 << 16 | index << 14 | options << 12 | 3 << 5 | 1;
      return (kind ? 0x1d00_0400 : 0x1900_0400) | index << 22 | 2 << 16 | options << 12 | 3 << 5 | 1;
    };
  const options = random.below(kind === 2 ? 4 : 16);
  return [...[0, 1, 2].map(part), 0xd65f_03c0];
}

/** A case: offsets in the data, whose copies forward do not overlap upward. */
function inputs(random: Random, words: readonly number[], place: number): bigint[] {
  const size = random.below([9, 200, 5000, LARGEST][random.below(4)]);
  let to = random.below(DATA_SIZE - size),
    from = random.below(2) ? random.below(DATA_SIZE - size) : Math.max(0, to - random.below(size + 9));
  from = Math.min(from, DATA_SIZE - size);
  const isForward = words[0] >>> 22 === 0x1900_0400 >>> 22;
  if (isForward && from < to && from + size > to) [from, to] = [to, from];
  return [BigInt(to), BigInt(from), BigInt(size), random.wide(), BigInt(place)];
}

/** The program: it adds the data's address to X1 and X2, and takes it away from the results. */
function source(cases: readonly bigint[][], sequences: readonly number[][]): string {
  const words = sequences.flat().map((word) => `.inst 0x${(word >>> 0).toString(16)}`);
  return `
.arch armv8-a
.section .all, "awx"
.global _start
_start:
  adr x20, table
  adrp x22, results
  add x22, x22, :lo12:results
  adrp x23, data
  add x23, x23, :lo12:data
  ldr x21, =${cases.length}
  mov x26, x22
1: ldp x1, x2, [x20], #16
  ldp x3, x4, [x20], #16
  ldr x5, [x20], #8
  add x1, x1, x23
  add x2, x2, x23
  adr x6, sequences
  add x6, x6, x5
  msr nzcv, x4
  blr x6
  mrs x7, nzcv
  sub x1, x1, x23
  sub x2, x2, x23
  stp x1, x2, [x22], #16
  stp x3, x7, [x22], #16
  subs x21, x21, #1
  b.ne 1b
finish:
  mov x0, #1
  mov x1, x26
  ldr x2, =${cases.length * RESULT_SIZE + DATA_SIZE}
  mov x8, #64
  svc #0
  mov x0, #0
  mov x8, #93
  svc #0
  .ltorg
sequences:
${words.join("\n")}
table:
${cases.flat().map((value) => `.quad 0x${BigInt.asUintN(64, value).toString(16)}`).join("\n")}
.balign 8
results: .skip ${cases.length * RESULT_SIZE}
data:
${
    Array.from({ length: DATA_SIZE / 8 }, (_, i) => `.quad 0x${BigInt.asUintN(64, BigInt(i) * 0x9e37_79b9_7f4a_7c15n).toString(16)}`).join(
      "\n",
    )
  }
`;
}

async function run(program: string, args: readonly string[]): Promise<Uint8Array> {
  const { success, stdout, stderr } = await new Deno.Command(program, { args: [...args] }).output();
  assert.ok(success, `${program} ${args.join(" ")}\n${new TextDecoder().decode(stderr)}`);
  return stdout;
}

/** Results and data of the image in a core. */
function execute(image: Uint8Array, finish: number, results: number, size: number): Uint8Array {
  const machine = new Machine({ cpu: parseCpu("max") }), { view, vcpu } = machine;
  new Uint8Array(view.buffer, view.byteOffset + CODE - RAM_BASE, image.length).set(image);
  vcpu.defaultCacheable = true;
  vcpu.pc = BigInt(CODE);
  machine.core.insertBreakpoint(vcpu.stage2, BigInt(CODE + finish));
  const budget = 100 * CASES;
  machine.run(budget);
  assert.equal(vcpu.pc, BigInt(CODE + finish), `${vcpu.getRegister("ESR_EL1").toString(16)}`);
  return new Uint8Array(view.buffer, view.byteOffset + CODE - RAM_BASE + results, size).slice();
}

if (LONG) {
  Deno.test(`${CASES} memory copies and sets leave the registers, flags and memory that QEMU 11 leaves`, () =>
    inFolder(async (folder) => {
      const random = new Random(1088), sequences = Array.from({ length: 200 }, () => sequence(random));
      const cases = Array.from({ length: CASES }, () => {
        const index = random.below(sequences.length);
        return inputs(random, sequences[index], 16 * index);
      });
      await Deno.writeTextFile(`${folder}/cases.S`, source(cases, sequences));
      const tool = (name: "as" | "ld" | "objcopy" | "nm", ...args: string[]) =>
        nativeProgram(`aarch64-linux-gnu-${name}`).then((program) => run(program, args));
      await tool("as", `${folder}/cases.S`, "-o", `${folder}/cases.o`);
      await tool("ld", "--no-warn-rwx-segments", "--section-start=.all=0x400000", `${folder}/cases.o`, "-o", `${folder}/cases`);
      await tool("objcopy", "-O", "binary", `${folder}/cases`, `${folder}/image`);
      const symbols = new TextDecoder().decode(await tool("nm", `${folder}/cases`));
      const place = (name: string) => parseInt(new RegExp(`^([0-9a-f]+) . ${name}$`, "m").exec(symbols)![1], 16) - 0x40_0000;
      const expected = await run(await newestQemuUser(), ["-cpu", "max", `${folder}/cases`]);
      assert.equal(expected.length, CASES * RESULT_SIZE + DATA_SIZE);
      const actual = execute(await Deno.readFile(`${folder}/image`), place("finish"), place("results"), expected.length);
      const differing = cases.findIndex((_, index) =>
        actual.subarray(index * RESULT_SIZE, (index + 1) * RESULT_SIZE).some((byte, at) => byte !== expected[index * RESULT_SIZE + at])
      );
      assert.equal(differing, -1, `case ${cases[differing]}: ${actual.subarray(differing * RESULT_SIZE, (differing + 1) * RESULT_SIZE)}`);
      assert.deepEqual(actual, expected, "memory");
    }));
}
