// Snapshot files whose structure was changed by somebody who knows the format: sections cut,
// swapped, doubled, lost, with sizes that lie. Every checksum is right again. Each is refused, or
// it is the same snapshot in another shape.

import { Buffer } from "node:buffer";
import assert from "node:assert/strict";
import { readSnapshot, SnapshotError, type SnapshotFile, writeSnapshot } from "../../../src/session/snapshots/file.ts";
import { snapshotPlan } from "../../../src/app/cli/start/plans/saved-plans.ts";
import { snapshotOf } from "../../../src/session/snapshots/save.ts";
import { verifySnapshot } from "../../../src/session/snapshots/verify.ts";
import { Random } from "../../support/random.ts";
import { contentOf, fileOf, holding, PAGES, type Section, sectionsOf } from "./sections.ts";
import { SAVED_MACHINES } from "./furnished.ts";
import { LONG } from "../../support/long.ts";

/** Files of each machine, over all kinds of change; twice each in CI. */
const ROUNDS = LONG ? 5000 : 44;

const PAGE_SIZE = 4096;

type Change = (sections: Section[], random: Random) => Section[] | undefined;

const any = (sections: readonly Section[], random: Random) => random.below(sections.length);
const anyPages = (sections: readonly Section[], random: Random) => {
  const places = sections.flatMap(({ kind }, index) => kind === PAGES ? [index] : []);
  return places[random.below(places.length)];
};
const changed = (sections: Section[], at: number, change: Partial<Section>) => sections.with(at, { ...sections[at], ...change });

/** A size that is not this one: near it, near a limit, or anything. */
function lie(size: number, random: Random): number {
  const others = [0, size - 1, size + 1, size * 2, 2 << 20, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff, random.below(size + 1)];
  const other = others[random.below(others.length)] >>> 0;
  return other === size ? size + 1 : other;
}

/** Changes by name; undefined if the file has nothing to change so. */
const CHANGES: Readonly<Record<string, Change>> = {
  "a content is cut"(sections, random) {
    const at = any(sections, random), content = contentOf(sections[at]);
    return sections.with(at, holding(sections[at], content.subarray(0, random.below(content.length)), random.below(2) === 0));
  },
  "a content is longer"(sections, random) {
    const at = any(sections, random), more = Buffer.concat([contentOf(sections[at]), random.bytes(1 + random.below(5000))]);
    return sections.with(at, holding(sections[at], more, random.below(2) === 0));
  },
  "what is packed is cut"(sections, random) {
    const at = any(sections, random), { stored } = sections[at];
    const less = stored.subarray(0, random.below(stored.length));
    return changed(sections, at, { stored: less, storedSize: less.length });
  },
  "something follows the packed bytes"(sections, random) {
    const at = any(sections, random);
    const stored = Buffer.concat([sections[at].stored, random.bytes(1 + random.below(40))]);
    return changed(sections, at, { stored, storedSize: stored.length });
  },
  "two sections are swapped"(sections, random) {
    const [a, b] = [any(sections, random), any(sections, random)];
    return a === b ? undefined : sections.with(a, sections[b]).with(b, sections[a]);
  },
  "a section occurs twice"(sections, random) {
    return sections.toSpliced(any(sections, random), 0, sections[any(sections, random)]);
  },
  "a section is missing": (sections, random) => sections.toSpliced(any(sections, random), 1),
  "the file ends inside a section"(sections, random) {
    const kept = sections.slice(0, 1 + any(sections, random)), { stored } = kept.at(-1)!;
    return kept.with(-1, { ...kept.at(-1)!, stored: stored.subarray(0, random.below(stored.length)) });
  },
  "the size of a content lies"(sections, random) {
    const at = any(sections, random);
    return changed(sections, at, { size: lie(sections[at].size, random) });
  },
  "the stored size lies"(sections, random) {
    const at = any(sections, random);
    return changed(sections, at, { storedSize: lie(sections[at].storedSize, random) });
  },
  "both sizes lie alike"(sections, random) {
    const at = any(sections, random), size = lie(sections[at].size, random);
    return changed(sections, at, { size, storedSize: size });
  },
  "the coding lies"(sections, random) {
    const at = any(sections, random), { coding } = sections[at];
    return changed(sections, at, { coding: random.below(2) === 0 ? 1 - coding : 2 + random.below(254) });
  },
  "the kind lies"(sections, random) {
    const at = any(sections, random), kind = random.below(8);
    return kind === sections[at].kind ? undefined : changed(sections, at, { kind });
  },
  "reserved bytes are not zero": (sections, random) => changed(sections, any(sections, random), { reserved: 1 + random.below(0xffff) }),
  "a section of another kind comes between": (sections, random) =>
    sections.toSpliced(any(sections, random), 0, holding({ ...sections[0], kind: 6 + random.below(250) }, random.bytes(64), false)),
  "an empty section comes between": (sections, random) =>
    sections.toSpliced(any(sections, random), 0, holding({ ...sections[0], kind: 1 + random.below(5) }, new Uint8Array(0), false)),
  "packed otherwise"(sections, random) {
    const at = any(sections, random);
    return sections.with(at, holding(sections[at], contentOf(sections[at]), sections[at].coding === 0));
  },
  "a chunk of pages in two"(sections, random) {
    const at = anyPages(sections, random), chunk = pagesOf(contentOf(sections[at]));
    if (chunk.length < 2) return undefined;
    const cut = 1 + random.below(chunk.length - 1);
    const parts = [chunk.slice(0, cut), chunk.slice(cut)].map((part) => holding(sections[at], chunkOf(part), true));
    return sections.toSpliced(at, 1, ...parts);
  },
  "a page of a chunk is missing, doubled or out of order"(sections, random) {
    const at = anyPages(sections, random), chunk = pagesOf(contentOf(sections[at]));
    const [a, b] = [random.below(chunk.length), random.below(chunk.length)];
    const others = [chunk.toSpliced(a, 1), chunk.toSpliced(b, 0, chunk[a]), chunk.with(a, chunk[b]).with(b, chunk[a])];
    const other = others[random.below(3)];
    return a === b ? undefined : sections.with(at, holding(sections[at], chunkOf(other), true));
  },
  "the count of a chunk lies"(sections, random) {
    const at = anyPages(sections, random), content = contentOf(sections[at]).slice();
    const view = new DataView(content.buffer, content.byteOffset);
    view.setUint32(0, lie(view.getUint32(0, true), random), true);
    return sections.with(at, holding(sections[at], content, true));
  },
};

type Page = readonly [number: number, content: Uint8Array];

function pagesOf(chunk: Uint8Array): Page[] {
  const view = new DataView(chunk.buffer, chunk.byteOffset), count = view.getUint32(0, true);
  const start = 4 + 4 * count;
  return Array.from({ length: count }, (_, index) => [
    view.getUint32(4 + 4 * index, true),
    chunk.subarray(start + index * PAGE_SIZE, start + (index + 1) * PAGE_SIZE),
  ]);
}

function chunkOf(pages: readonly Page[]): Uint8Array {
  const head = new DataView(new ArrayBuffer(4 + 4 * pages.length));
  head.setUint32(0, pages.length, true);
  for (const [index, [number]] of pages.entries()) head.setUint32(4 + 4 * index, number, true);
  return Buffer.concat([new Uint8Array(head.buffer), ...pages.map(([, content]) => content)]);
}

/**
 * The result of reading a file, or why it is refused: by its structure, or as an invalid machine.
 */
async function read(path: string): Promise<SnapshotFile | string> {
  try {
    const snapshot = readSnapshot(path);
    return verifySnapshot(await snapshotPlan(path, snapshot), snapshot) ?? snapshot;
  } catch (error) {
    if (error instanceof SnapshotError) return error.message;
    throw error;
  }
}

const equalBytes = (a: Uint8Array, b: Uint8Array) => Buffer.compare(a, b) === 0;

for (const [what, machine] of Object.entries(SAVED_MACHINES)) {
  Deno.test(`forged files of ${what}, with correct checksums, are refused, or are the same snapshot`, async () => {
    const folder = await Deno.makeTempDir({ prefix: "el2-snapshot-" });
    try {
      const path = `${folder}/x`, plan = await machine.plan();
      for (const _done of writeSnapshot(path, snapshotOf(machine.system(plan), plan, "demo")));
      const whole = await Deno.readFile(path), sections = sectionsOf(whole);
      assert.ok(equalBytes(fileOf(sections), whole), "the sections are the file");
      const original = readSnapshot(path);
      const random = new Random(23), names = Object.keys(CHANGES);
      const outcomes = new Map(names.map((name) => [name, { refused: 0, same: 0 }]));
      for (let round = 0; round < ROUNDS; round++) {
        const name = names[round % names.length];
        const file = CHANGES[name](sections, random);
        const bytes = file && fileOf(file);
        if (bytes === undefined || equalBytes(bytes, whole)) continue;
        await Deno.writeFile(path, bytes);
        const found = await read(path);
        if (typeof found === "string") {
          assert.notEqual(found, "", name);
          outcomes.get(name)!.refused++;
          continue;
        }
        const { header, saved, state: { fields, pages } } = found;
        assert.deepEqual({ header, saved }, { header: original.header, saved: original.saved }, `${name}, round ${round}`);
        assert.ok(equalBytes(fields, original.state.fields), `${name}, round ${round}: other fields`);
        assert.equal(pages.size, original.state.pages.size, `${name}, round ${round}`);
        for (const [number, page] of pages) {
          assert.ok(equalBytes(page.bytes, original.state.pages.get(number)!.bytes), `${name}, round ${round}`);
        }
        outcomes.get(name)!.same++;
      }
      // No kind of change was idle, and what only has another shape is taken: the test tells the
      // two apart.
      for (const [name, { refused, same }] of outcomes) assert.ok(refused + same > 0, name);
      const SAME = ["packed otherwise", "a chunk of pages in two"];
      for (const name of SAME) assert.ok(outcomes.get(name)!.same > 0, name);
      for (const [name, { same }] of outcomes) {
        if (![...SAME, "something follows the packed bytes"].includes(name)) assert.equal(same, 0, name);
      }
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  });
}
