// The map of memory against `el2 mem map`: random layouts of memory, drawn in five sizes of a
// terminal, are read back cell by cell.

import assert from "node:assert/strict";
import type { Row } from "../../../../../src/model/queries/table.ts";
import { LONG } from "../../../../support/long.ts";
import { Random } from "../../../../support/random.ts";
import { phoneAnswer } from "../../phone.ts";
import { Rig } from "../../rig.ts";

const PAGE = 4096, MiB = 2 ** 20, GiB = 2 ** 30, START = 0x4000_0000;
const SIZES = [[80, 24], [100, 30], [120, 36], [160, 48], [200, 60]] as const;
const LAYOUTS = LONG ? 20 : 5;

/** A kind of run: its letter on the map, its rank in a cell with others, and its row. */
interface Kind {
  readonly letter: string;
  readonly rank: number;
  readonly name: string;
  readonly row: Partial<Row>;
}

const owned = (letter: string, name: string): Kind => ({
  ...{ letter, name, rank: 1 },
  row: { access: "exclusive", vm: [`vm:${name}`], state: "private", owner_vm: `vm:${name}` },
});
const parcel = { parcel: "parcel:0x12", owner_vm: "vm:host" };
const KINDS: readonly Kind[] = [
  ...[owned("H", "host"), owned("D", "debian"), owned("T", "rt")],
  { letter: "d", rank: 3, name: "host and debian", row: { access: "host", vm: ["vm:host", "vm:debian"], state: "accepted", ...parcel } },
  { letter: "*", rank: 3, name: "three", row: { access: "shared", vm: ["vm:host", "vm:debian", "vm:rt"], state: "accepted", ...parcel } },
  { letter: "T", rank: 2, name: "rt", row: { access: "exclusive", vm: ["vm:rt"], state: "accepted", ...parcel } },
  { letter: "?", rank: 4, name: "offered", row: { access: "exclusive", vm: ["vm:host"], state: "offered", ...parcel } },
  { letter: "!", rank: 5, name: "blocked", row: { access: "exclusive", vm: ["vm:rt"], state: "blocked", ...parcel } },
  { letter: "#", rank: 1, name: "hypervisor", row: { access: "hypervisor", vm: [], state: "hypervisor", owner_vm: null } },
  { letter: ".", rank: 0, name: "free", row: { access: "free", vm: [], state: "free", owner_vm: null } },
  { letter: "-", rank: 0, name: "unmapped", row: { access: "unmapped", vm: [], state: "unmapped", owner_vm: null } },
];

interface Run extends Kind {
  readonly from: number;
  readonly to: number;
}

/** Runs of memory, from pages to hundreds of MiB, some with nothing between them. */
function layout(random: Random): Run[] {
  const runs: Run[] = [];
  let at = START;
  for (let left = 4 + random.below(30); left > 0; left--) {
    const size = PAGE << random.below(17);
    if (random.below(12) === 0) at += random.pick([2 * MiB, GiB]);
    runs.push({ ...random.pick(KINDS), from: at, to: at + size * (1 + random.below(4)) });
    at = runs.at(-1)!.to;
  }
  return runs;
}

function rowOf({ from, to, row }: Run): Row {
  const pa = `0x${from.toString(16).padStart(8, "0")}`;
  return { id: `pa:${pa}`, pa, size: to - from, mapped: [], parcel: null, owner: "obj:12", owner_vm: null, ...row } as Row;
}

const UNITS: Readonly<Record<string, number>> = { "": 1, K: 1024, M: MiB, G: GiB };
const bytes = (text: string) => parseFloat(text) * UNITS[/[KMG]?$/.exec(text)![0]];

/** The map as it is drawn: each line's address, and its cells; folded lines have none. */
function readMap(lines: readonly string[]) {
  const [, cell, row] = /cell (\S+) {2}row (\S+)/.exec(lines.join("\n"))!;
  const cells = bytes(row) / bytes(cell);
  const drawn = lines.flatMap((line) => {
    const match = /^[|│┃]?[ >▌](0x[0-9a-f]{8,}|~|…|no memory) */.exec(line);
    if (!match) return [];
    const from = /^[|│┃]/.test(line) ? 14 : 13;
    return [{
      address: match[1].startsWith("0x") ? Number(match[1]) : undefined,
      kind: match[1],
      text: [...line].slice(from, from + cells).join(""),
    }];
  });
  return { cell: bytes(cell), row: bytes(row), drawn };
}

async function mapOf(
  runs: readonly Run[],
  width: number,
  height: number,
  options: ConstructorParameters<typeof Rig>[2],
  depth: "none" | "16" | "direct",
) {
  const rig = new Rig(width, height, options, depth);
  rig.answer = (query) => query.table === "mem.map" ? { ...phoneAnswer(query), rows: runs.map(rowOf) } : phoneAnswer(query);
  await rig.type("4");
  const lines = await rig.lines();
  // The pane of the zoom, where there is one, has addresses too.
  const end = lines.findIndex((line) => /[-─━=] Zoom /.test(line));
  return readMap(end < 0 ? lines : lines.slice(0, end));
}

/** Runs in a range of addresses. */
const within = (runs: readonly Run[], from: number, to: number) => runs.filter((run) => run.from < to && run.to > from);
/** Those that a cell may show. */
const highest = (runs: readonly Run[]) => runs.filter(({ rank }) => rank === Math.max(...runs.map((one) => one.rank)));

Deno.test("the map of memory draws what el2 mem map lists, cell by cell, without colors and in ASCII, and leaves nothing out", async () => {
  const random = new Random(53);
  for (let number = 0; number < LAYOUTS; number++) {
    const runs = layout(random);
    for (const [width, height] of SIZES) {
      for (const [ascii, depth] of [[true, "none"], [false, "none"], [true, "16"]] as const) {
        const what = `layout ${number} at ${width}x${height}, ${ascii ? "ASCII" : "all glyphs"}, ${depth}`;
        const { cell, row, drawn } = await mapOf(runs, width, height, { ascii }, depth);
        const shown = new Set<Run>();
        let next = START;
        for (const [at, { address, kind, text }] of drawn.entries()) {
          if (address === undefined) {
            const to = drawn[at + 1]?.address ?? runs.at(-1)!.to, between = within(runs, next, to);
            if (kind === "no memory") assert.deepEqual(between, [], what);
            else {
              // One run, named with its size: all of it is here.
              assert.equal(new Set(between.map(({ letter }) => letter)).size, 1, what);
              assert.ok(text.includes(between[0].name) || text[0] === between[0].letter, `${what}: ${text}`);
              for (const one of between) shown.add(one);
            }
            next = to;
            continue;
          }
          assert.equal(address, next, `${what}: lines follow each other`);
          next = address + row;
          [...text].forEach((letter, index) => {
            const there = within(runs, address + index * cell, address + (index + 1) * cell), may = highest(there);
            if (letter === "@" || letter === "◆" || letter === "+") return void may.forEach((one) => shown.add(one));
            assert.ok(
              may.length === 0 ? letter === " " : may.some((one) => one.letter === letter),
              `${what}: cell ${index} of ${address.toString(16)} is "${letter}"`,
            );
            for (const one of may) if (one.letter === letter) shown.add(one);
          });
        }
        assert.ok(next >= runs.at(-1)!.to, `${what}: the map ends before memory does`);
        assert.deepEqual(runs.filter((run) => run.to - run.from >= 2 * cell && !shown.has(run)), [], what);
      }
    }
  }
});

Deno.test("with colors, ▀ is memory that several VMs share, in every cell that shows such memory, and nothing else", async () => {
  const random = new Random(54);
  for (let number = 0; number < LAYOUTS; number++) {
    const runs = layout(random);
    const { cell, drawn } = await mapOf(runs, 120, 36, { ascii: false }, "direct");
    for (const { address, text } of drawn) {
      if (address === undefined) continue;
      [...text].forEach((drawnAs, index) => {
        const may = highest(within(runs, address + index * cell, address + (index + 1) * cell));
        const isShared = may.length > 0 && may.every(({ rank }) => rank === 3);
        if (drawnAs === "▀") assert.ok(isShared, `layout ${number}: ${address.toString(16)} cell ${index}`);
        else if (isShared) assert.match(drawnAs, /[d*◆]/, `layout ${number}: ${address.toString(16)} cell ${index}`);
      });
    }
  }
});
