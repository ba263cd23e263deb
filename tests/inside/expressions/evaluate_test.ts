// Expressions: C's grammar and arithmetic, places by types, and what is not an expression.

import assert from "node:assert/strict";
import { INT, pointerTo } from "../../../src/inside/expressions/c-types.ts";
import { evaluate, type ExpressionScope, type Result, tried } from "../../../src/inside/expressions/evaluate.ts";
import { ExpressionError } from "../../../src/inside/expressions/syntax.ts";
import { valueText } from "../../../src/inside/expressions/value-text.ts";
import { Values } from "../../../src/inside/expressions/values.ts";
import { Btf } from "../../../src/inside/linux/kernel/btf.ts";
import { BtfTypes } from "../../../src/inside/linux/kernel/btf-types.ts";
import { whole, Work } from "../../../src/kit/support/values/work.ts";
import { LONG } from "../../support/long.ts";
import { Random } from "../../support/random.ts";
import { BtfWriter, describedBtf, STRUCT } from "../linux/btf-types.ts";

const BASE = 0x1000n;
const work = () => new Work(1_000_000, () => new ExpressionError("too much"));

/** A guest with a structure of every kind of member at an address, each byte its offset. */
function scopeOf(bytes: Uint8Array): ExpressionScope {
  const btf = whole(Btf.read(bytes, work())), types = btf && new BtfTypes(btf), memory = Uint8Array.from({ length: 256 }, (_, at) => at);
  memory.set(new TextEncoder().encode("swapper\0"), 64);
  new DataView(memory.buffer).setBigUint64(80, BASE, true);
  memory.set([0x83], 16);
  memory.set([5, 0, 0, 0], 32);
  memory.fill(0, 88, 96);
  const read = (address: bigint, size: number) => {
    const at = Number(address - BASE);
    return at >= 0 && at + size <= memory.length ? memory.slice(at, at + size) : undefined;
  };
  const thing = types?.type("struct", "thing", work());
  return {
    values: new Values(read, (address) => address === BASE ? "a_thing" : undefined),
    variable: (name) => name === "a_thing" && thing ? { type: thing, where: { kind: "memory", address: BASE } } : undefined,
    register: (name) => name === "x0" ? 7n : name === "x1" ? 0xffff_ffff_ffff_ffffn : undefined,
    symbol: (name) => name === "plain" ? BASE + 8n : undefined,
    constant: (name) => types?.constant(name, work()),
    type: (tag, name) => types?.type(tag, name, work()),
    collections: undefined,
  };
}

const textOf = ({ values }: ExpressionScope, result: Result): string => {
  if (result.kind === "typed") return valueText(values, result.value);
  if (result.kind === "number") return `${result.type.name} ${result.number}`;
  return result.kind === "text" ? result.text : result.kind;
};
const scope = scopeOf(describedBtf());
const valueOf = (text: string) => textOf(scope, evaluate(text, scope));

const NUMBERS = {
  "1 + 2 * 3": "int 7",
  "(1 + 2) * 3": "int 9",
  "1 << 4 | 3": "int 19",
  "!0 && 5 > 4": "int 1",
  "0 || 0x10 == 16": "int 1",
  "-1 < 0": "int 1",
  "-1 < 0u": "int 0",
  "2147483647 + 1": "int -2147483648",
  "0xffffffff + 1": "unsigned int 0",
  "0xffffffff + 1l": "long 4294967296",
  "-7 / 2": "int -3",
  "-7 % 3": "int -1",
  "~0ul": "unsigned long 18446744073709551615",
  "(u8)0x1ff": "u8 255",
  "(signed char)255": "signed char -1",
  "(unsigned long)-1 >> 60": "unsigned long 15",
  "$x0 % 4": "unsigned long 3",
  "$x1 == -1": "int 1",
  "'a' + 1": "int 98",
  "sizeof(struct thing)": "unsigned long 96",
  "sizeof a_thing.name": "unsigned long 16",
  "sizeof(int [4])": "unsigned long 16",
  "BLUE + 1": "unsigned int 6",
  "(enum color)5 == BLUE": "int 1",
  "&plain == 0x1008": "int 1",
  "*plain": "unsigned long 1084818905618843912",
};
const PLACES = {
  "a_thing.number": "50462976",
  "(&a_thing)->number": "50462976",
  "a_thing.self->self->number": "50462976",
  "((struct thing *)0x1000)->number": "50462976",
  "a_thing.words[1]": "1798",
  "*(&a_thing.words[0] + 1)": "1798",
  "&a_thing.words[2] - a_thing.words": "long 2",
  "a_thing.name": '"swapper"',
  "a_thing.name[0]": "115 's'",
  'a_thing.name == "swapper"': "int 1",
  'a_thing.name != "swap"': "int 1",
  "a_thing.low": "3",
  "a_thing.high": "-8",
  "a_thing.color": "BLUE (5)",
  "a_thing.inner": "252579084",
  "a_thing.self": "0x1000 <a_thing>",
  "container_of(&a_thing.words[1], struct thing, words[1])->number": "50462976",
  "container_of(&a_thing.name, struct thing, name) == &a_thing": "int 1",
  "(struct thing **)0x1050": "struct thing ** 4176",
  "(*(struct thing **)0x1050)->number": "50462976",
};

Deno.test("numbers have C's types and wrap as they do", () => {
  for (const [text, value] of Object.entries(NUMBERS)) assert.equal(valueOf(text), value, text);
});

Deno.test("members, elements, pointers and casts lead to typed places", () => {
  for (const [text, value] of Object.entries(PLACES)) assert.equal(valueOf(text), value, text);
  assert.equal(pointerTo(pointerTo(INT)).name, "int **");
});

Deno.test("a structure is printed with a line per member", () => {
  assert.equal(
    valueOf("a_thing"),
    `{
  number = 50462976,
  words = {1284, 1798, 2312},
  inner = 252579084,
  low = 3,
  high = -8,
  color = BLUE (5),
  name = "swapper",
  self = 0x1000 <a_thing>,
  spaces = {0 <4 times>},
}`,
  );
});

Deno.test("what has no value is told with the word that is wrong", () => {
  const cases = {
    "": "empty",
    "a_thing.": "a name is missing at its end",
    "a_thing.numbr": 'struct thing has no member called "numbr"; did you mean "number"',
    "nobody": 'no variable, symbol or register called "nobody"',
    "((struct none *)0)->x": "no type struct none is known",
    "a_thing + 1": "a struct thing is not a number",
    "1 / 0": "division by zero",
    "1 << 32": "a shift by 32 of 32 bits",
    "*(int *)0": "0x0 is not mapped",
    "((struct thing *)0)->self->number": "is not mapped",
    "f(1)": "f is a function of the guest; call one of list, hlist",
    "list(a_thing, struct thing, number)": "list is for Linux",
    "a_thing.number = 1": "cannot read",
    "$x99": "no register $x99 here",
    "&1": "& needs a variable in memory",
    "container_of(1, struct thing, none)": "no member called",
    '"a" + 1': "+ is not for texts",
  };
  for (const [text, what] of Object.entries(cases)) {
    assert.throws(() => {
      const result = evaluate(text, scope);
      // A place is a value only where its memory is.
      if (result.kind === "typed") throw new ExpressionError(textOf(scope, result).replace("<not mapped>", "0x0 is not mapped"));
    }, (error) => error instanceof ExpressionError && error.message.includes(what) || assert.fail(`${text}: ${error}`));
  }
  for (const deep of ["(", "*", "-", "a_thing[", "sizeof ", "(int)"]) {
    assert.throws(() => evaluate(deep.repeat(500), scope), ExpressionError);
  }
  assert.throws(() => evaluate("1+".repeat(300) + "1", scope), /more than 512/);
  assert.throws(() => evaluate(" ".repeat(5000), scope), /longer than/);
});

Deno.test("structures without names in each other, many in each, are refused each time", () => {
  const writer = new BtfWriter();
  writer.type("thing", STRUCT, 200, 8, ...Array.from({ length: 200 }, () => [0, 1, 0]).flat());
  const nested = scopeOf(writer.bytes());
  for (const text of ["a_thing.member", "a_thing.member", "a_thing"]) {
    assert.throws(() => tried(() => textOf(nested, evaluate(text, nested))), /a structure of more than 65536 members/);
  }
});

const WORDS = [
  ...["a_thing", "number", "words", "name", "self", "low", "$x0", "plain", "BLUE", "1", "0x1000", "0xffffffffffffffff", '"swapper"', "'a'"],
  ...["(", ")", "[", "]", ".", "->", "*", "&", "+", "-", "/", "%", "<<", ">>", "&&", "||", "==", "<", "!", "~", ",", " "],
  ...["struct thing", "(struct thing *)", "(u8)", "sizeof", "enum color", "int", "unsigned", "container_of(", "per_cpu(", "list("],
];

Deno.test("expressions of any words, with types that are damaged, have a value or an error, and end", () => {
  const random = new Random(74), good = describedBtf(), rounds = LONG ? 100_000 : 4000;
  const all = [...Object.keys(NUMBERS), ...Object.keys(PLACES), "a_thing"];
  let values = 0, damaged = scope;
  for (let round = 0; round < rounds; round++) {
    if (round % 20 === 0) {
      const bytes = good.slice();
      for (let change = random.below(4); change > 0; change--) bytes[24 + random.below(bytes.length - 24)] = random.below(256);
      damaged = scopeOf(bytes);
    }
    const words = all[random.below(all.length)].split(/\b/);
    for (let change = random.below(4); change > 0; change--) {
      words.splice(random.below(words.length + 1), random.below(2), ...random.below(3) ? [WORDS[random.below(WORDS.length)]] : []);
    }
    const text = words.join("");
    try {
      assert.ok(textOf(damaged, evaluate(text, damaged)).length < 1e6, text);
      values++;
    } catch (error) {
      assert.ok(error instanceof ExpressionError, `${text}: ${error}`);
    }
  }
  assert.ok(values > rounds / 10, `${values} values`);
});
