// The linear engine against V8's own, which backtracks: equal answers on random patterns, and none
// that takes long.

import assert from "node:assert/strict";
import { LinearRegex } from "../../../../src/kit/support/text/linear-regex.ts";
import type { RegexFlags } from "../../../../src/kit/support/text/regex-syntax.ts";
import { Random } from "../../../support/random.ts";
import { cpuTime } from "../../../support/cpu-time.ts";
import { LONG } from "../../../support/long.ts";

const ROUNDS = LONG ? 500_000 : 10_000;
const TEXTS = 6;
const LETTERS = ["a", "b", "A", "0", "_", "-", " ", "\n", "\r", "{", "}", "]", "\\", "k", "ſ", "\u2028", "é", "É", "😀"];
const ATOMS = [
  ...[
    "a",
    "b",
    "ab",
    "A",
    ".",
    "\\w",
    "\\W",
    "\\d",
    "\\s",
    "\\S",
    "[a-c]",
    "[^a]",
    "[^]",
    "[]",
    "[\\]b]",
    "[\\w-]",
    "[\\b]",
    "]",
    "}",
    "{",
  ],
  ...[
    "{a",
    "\\x61",
    "\\x6",
    "\\u0061",
    "\\u{2}",
    "\\cJ",
    "\\c",
    "[\\c]",
    "\\0",
    "\\12",
    "\\8",
    "\\-",
    "\\k",
    "\\n",
    "é",
    "ſ",
    "😀",
    "{,2}",
    "a{,2}",
  ],
  ...["^", "$", "\\b", "\\B", "(?:)", "\\1", "\\2", "\\k<n>", "(?=a)", "(?<!b)"],
];
const QUANTIFIERS = ["*", "+", "?", "*?", "+?", "??", "{2}", "{1,}", "{0,2}", "{1,3}?", "{0}"];
const OPENINGS = ["(", "(?:", "(?<n>", "(?i:", "(?-i:", "(?s-m:", "(?m:"];

function pattern(random: Random, depth: number): string {
  const parts = Array.from({ length: random.below(4) }, () => {
    const inner = depth > 0 && random.below(3) === 0;
    const part = inner ? `${random.pick(OPENINGS)}${pattern(random, depth - 1)})` : random.pick(ATOMS);
    return random.below(3) === 0 ? part + random.pick(QUANTIFIERS) : part;
  });
  return random.below(5) === 0 ? `${parts.join("")}|${pattern(random, depth - 1)}` : parts.join("");
}

/** The error of patterns that V8 has and el2 refuses. */
const REFUSED = /is not supported, because patterns are matched in linear time$/;
const ways = /\(\?<?[=!]|\\[12k]/;

Deno.test("patterns match what they match in V8; those that V8 refuses are refused in its words", () => {
  const found = { matched: 0, missed: 0, wrong: 0, refused: 0, spans: 0 };
  for (let seed = 0; seed < ROUNDS; seed++) {
    const random = new Random(seed), source = pattern(random, 3), flags = random.pick<RegexFlags>(["", "i", "m", "im"]);
    const shown = `seed ${seed}: /${source}/${flags}`;
    let theirs: RegExp, ours: LinearRegex;
    try {
      theirs = new RegExp(source, flags);
    } catch (error) {
      assert.throws(() => new LinearRegex(source, flags), { name: "SyntaxError", message: (error as Error).message }, shown);
      found.wrong++;
      continue;
    }
    try {
      ours = new LinearRegex(source, flags);
    } catch (error) {
      assert.match(String(error), REFUSED, shown);
      assert.match(source, ways, shown);
      found.refused++;
      continue;
    }
    for (let count = 0; count < TEXTS; count++) {
      const text = Array.from({ length: random.below(8) }, () => random.pick(LETTERS)).join("");
      const match = theirs.exec(text), on = `${shown} on ${JSON.stringify(text)}`;
      assert.equal(ours.test(text), match !== null, on);
      found[match ? "matched" : "missed"]++;
      const span = ours.find(text);
      assert.equal(span?.index, match?.index, on);
      // Repetitions of what may be empty can end elsewhere.
      if (!match || /[*+?}]\??\)|\|\)|\(\?:\)|[(:>]\||\|\||[$^]|\\b/i.test(source)) continue;
      assert.equal(span?.end, match.index + match[0].length, on);
      found.spans++;
    }
  }
  const rare = Object.entries(found).filter(([, count]) => count < ROUNDS / 50);
  assert.deepEqual(rare, [], JSON.stringify(found));
});

Deno.test("no pattern takes long: those that stop V8, large repetitions, deep nesting", () => {
  const a = "a".repeat(100_000);
  const begun = cpuTime();
  for (const source of ["(a+)+$", "^(a|a)*$", "(a|aa)+$", "^(\\w+\\s?)*$", "(.*)*x", "(a?){50}a{50}b", "(?:a*)*(?:a*)*b", "(|a)+b"]) {
    const regex = new LinearRegex(source, "m");
    assert.equal(regex.test(`${a}!`), false, source);
    assert.equal(regex.find(`${a}!`), undefined, source);
  }
  assert.deepEqual(new LinearRegex("(a+)+$", "").find(a), { index: 0, end: a.length });
  // A pattern that V8 tries 2^30 times on an empty text, before its first character.
  assert.equal(new LinearRegex("(|)".repeat(30) + "b", "").test(""), false);
  // More sets of states than are kept.
  const random = new Random(1);
  const text = Array.from({ length: 20_000 }, () => random.pick(["a", "b"])).join("");
  assert.equal(new LinearRegex("a[ab]{30}c", "").test(text), false);
  for (
    const [source, message] of [
      ["(a{1000}){1000}", /\/: too large: more than 1000 characters and branches, with repetitions$/],
      ["(?:(?:(?:a?){99}){99}){99}", /too large/],
      ["a{0,999999999}", /too large/],
      ["(".repeat(200) + ")".repeat(200), /more than 100 nested groups$/],
      ["(".repeat(1_000_000), /Invalid regular expression/],
    ] as const
  ) {
    assert.throws(() => new LinearRegex(source, ""), { name: "SyntaxError", message }, source.slice(0, 40));
  }
  assert.ok(new LinearRegex("^(?:){1000000000}$", "").test(""));
  const took = cpuTime() - begun;
  assert.ok(took < 20_000, `${took} ms of CPU time`);
});

Deno.test("lookaround and backreferences are refused by name", () => {
  const refused = (source: string, name: string) =>
    assert.throws(() => new LinearRegex(source, "i"), {
      name: "SyntaxError",
      message: `Invalid regular expression: /${source}/i: ${name} is not supported, because patterns are matched in linear time`,
    });
  refused("a(?=b)", "lookahead (?=…)");
  refused("a(?!b)", "lookahead (?!…)");
  refused("(?<=a)b", "lookbehind (?<=…)");
  refused("(?<!a)b", "lookbehind (?<!…)");
  refused("(a)\\1", "the backreference \\1");
  refused("(?<n>a)\\k<n>", "the backreference \\k");
});
