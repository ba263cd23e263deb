import assert from "node:assert/strict";
import { type Counts, countsBelow } from "../../scripts/structure/counts.ts";

/** The counts of one file with that text, as "LINE TEXT". */
async function countsOf(text: string): Promise<Record<keyof Counts, string[]>> {
  const folder = await Deno.makeTempDir();
  try {
    await Deno.mkdir(`${folder}/room`);
    await Deno.writeTextFile(`${folder}/room/file.ts`, text);
    const counts = await countsBelow(folder, `${folder}/room`);
    assert.deepEqual([...new Set(Object.values(counts).flat().map(({ file }) => file))].filter((file) => file !== "room/file.ts"), []);
    const lists = Object.entries(counts).map((
      [key, places]: [string, Counts[keyof Counts]],
    ) => [key, places.map(({ line, text }) => `${line} ${text}`)]);
    return Object.fromEntries(lists);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

const lines = (count: number, line: string) => `${line}\n`.repeat(count);

Deno.test("functions of more than 80 lines are counted, however they are written, with those inside them", async () => {
  const { longFunctions, longTables } = await countsOf([
    `function enough() {\n${lines(78, "1;")}}\n`,
    `function long() {\n${lines(79, "1;")}}\n`,
    `class Machine {\n  step() {\n${lines(79, "1;")}  }\n}\n`,
    `const outer = () => {\n  const inner = function () {\n${lines(80, "1;")}  };\n};\n`,
    `call(() => {\n${lines(90, "1;")}});\n`,
  ].join(""));
  const expected = ["81 long: 81 lines", "163 step: 81 lines", "245 outer: 84 lines", "246 inner: 82 lines", "329 (anonymous): 92 lines"];
  assert.deepEqual(longFunctions.sort((a, b) => parseInt(a) - parseInt(b)), expected);
  assert.deepEqual(longTables, []);
});

Deno.test("a function that is one literal for three quarters is a table, unless the literal is that of a function inside it", async () => {
  const { longFunctions, longTables } = await countsOf([
    `const table = () => [\n${lines(90, '"entry",')}];\n`,
    `function text() {\n${lines(20, "1;")}return \`\n${lines(78, "x")}\`;\n}\n`,
    `function code() {\n${lines(40, "1;")}return {\n${lines(78, "...x,")}};\n}\n`,
    `function maker() {\n  return () => [\n${lines(90, "1,")}];\n}\n`,
  ].join(""));
  assert.deepEqual(longTables, ["1 table: 92 lines", "93 text: 102 lines", "318 (anonymous): 92 lines"]);
  assert.deepEqual(longFunctions, ["195 code: 122 lines", "317 maker: 94 lines"]);
});

Deno.test("functions of more than 6 parameters are counted, constructors too", async () => {
  const { manyParameters } = await countsOf(`
const six = (a: 1, b: 1, c: 1, d: 1, e: 1, f: 1) => {};
const seven = (a: 1, b: 1, c: 1, d: 1, e: 1, f: 1, g = 1) => {};
class Machine {
  constructor(private a: 1, b: 1, c: 1, d: 1, e: 1, f: 1, ...g: 1[]) {}
}`);
  assert.deepEqual(manyParameters, ["3 seven: 7 parameters", "5 constructor: 7 parameters"]);
});

Deno.test("`!` and casts are counted, those in texts, comments, declarations and `as const` are not", async () => {
  const { nonNull, casts } = await countsOf(`
a!.b![0]; // c! as D
a !== b; !a; "a! as B"; /a! as B/;
class Declared { a!: number }
const late!: string;
\`\${a!} as B!\`;
a as B as C;
a as const; [a] as readonly [B]; { a satisfies B }
import { a as b } from "./a.ts";
export { a as c };`);
  assert.deepEqual(nonNull, ["2 !", "2 !", "6 !"]);
  assert.deepEqual(casts, ["7 as", "7 as", "8 as"]);
});

Deno.test("files of more than 500 lines are counted", async () => {
  assert.deepEqual((await countsOf(lines(500, "1;"))).longFiles, []);
  assert.deepEqual((await countsOf(lines(501, "1;"))).longFiles, ["1 501 lines"]);
});

Deno.test("a file that does not parse is an error, not a count of 0", async () => {
  await assert.rejects(countsOf("a as;"), /deno lint: /);
});
