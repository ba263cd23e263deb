// Rows of events as lists draw them.

import assert from "node:assert/strict";
import { type HypercallName, HYPERCALLS } from "../../src/abi/hypercalls.ts";
import { ErrorCode } from "../../src/abi/errors.ts";
import type { TraceEvent, TraceKind } from "../../src/abi/trace.ts";
import { eventRow } from "../../src/inspection/readers/read-trace.ts";
import type { EVENTS } from "../../src/queries/tables.ts";
import type { RowOf } from "../../src/queries/table.ts";
import { eventColumns } from "../../src/tui/panes/event-columns.ts";
import { plainLook } from "../../src/tui/look/theme.ts";
import { fit } from "../../src/support/text-width.ts";
import { timeText } from "../../src/support/number-text.ts";
import { Random } from "../support/random.ts";

const NAMES = Object.keys(HYPERCALLS) as HypercallName[];
const ERRORS = Object.keys(ErrorCode);
const VCPUS = ["host/0", "host/1", "ping/0", "a-vm-with-a-long-name/0", "rm/0"];
/** Few values, so that events differ in little. */
const VALUES = [0n, 0x1000n, 0x8000_8890n, 0x8000_8990n, 2n ** 63n];

/** Events that follow each other closely, and differ in little. */
function randomEvents(count: number): TraceEvent[] {
  const random = new Random(17);
  let time = 36_000_000_000;
  const numbers = new Map<string, number>();
  return Array.from({ length: count }, (_, id): TraceEvent => {
    time += random.below(3) * 150;
    const kind = random.pick<TraceKind>(["hvc", "hvc", "ioctl", "rpc", "virq", "mmio", "psci"]);
    const operation = kind !== "virq", key = operation ? kind : `${kind} ${time}`, number = numbers.get(key) ?? 0;
    numbers.set(key, number + 1);
    const name = kind === "hvc" ? random.pick(NAMES.slice(0, 12)) : random.pick(["GH_VCPU_RUN", "MEM_LEND", "ack", "eoi"]);
    const fields = Object.fromEntries(Array.from({ length: random.below(5) }, (_, at) => [`argument_${at}`, random.pick(VALUES)]));
    const result = random.below(4) === 0 ? undefined : { name: random.pick(ERRORS), code: 1, refused: false, fields: {} };
    return {
      ...{ id, kind, name, time, end: time, operation, number, fields, result, vcpu: random.pick(VCPUS), pcpu: 0 },
      ...{ parent: undefined, why: undefined, at: { boundary: 0, stage: "turn", retired: 0 } },
    } as unknown as TraceEvent;
  });
}

/** A row as a list of this width draws it. */
function drawn(row: RowOf<typeof EVENTS>, width: number, brief: boolean): string {
  const context = { look: plainLook("dark", "none", "ascii"), bad: false, first: false };
  return eventColumns(width, brief).map(({ pieces, width: columns }) => {
    const text = pieces(row, context as never).map((piece) => piece.text).join("");
    return fit(text, columns).padEnd(columns);
  }).join(" ");
}

Deno.test("of 10,000 random events no two that differ look equal, as wide as screen 9 and the overview have them in 120 columns", () => {
  const rows = randomEvents(10_000).map((event) => eventRow(event));
  for (const [width, brief] of [[80, false], [58, true], [40, true]] as const) {
    const seen = new Map<string, string>();
    for (const row of rows) {
      const shown = drawn(row, width, brief);
      // A row has no number while it has room for its event, and never less than a microsecond.
      const content = JSON.stringify([timeText(Number(row.end)), row.vm, row.kind, row.text]);
      const other = seen.get(shown);
      assert.ok(other === undefined || other === content, `${width}: "${shown}" is ${other} and ${content}`);
      seen.set(shown, content);
    }
    assert.ok(seen.size > 5000, `${seen.size} of 10,000 look different`);
  }
});

Deno.test("where a row is too short for its event its arguments are cut, not its result", () => {
  for (const row of randomEvents(2_000).map((event) => eventRow(event))) {
    if (row.res === null) continue;
    const shown = drawn(row, 80, false);
    const result = ` → ${row.res}`, room = 80 - 33 - row.name.length - 8;
    assert.ok(result.length > room || shown.includes(result), `${shown} has ${row.res}`);
    assert.ok(shown.includes(row.name), shown);
  }
});
