// The table of A64: decoding finds each entry, operands of records evaluate alike in both ways, and
// every handler can be made.

import assert from "node:assert/strict";
import { evaluateBig, evaluateNumber } from "../../../src/cpu/core/decoded/operands.ts";
import type { Node, Statement } from "../../../src/cpu/isa/notation/builder.ts";
import { decode } from "../../../src/cpu/isa/decode.ts";
import { fieldValues } from "../../../src/cpu/isa/notation/insn.ts";
import { allEncodings, type InstructionForm, semanticsOf } from "../../../src/cpu/isa/table.ts";
import { Random } from "../../support/random.ts";

const random = new Random(1);

function randomWord({ mask, value }: InstructionForm): number {
  return (random.word() & ~mask | value) >>> 0;
}

const bits = (mask: number) => mask.toString(2).replaceAll("0", "").length;

/** Whether CPUs with an instruction do not have another: there, EL2 may trap it. */
const replaces = ({ instruction: { feature, also } }: InstructionForm, { instruction: { unless } }: InstructionForm) =>
  unless.length > 0 && unless.every((one) => one === feature || one === also);

Deno.test("no word belongs on one CPU to two encodings that are equally specific", () => {
  const clashes = new Set<string>();
  const byMask = Map.groupBy(allEncodings(), (e) => bits(e.mask));
  for (const group of byMask.values()) {
    for (const [i, a] of group.entries()) {
      for (const b of group.slice(i + 1)) {
        if (((a.value ^ b.value) & a.mask & b.mask) !== 0 || replaces(a, b) || replaces(b, a)) continue;
        const word = (a.value | b.value) >>> 0;
        if (
          decode(word) && !a.instruction.unallocated(fieldValues(a.instruction, word)) &&
          !b.instruction.unallocated(fieldValues(b.instruction, word))
        ) {
          clashes.add(`${a.instruction.name} and ${b.instruction.name}`);
        }
      }
    }
  }
  assert.deepEqual([...clashes], []);
});

Deno.test("decoding a random word of an encoding gives it, or one that is more specific, or nothing when it is unallocated", () => {
  for (const encoding of allEncodings()) {
    // Without EL2, the word is an access to any register.
    if (encoding.instruction.feature === "FEAT_EL2") continue;
    for (let i = 0; i < 4; i++) {
      const word = randomWord(encoding), found = decode(word);
      if (found === encoding) continue;
      const unallocated = encoding.instruction.unallocated(fieldValues(encoding.instruction, word));
      assert.ok(unallocated || found && bits(found.mask) >= bits(encoding.mask), `${encoding.instruction.name} 0x${word.toString(16)}`);
    }
  }
});

function staticNodes(node: Node): Node[] {
  if (node.isStatic) return [node];
  return "operands" in node ? node.operands.flatMap(staticNodes) : [];
}

function nodesOf(statements: readonly Statement[]): Node[] {
  return statements.flatMap((s): Node[] => {
    if (s.kind === "if") return [s.condition, ...nodesOf(s.then), ...nodesOf(s.otherwise)];
    return Object.values(s).flat().filter((v): v is Node => typeof v === "object" && v !== null && "isStatic" in v);
  }).flatMap((node) => node.isStatic ? [node] : staticNodes(node));
}

Deno.test("static values are the same in numbers and in bigints, and within their bounds", () => {
  for (const encoding of allEncodings()) {
    const nodes = nodesOf(semanticsOf(encoding).statements).filter((n) => n.kind === "op");
    for (let i = 0; i < 2; i++) {
      const word = randomWord(encoding);
      if (decode(word) !== encoding) continue;
      for (const node of nodes) {
        const big = evaluateBig(node)(word);
        if (node.low === undefined || node.high === undefined) continue;
        const what = `${encoding.instruction.name} 0x${word.toString(16)}`;
        assert.equal(BigInt(evaluateNumber(node)(word)), big, what);
        assert.ok(big >= node.low && big <= node.high, `${what}: ${big} is not from ${node.low} to ${node.high}`);
      }
    }
  }
});
