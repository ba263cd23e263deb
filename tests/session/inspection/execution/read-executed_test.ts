// The executed code of the demo, with and without the rest of its code.

import assert from "node:assert/strict";
import { assemble } from "../../../../src/session/assembly/assemble.ts";
import { planDemo } from "../../../../src/app/configuration/plan-run.ts";
import { namesOf } from "../../../../src/session/inspection/execution/code-names.ts";
import { readExecuted } from "../../../../src/session/inspection/execution/read-executed.ts";
import { isCode } from "../../../../src/inside/symbols/symbol-table.ts";
import { placeIn } from "../../../../src/inside/symbols/vm-symbols.ts";
import { runTo } from "../../snapshots/systems.ts";

Deno.test("functions have the instructions that a look at each address gives, with and without those that did not run", async () => {
  const planned = await planDemo();
  assert.ok(planned.ok);
  const system = assemble({ ...planned.run, turbo: true }, undefined, true), names = (vm: string) => namesOf(system.symbols, vm);
  runTo(system, 60_000);
  const pages = system.core.counters.executedPages(),
    whole = readExecuted(pages, names),
    executed = readExecuted(pages, names, { unexecuted: false, blocks: false });
  const plain = ({ functions }: typeof whole[number]) => [...functions.values()].filter(({ instructions }) => instructions > 0);
  assert.deepEqual(executed.map(({ vm, instructions }) => [vm, instructions]), whole.map(({ vm, instructions }) => [vm, instructions]));
  for (const [index, one] of whole.entries()) {
    const { tables } = names(one.vm), expected = new Map<string, number>(), covered = new Set<bigint>();
    for (const { vm, address, counts } of pages) {
      if (vm !== one.vm) continue;
      for (const [at, count] of counts.entries()) {
        if (count === 0) continue;
        const place = address + BigInt(4 * at), name = placeIn(tables, place)?.symbol.name ?? "?";
        expected.set(name, (expected.get(name) ?? 0) + count);
        covered.add(place);
      }
    }
    for (const found of [one, executed[index]]) {
      assert.deepEqual(new Map(plain(found).map(({ name, instructions }) => [name, instructions])), expected);
    }
    assert.deepEqual(
      plain(executed[index]).toSorted((a, b) => Number(a.address - b.address)),
      plain(one).toSorted((a, b) => Number(a.address - b.address)),
    );
    const code = new Set(tables.flatMap(({ symbols }) => symbols.filter(({ type }) => isCode(type)).map(({ address }) => address)));
    assert.deepEqual(new Set([...one.functions.keys(), ...one.unexecuted]), code.union(new Set(executed[index].functions.keys())));
    assert.ok([...one.unexecuted].every((address) => !one.functions.has(address)));
    assert.ok(one.functions.size + one.unexecuted.length > executed[index].functions.size);
    assert.ok(executed[index].unexecuted.length === 0 && executed[index].blocks.length === 0);
    const inBlocks = one.blocks.flatMap(({ address, size }) => Array.from({ length: size / 4 }, (_, at) => address + BigInt(4 * at)));
    assert.deepEqual(inBlocks, [...covered].sort((a, b) => a < b ? -1 : 1));
    assert.ok(
      one.blocks.every(({ address, size }, at) =>
        at === 0 || one.blocks[at - 1].address + BigInt(one.blocks[at - 1].size) < address && size > 0
      ),
    );
  }
  assert.ok(whole.length > 2);
});
