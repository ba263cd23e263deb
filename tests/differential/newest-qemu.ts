// Programs for QEMU's newest user emulation and for a core at the same time: their code, inputs and
// outputs are one section, which both run as it is. The core runs it at EL1 without an operating
// system, up to the first system call.

import assert from "node:assert/strict";
import { newestQemuUser } from "../../scripts/newest-qemu.ts";
import { nativeProgram } from "../../scripts/native-tools.ts";
import { parseCpu } from "../../src/cpu/isa/cpus/cpus.ts";
import { Machine, RAM_BASE } from "../cpu/core/program.ts";
import { inFolder } from "../support/temporary-folder.ts";

/** The address of the section in QEMU, and in the core. */
const ADDRESS = 0x40_0000, CODE = RAM_BASE + 0x1_0000;
const CPACR_FPEN = 3n << 20n;

/** Instructions in assembly text, for `source`. */
export const instructionText = (words: readonly number[]): string => words.map((word) => `.inst 0x${(word >>> 0).toString(16)}\n`).join("");

/** Doublewords in assembly text. */
export const dataText = (values: readonly bigint[]): string =>
  values.map((value) => `.quad 0x${BigInt.asUintN(64, value).toString(16)}\n`).join("");

/**
 * The whole program: `body` begins at its first instruction, has X22 point to `size` bytes of
 * results, and continues to its end; `data` follows the code.
 */
export const programText = (body: string, data: string, size: number): string => `
.arch armv8-a
.section .all, "awx"
.global _start
_start:
  adrp x22, results
  add x22, x22, :lo12:results
${body}
finish:
  mov x0, #1
  adrp x1, results
  add x1, x1, :lo12:results
  ldr x2, =${size}
  mov x8, #64
  svc #0
  mov x0, #0
  mov x8, #93
  svc #0
  .ltorg
${data}
`;

async function run(program: string, args: readonly string[]): Promise<Uint8Array> {
  const { success, stdout, stderr } = await new Deno.Command(program, { args: [...args] }).output();
  assert.ok(success, `${program} ${args.join(" ")}\n${new TextDecoder().decode(stderr)}`);
  return stdout;
}

/** Runs the program in both; the bytes at `results` in QEMU, and in the core. */
export function runInBoth(source: string, size: number, budget: number): Promise<readonly [qemu: Uint8Array, el2: Uint8Array]> {
  return inFolder(async (folder) => {
    await Deno.writeTextFile(`${folder}/cases.S`, source);
    const tool = async (name: "as" | "ld" | "objcopy" | "nm", ...args: string[]) =>
      run(await nativeProgram(`aarch64-linux-gnu-${name}`), args);
    await tool("as", `${folder}/cases.S`, "-o", `${folder}/cases.o`);
    await tool(
      "ld",
      "--no-warn-rwx-segments",
      `--section-start=.all=0x${ADDRESS.toString(16)}`,
      `${folder}/cases.o`,
      "-o",
      `${folder}/cases`,
    );
    await tool("objcopy", "-O", "binary", `${folder}/cases`, `${folder}/image`);
    const symbols = new TextDecoder().decode(await tool("nm", `${folder}/cases`));
    const place = (name: string) => parseInt(new RegExp(`^([0-9a-f]+) . ${name}$`, "m").exec(symbols)![1], 16) - ADDRESS;
    const expected = await run(await newestQemuUser(), ["-cpu", "max", `${folder}/cases`]);
    assert.equal(expected.length, size);
    const actual = execute(await Deno.readFile(`${folder}/image`), { finish: place("finish"), results: place("results"), size, budget });
    return [expected, actual] as const;
  });
}

interface Execution {
  readonly finish: number;
  readonly results: number;
  readonly size: number;
  readonly budget: number;
}

function execute(image: Uint8Array, { finish, results, size, budget }: Execution): Uint8Array {
  const machine = new Machine({ cpu: parseCpu("max") }), { core, view, vcpu } = machine;
  const section = new Uint8Array(view.buffer, view.byteOffset + CODE - RAM_BASE, image.length);
  section.set(image);
  vcpu.defaultCacheable = true;
  vcpu.setRegister("CPACR_EL1", CPACR_FPEN);
  core.stops.insertBreakpoint(vcpu.stage2, BigInt(CODE + finish));
  machine.run(budget, CODE);
  assert.equal(vcpu.pc, BigInt(CODE + finish), `ESR_EL1 is 0x${vcpu.getRegister("ESR_EL1").toString(16)}`);
  return section.slice(results, results + size);
}
