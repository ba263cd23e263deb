// Which registers of a region are stored where: on every way through its blocks a register whose
// local is newer than the CPU state counts as dirty, whatever blocks stored at their ends.

import assert from "node:assert/strict";
import { dataFlow, type FlowBlock } from "../../../../../src/cpu/core/translator/regions/data-flow.ts";
import { add, keepOnly, noRegisters, without } from "../../../../../src/cpu/core/translator/code/register-use.ts";
import { Random } from "../../../../support/random.ts";

const general = (...numbers: number[]) => ({ general: numbers.reduce((mask, number) => mask | 1 << number, 0), vector: 0 });

Deno.test("a block stores what a block after it does not store anyway", () => {
  const block = (written: number[], successors: number[], stores = false): FlowBlock => ({
    read: noRegisters(),
    written: general(...written),
    stores,
    successors,
  });
  // Two loops, of which one changes X0 and X2, and the other X0 and X1; the last block leaves.
  const blocks = [block([0, 1, 2, 3], [1, 2], true), block([0, 2], [1, 3]), block([0, 1], [2, 3]), block([], [], true)];
  const { dirty, late } = dataFlow(blocks, [0, 1, 2, 3]);
  assert.deepEqual(dirty, [general(), general(0, 2), general(0, 1), general(0, 1, 2)]);
  assert.deepEqual(late, [general(0), general(), general(), general()]);
});

Deno.test("registers that are newer than the CPU state are dirty on 300 random ways", () => {
  const random = new Random(30), set = () => ({ general: random.word() & random.word(), vector: random.word() & random.word() });
  let late = 0;
  for (let i = 0; i < 300; i++) {
    const blocks = Array.from({ length: 2 + random.below(8) }, (): FlowBlock => ({
      read: set(),
      written: set(),
      stores: random.below(2) > 0,
      successors: [],
    })).map((block, _, all) => ({ ...block, successors: Array.from({ length: random.below(4) }, () => random.below(all.length)) }));
    const flow = dataFlow(blocks, blocks.map((_, node) => node)), newer = noRegisters();
    for (let node: number | undefined = 0, steps = 0; node !== undefined && steps < 100; steps++) {
      assert.deepEqual(without(newer, flow.dirty[node]), noRegisters(), `block ${node} of ${JSON.stringify(blocks)}`);
      const { written, stores, successors }: FlowBlock = blocks[node];
      add(newer, written);
      if (stores) {
        keepOnly(newer, flow.late[node]);
        if (newer.general || newer.vector) late++;
      }
      node = successors[random.below(Math.max(1, successors.length))];
    }
  }
  assert.ok(late > 100, `${late} late stores`);
});
