// The pictures of the documentation are those of real runs: each is made again and compared.

import assert from "node:assert/strict";
import { answerPictures, debianPictures, demoPictures, type MadePicture } from "../../../scripts/pictures/pictures.ts";
import { LONG } from "../../support/long.ts";

const FOLDER = new URL("../../../docs/pictures/", import.meta.url);

/**
 * Figures that depend on the computer: speed, loads and rates. Graphs are shapes, and not compared.
 */
const OF_THE_COMPUTER: readonly RegExp[] = [
  /peak (?:&lt;)?\d[\d. ]*/g,
  /(?:<1|\d+) %\s*!?/g,
  /of the last \d+/g,
];
/** Exits, which are sampled: a sample may have fewer kinds than another. */
const SAMPLED: readonly RegExp[] = [/ ?(?:trap|mmio|hvc) \S+ #.*$/g, / ?\d+ below$/g];

/** The texts of a picture, a line each row, without figures of the computer. */
function linesOf(svg: string): string[] {
  const rows = new Map<number, [number, string][]>();
  for (const [, x, y, text] of svg.matchAll(/<text x="(\d+)" y="(\d+)"[^>]*>([^<]*)<\/text>/g)) {
    rows.set(Number(y), [...rows.get(Number(y)) ?? [], [Number(x), text]]);
  }
  return [...rows].sort(([a], [b]) => a - b).map(([, texts]) => {
    const line = texts.sort(([a], [b]) => a - b).map(([, text]) => text).join(" ").replaceAll(/ +/g, " ");
    return masked(line);
  });
}

function masked(line: string): string {
  const figures = OF_THE_COMPUTER.reduce((rest, figure) => rest.replaceAll(figure, "#"), line);
  return SAMPLED.reduce((rest, sampled) => rest.replaceAll(sampled, ""), figures);
}

function assertSame(made: readonly MadePicture[]): void {
  for (const { file, svg } of made) {
    const kept = Deno.readTextFileSync(new URL(file, FOLDER));
    assert.match(svg, /^<svg [\s\S]*<\/svg>\n$/, file);
    assert.ok(linesOf(svg).length > 4, file);
    assert.deepEqual(linesOf(svg), linesOf(kept), `${file}: deno task pictures draws them`);
    assert.ok(svg.length < 200_000, `${file} has ${svg.length} bytes`);
  }
}

Deno.test("pictures of the demo show what a run of it shows (deno task pictures draws them)", async () => {
  assertSame(await demoPictures());
});

Deno.test("pictures of answers about a run show what they are of a run of the demo", async () => {
  assertSame(await answerPictures());
});

// Their figures are those of the kernel that Debian had when they were drawn.
if (LONG) {
  Deno.test("pictures of Debian beside the demo show what a run of it shows", async () => {
    assertSame(await debianPictures());
  });
}
