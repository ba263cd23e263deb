// The way of values through instructions, by their words as GNU as makes them.

import assert from "node:assert/strict";
import { addressBy, dataFlow, type GeneralRegister } from "../../../src/cpu/isa/data-flow.ts";
import { disassemble } from "../../../src/cpu/isa/disassemble.ts";

const PC = 0x1000n;
const values = (register: GeneralRegister) =>
  register === "zr" ? 0n : register === "sp" ? 0x8000n : 0x100n * BigInt(register) + 0xffff_fff0n;

/** Kind, registers, bytes of each, address. */
function way(word: number): unknown {
  const flow = dataFlow(word, PC);
  if (!flow || flow.kind === "move") return flow && [flow.to, flow.from];
  return [flow.kind, flow.registers, flow.bytes, addressBy(flow.address, values)];
}

const X1 = 0x1_0000_00f0n, X2 = 0x1_0000_01f0n;

for (
  const [word, text, expected] of [
    [0xf9400420, "ldr x0, [x1, #8]", ["load", [0], 8, X1 + 8n]],
    [0xb8626820, "ldr w0, [x1, x2]", ["load", [0], 4, X1 + X2]],
    [0xf8627820, "ldr x0, [x1, x2, lsl #3]", ["load", [0], 8, X1 + (X2 << 3n)]],
    [0xb8625820, "ldr w0, [x1, w2, uxtw #2]", ["load", [0], 4, X1 + (0x1f0n << 2n)]],
    [0xa9bf7bfd, "stp x29, x30, [sp, #-16]!", ["store", [29, 30], 8, 0x7ff0n]],
    [0xa8c17bfd, "ldp x29, x30, [sp], #16", ["load", [29, 30], 8, 0x8000n]],
    [0xf8008420, "str x0, [x1], #8", ["store", [0], 8, X1]],
    [0xf8408c20, "ldr x0, [x1, #8]!", ["load", [0], 8, X1 + 8n]],
    [0x58000041, "ldr x1, 0x1008", ["load", [1], 8, 0x1008n]],
    [0xc85ffc20, "ldaxr x0, [x1]", ["load", [0], 8, X1]],
    [0xc802fc20, "stlxr w2, x0, [x1]", ["store", [0], 8, X1]],
    [0xc89ffc20, "stlr x0, [x1]", ["store", [0], 8, X1]],
    [0xb9800420, "ldrsw x0, [x1, #4]", ["load", [0], 4, X1 + 4n]],
    [0x69400420, "ldpsw x0, x1, [x1]", ["load", [0, 1], 4, X1]],
    [0xf85f0020, "ldur x0, [x1, #-16]", ["load", [0], 8, X1 - 16n]],
    [0x39400020, "ldrb w0, [x1]", ["load", [0], 1, X1]],
    [0x7900003f, "strh wzr, [x1]", ["store", ["zr"], 2, X1]],
    [0xaa0103e0, "orr x0, xzr, x1", [0, 1]],
    [0x910003fd, "add x29, sp, #0x0", [29, "sp"]],
    [0x93407c20, "sbfm x0, x1, #0, #31", [0, 1]],
    [0x3dc00020, "ldr q0, [x1]", undefined],
    [0xd2800020, "movz x0, #0x1", undefined],
    [0x8b020020, "add x0, x1, x2", undefined],
    [0xaa020020, "orr x0, x1, x2", undefined],
    [0xf8220020, "ldadd x2, x0, [x1]", undefined],
    [0xd61f0020, "br x1", undefined],
  ] as const
) {
  Deno.test(`the way of a value through ${text}`, () => {
    assert.equal(disassemble(word, PC).replace("\t", " "), text);
    assert.deepEqual(way(word), expected);
  });
}
