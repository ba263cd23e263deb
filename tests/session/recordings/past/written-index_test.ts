// The index of written pages: it never denies a write, whoever made it, and it changes no run.

import assert from "node:assert/strict";
import { assemble } from "../../../../src/session/assembly/assemble.ts";
import type { System } from "../../../../src/session/assembly/system/system.ts";
import { SessionRun } from "../../../../src/session/engine/session-run.ts";
import { alone } from "../../../../src/model/plans/plan.ts";
import { AccessSearch } from "../../../../src/session/recordings/past/accesses.ts";
import { mayHave, WrittenIndex } from "../../../../src/session/recordings/past/written-index.ts";
import { loaded } from "../../../../src/session/snapshots/begin.ts";
import { filledPages } from "../../../../src/session/state/pages.ts";
import type { SystemState } from "../../../../src/session/state/system-state.ts";
import { PageSet } from "../../../../src/kit/support/values/page-set.ts";
import { PartialPages } from "../../../../src/kit/support/values/written-words.ts";
import { PAGE_SIZE } from "../../../../src/kit/support/values/sizes.ts";
import { Random } from "../../../support/random.ts";
import { resultOf } from "../searches.ts";
import { demoPlan, hashesOf, runTo } from "../../snapshots/systems.ts";

/** Instructions between two looks. */
const STEP = 5_000;

const setOf = (...pages: number[]) => {
  const set = new PageSet(64, new Uint8Array(8));
  for (const page of pages) set.bits[page - 64 >>> 3] |= 1 << (page & 7);
  return set;
};

/** All pages that are not zero, by number. */
const contentOf = ({ machine }: System) => new Map([...filledPages(machine)].map(([page, bytes]) => [page, bytes.slice()]));

const ZERO = new Uint8Array(PAGE_SIZE);

Deno.test("a set of pages has what was put in", () => {
  const set = setOf(64, 90);
  assert.deepEqual([63, 64, 65, 90, 91, 1000].map((page) => set.has(page)), [false, true, false, true, false, false]);
  assert.deepEqual([...set], [64, 90]);
  set.add(setOf(65));
  assert.equal(set.has(65) && set.has(64), true);
});

Deno.test("pages are found between places, and parts that are united forget nothing", () => {
  const random = new Random(3);
  for (let round = 0; round < 200; round++) {
    // Eight bytes a part: from 2 to 12 parts fit.
    const index = new WrittenIndex(8 * (2 + random.below(11)));
    const parts: { first: number; end: number; before: number; boundary: number; page: number }[] = [];
    let end = 0;
    for (let count = random.below(30); count > 0; count--) {
      const first = end, page = 64 + random.below(6), before = index.boundary;
      end += random.below(3);
      index.add(end, { pages: setOf(page), partial: PartialPages.NONE, registers: 1n << BigInt(page) });
      parts.push({ first, end, before, boundary: index.boundary, page });
    }
    assert.ok(index.bytes <= Math.max(index.limit, 8));
    for (let question = 0; question < 40; question++) {
      const page = 64 + random.below(6), from = random.below(parts.length + 1), to = from + random.below(parts.length + 1 - from);
      const isIn = parts.slice(from, to).some((part) => part.page === page);
      const exact = random.below(2) === 0;
      const place = (at: number) => ({
        instructions: at === 0 ? 0 : parts[at - 1].end,
        ...exact && { boundary: at === 0 ? 0 : parts[at - 1].boundary },
      });
      const found = index.has(
        from === 0 ? undefined : place(from),
        place(to),
        random.below(2) ? { pa: page * PAGE_SIZE, length: 8 } : { bit: 1n << BigInt(page) },
      );
      if (isIn) assert.equal(found, true);
      if (exact && index.bytes === 8 * parts.length) assert.equal(found, isIn, "nothing was united: the answer is exact");
    }
  }
});

/** Words by the number of the word, of some pages. */
type Words = ReadonlySet<number>;

/** These words of pages, as the core gives them. */
function writtenOf(words: Words) {
  const pages = new Map<number, number[]>();
  for (const word of words) {
    const bits = pages.get(word >>> 9) ?? new Array<number>(16).fill(0);
    bits[word >>> 5 & 15] |= 1 << (word & 31);
    pages.set(word >>> 9, bits);
  }
  const partial = [...pages].toSorted(([one], [other]) => one - other).filter(([, bits]) => bits.some((some) => some !== -1));
  return {
    pages: setOf(...pages.keys()),
    partial: new PartialPages(Uint32Array.from(partial.flatMap(([page, bits]) => [page, ...bits]))),
    registers: 0n,
  };
}

Deno.test("words of pages are found by their bytes as in a plain set, also after parts are united", () => {
  const random = new Random(8);
  for (let round = 0; round < 60; round++) {
    // Parts of which one, two or four are united.
    const parts = Array.from({ length: 4 }, () => {
      const words = new Set<number>();
      for (let page = 64; page < 68; page++) {
        const kind = random.below(4);
        if (kind === 0) { for (let word = 0; word < 512; word++) words.add(512 * page + word); }
        else if (kind < 3) { for (let count = 1 + random.below(320); count > 0; count--) words.add(512 * page + random.below(512)); }
      }
      return words;
    });
    const all = parts.reduce((sum, words) => sum + 8 + writtenOf(words).partial.bytes, 0), isUnited = round % 3 > 0;
    const index = new WrittenIndex([all, all - 1, 1][round % 3]);
    parts.forEach((words, part) => index.add(part + 1, writtenOf(words)));
    for (let question = 0; question < 100; question++) {
      const pa = 64 * PAGE_SIZE + random.below(4 * PAGE_SIZE), length = 1 + random.below(random.below(8) ? 16 : 6000);
      const from = isUnited ? 0 : random.below(5), to = isUnited ? 4 : from + random.below(5 - from);
      const place = (at: number) => ({ instructions: at, boundary: at });
      const touched = new Set<number>();
      for (let word = Math.floor(pa / 8); word <= (pa + length - 1) / 8; word++) touched.add(word);
      const expected = parts.slice(from, to).some((words) => !words.isDisjointFrom(touched));
      assert.equal(
        index.has(from === 0 ? undefined : place(from), place(to), { pa, length }),
        expected,
        `${round}: 0x${pa.toString(16)}+${length}`,
      );
    }
  }
});

Deno.test("whatever changes in RAM is among the written words, and the run is the same", async () => {
  const plan = await demoPlan(), system = assemble(plan), plain = assemble(plan), { core } = system;
  core.forgetWritten(true);
  let before = contentOf(system), changed = 0, noted = 0;
  for (let at = STEP; at <= 200_000; at += STEP) {
    runTo(system, at);
    const after = contentOf(system), written = core.written();
    core.forgetWritten(true);
    for (const page of new Set([...before.keys(), ...after.keys()])) {
      const one = before.get(page) ?? ZERO, other = after.get(page) ?? ZERO;
      for (let word = 0; word < PAGE_SIZE; word += 8) {
        const isWritten = mayHave(written, { pa: page * PAGE_SIZE + word, length: 8 });
        if (isWritten) noted++;
        if (one.subarray(word, word + 8).every((byte, index) => byte === other[word + index])) continue;
        changed++;
        assert.ok(isWritten, `0x${(page * PAGE_SIZE + word).toString(16)} before ${at}`);
      }
    }
    assert.deepEqual([...contentOf(system).keys()], [...after.keys()], "pages that were written earlier are still read");
    before = after;
  }
  runTo(plain, 200_000);
  assert.equal(hashesOf(system), hashesOf(plain));
  assert.ok(changed > 100 && noted < 10 * changed, `${changed} changed, ${noted} noted`);
});

Deno.test("a state that shares the pages that were not written equals one that compares all", async () => {
  const plan = await demoPlan(), system = assemble(plan), { core } = system;
  runTo(system, 60_000);
  const first = system.save();
  core.forgetWritten();
  runTo(system, 90_000);
  const quick = system.keep({ pages: first.pages, changed: core.written().pages }), full = system.keep(first);
  assert.deepEqual([...quick.pages], [...full.pages]);
  const shared = [...quick.pages].filter(([page, bytes]) => first.pages.get(page) === bytes).length;
  assert.ok(shared > quick.pages.size / 2, `${shared} of ${quick.pages.size}`);
});

/** A run with states kept after each of these counts, and how many machines repeat it. */
async function keptRun(
  counts: readonly number[],
): Promise<{ run: SessionRun; system: System; machines: () => number; repeated: () => number }> {
  const plan = await demoPlan(), system = assemble(plan), begun: { system: System; from: number }[] = [];
  const run = new SessionRun(system, (from?: SystemState) => from ? loaded(alone(plan), from) : assemble(alone(plan)), undefined);
  run.observe({ past: (past) => begun.push({ system: past, from: past.instructions() }) });
  run.keepStates();
  for (const count of counts) {
    runTo(system, count);
    run.keepNow();
  }
  return {
    run,
    system,
    machines: () => begun.length,
    repeated: () => begun.reduce((sum, { system, from }) => sum + system.instructions() - from, 0),
  };
}

Deno.test("a search for a write repeats only the parts of the run that may have one, and finds the same", async () => {
  const { run, system, machines, repeated } = await keptRun([20_000, 28_000, 36_000]);
  runTo(system, 40_000);
  const random = new Random(5), pages = [...contentOf(system).keys()];
  let spared = 0;
  for (let round = 0; round < 3; round++) {
    const pa = pages[random.below(pages.length)] * PAGE_SIZE + 8 * random.below(512);
    const watched = { kind: "memory", watch: { pa, length: 8, kind: "write" } } as const, upTo = run.upTo(system);
    const before = repeated(), found = resultOf(new AccessSearch(upTo, watched, 3)), indexed = repeated() - before;
    const all: typeof upTo = {
      ...upTo,
      rerun: { milestone: (moment) => run.milestone(moment), pastAt: (from) => run.pastAt(from), mayBeWritten: () => true },
    };
    const began = repeated(), expected = resultOf(new AccessSearch(all, watched, 3)), full = repeated() - began;
    assert.deepEqual(found, expected, `pa 0x${pa.toString(16)}`);
    assert.ok(indexed <= full);
    spared += full - indexed;
  }
  assert.ok(spared > 10_000, `${spared} instructions spared`);
  const never = pages.find((page) => !run.mayBeWritten(undefined, run.upTo(system), { pa: page * PAGE_SIZE, length: PAGE_SIZE }))!;
  const count = machines(), far = repeated();
  const watch = { pa: never * PAGE_SIZE, length: 8, kind: "write" } as const;
  const { accesses, start } = resultOf(new AccessSearch(run.upTo(system), { kind: "memory", watch }, 1));
  assert.deepEqual([accesses, start?.at], [[], 0]);
  assert.deepEqual([machines() - count, repeated() - far], [1, 0], "never written: nothing is repeated");
});
