// Sizes and durations: one grammar for files, scenarios, faults and the command line.

import assert from "node:assert/strict";
import * as kinds from "../../../../src/model/commands/kinds.ts";
import { DURATION_PATTERN, parseDuration, parseSize, SIZE_PATTERN } from "../../../../src/kit/support/text/units.ts";

/** Texts and the value of each; undefined: not of this form. */
const SIZES: Readonly<Record<string, number | undefined>> = {
  ...{
    "256MiB": 2 ** 28,
    "256M": 2 ** 28,
    "256 MB": 2 ** 28,
    "1.5G": 1.5 * 2 ** 30,
    "2T": 2 ** 41,
    "4096": 4096,
    "12B": 12,
    "0x1000": 4096,
  },
  ...{ "": undefined, MiB: undefined, "-1K": undefined, "1e3K": undefined, "1Ki": undefined, "4m": undefined, "0x": undefined },
};
const DURATIONS: Readonly<Record<string, number | undefined>> = {
  ...{ "10s": 10e9, "1.5ms": 1.5e6, "100us": 1e5, "0.3us": 300, "0.0000001s": 100, "2m": 120e9, "2 min": 120e9, "1h": 3600e9 },
  ...{ "10": undefined, "": undefined, s: undefined, "-1s": undefined, "1S": undefined, "1d": undefined },
};
/** Of the form, and too fine or too large. */
const NUMBERS_BEYOND = ["0.3K", "9999999999G"], TIMES_BEYOND = ["9999999999h"];

const asTyped = (kind: { parse(text: string): number }) => (text: string) => {
  try {
    return kind.parse(text);
  } catch {
    return undefined;
  }
};

Deno.test("a size is the same in a file and on the command line, and its schema takes the same texts", () => {
  for (const [text, bytes] of Object.entries(SIZES)) {
    assert.equal(parseSize(text), bytes, text);
    assert.equal(asTyped(kinds.anySize)(text), bytes, text);
    assert.equal(new RegExp(SIZE_PATTERN).test(text), bytes !== undefined, text);
  }
  for (const text of NUMBERS_BEYOND) assert.deepEqual([parseSize(text), asTyped(kinds.anySize)(text)], [undefined, undefined]);
});

Deno.test("a duration is the same in a file and on the command line, and its schema takes the same texts", () => {
  for (const [text, ns] of Object.entries(DURATIONS)) {
    assert.equal(parseDuration(text), ns, text);
    assert.equal(asTyped(kinds.duration)(text), ns, text);
    assert.equal(new RegExp(DURATION_PATTERN).test(text), ns !== undefined, text);
  }
  for (const text of TIMES_BEYOND) assert.deepEqual([parseDuration(text), asTyped(kinds.duration)(text)], [undefined, undefined]);
});
