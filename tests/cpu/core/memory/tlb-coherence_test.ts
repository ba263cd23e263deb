// The soft TLBs against the walk: whatever a guest maps, unmaps and switches, as long as it
// invalidates as the architecture asks, an access goes where a walk of the tables leads at that
// moment.

import assert from "node:assert/strict";
import fc from "fast-check";
import { Pstate } from "../../../../src/cpu/core/architecture/exceptions.ts";
import { AccessKind } from "../../../../src/cpu/core/memory/translation.ts";
import { enable, Leaf, PageTables } from "./page-tables.ts";
import { RAM_BASE, Rig } from "../rig.ts";

const BLOCK_2M = 0x20_0000n;
const BLOCK_1G = 0x4000_0000n;
/** Pages and blocks that share TLB entries: their addresses have equal low bits. */
const AREAS = [0n, BLOCK_2M];
const PAGES = [0n, 0x1f_f000n];
/** The low half has tables and non-global translations for each ASID, the high half global ones. */
const HIGH = 0xffff_0000_0000_0000n;

const REGIMES = [Pstate.EL0t, Pstate.EL1h, Pstate.EL1h | Pstate.PAN];
const ASIDS = 2;

type Operation =
  | {
    kind: "page" | "block" | "giant";
    high: boolean;
    asid: number;
    area: number;
    page: number;
    target: number;
    user: boolean;
    valid: boolean;
  }
  | { kind: "asid"; asid: number }
  | { kind: "regime"; regime: number }
  | { kind: "access"; high: boolean; area: number; page: number; write: boolean };

const index = (length: number) => fc.nat({ max: length - 1 });
const mapping = fc.record({
  kind: fc.constantFrom("page" as const, "page" as const, "page" as const, "block" as const, "block" as const, "giant" as const),
  high: fc.boolean(),
  asid: index(ASIDS),
  area: index(AREAS.length),
  page: index(PAGES.length),
  target: index(8),
  user: fc.boolean(),
  valid: fc.nat({ max: 4 }).map((n) => n > 0),
});
const access = fc.record({
  kind: fc.constant("access" as const),
  high: fc.boolean(),
  area: index(AREAS.length),
  page: index(PAGES.length),
  write: fc.boolean(),
});
const operation: fc.Arbitrary<Operation> = fc.oneof(
  { weight: 3, arbitrary: mapping },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("asid" as const), asid: index(ASIDS) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("regime" as const), regime: index(REGIMES.length) }) },
  { weight: 6, arbitrary: access },
);

Deno.test("accesses follow the tables through any sequence of changes that are invalidated", () => {
  fc.assert(
    fc.property(fc.array(operation, { minLength: 200, maxLength: 400 }), (operations) => run(operations)),
    { numRuns: 100 },
  );
});

function run(operations: readonly Operation[]): void {
  const rig = new Rig();
  const low = Array.from({ length: ASIDS }, () => new PageTables(rig));
  const high = new PageTables(rig);
  enable(rig, low[0], high);
  const address = (isHigh: boolean, area: number, page: number) => (isHigh ? HIGH : 0n) + AREAS[area] + PAGES[page];
  const system = (op2: number, operand: bigint) => rig.call("systemInstruction", 8 << 7 | 7 << 3 | op2, BigInt.asIntN(64, operand));
  let asid = 0, regime = 1;
  const enter = (value: number) => rig.pstate(REGIMES[regime = value]);
  /** An operation that needs EL1; then back to the earlier level. */
  const atEl1 = (body: () => void) => {
    rig.pstate(Pstate.EL1h);
    body();
    enter(regime);
  };

  for (const operation of operations) {
    switch (operation.kind) {
      case "asid":
        asid = operation.asid;
        atEl1(() => rig.call("writeSystemRegister", 3 << 14 | 2 << 7, BigInt.asIntN(64, BigInt(asid) << 48n | BigInt(low[asid].root))));
        break;
      case "regime":
        enter(operation.regime);
        break;
      case "access": {
        const va = BigInt.asIntN(64, address(operation.high, operation.area, operation.page));
        const expected = rig.functions.translate(va, 8 | (operation.write ? AccessKind.Write : 0));
        const actual = rig.functions[operation.write ? "slowAddress" : "readAddress"](va, 8);
        assert.equal(actual, expected);
        enter(regime);
        break;
      }
      default: {
        const { kind, area, page, user, valid } = operation;
        const tables = operation.high ? high : low[operation.asid];
        const level = { page: 3, block: 2, giant: 1 }[kind];
        const va = address(operation.high, area, kind === "page" ? page : 0) & ~(kind === "giant" ? BLOCK_1G - 1n : 0n);
        const attributes = Leaf.Accessed | (user ? Leaf.User : 0n) | (operation.high ? 0n : Leaf.NonGlobal);
        // A page's table is not made under a block that is in its way.
        if (kind !== "giant" && blocked(rig, tables, va, 1) || kind === "page" && blocked(rig, tables, va, 2)) break;
        const target = RAM_BASE +
          (kind === "page" ? operation.target * 4096 : kind === "block" ? operation.target % 2 * Number(BLOCK_2M) : 0);
        const descriptor = tables.descriptor(va, level);
        const replacesTable = level < 3 && (rig.peek(descriptor) & 3n) === 3n;
        rig.poke(descriptor, valid ? BigInt(target) | attributes | (level === 3 ? 3n : 1n) : 0n);
        // VAAE1 by any address of the page or block; all, where a table with everything under it
        // went.
        atEl1(() => {
          if (replacesTable) system(0, 0n);
          else system(3, (va + (level === 3 ? 0n : PAGES[page])) >> 12n & (1n << 44n) - 1n);
        });
      }
    }
  }
}

/** Whether a block replaces the table of a lower level. */
function blocked(rig: Rig, tables: PageTables, va: bigint, level: number): boolean {
  return (rig.peek(tables.descriptor(va, level)) & 3n) === 1n;
}
