// The pictures of the documentation are those of real runs: each is made again and compared.

import assert from "node:assert/strict";
import { PAGE } from "../../../scripts/pictures/page-pictures.ts";
import { answerPictures, debianPictures, demoPictures, type MadePicture, pagePictures } from "../../../scripts/pictures/pictures.ts";
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

/** Width and height of a PNG, from its header. */
function sizeOf(png: Uint8Array) {
  const view = new DataView(png.buffer, png.byteOffset), [width, height] = [16, 20].map((at) => view.getUint32(at));
  return { width, height };
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

  Deno.test("screenshots of a page show in a browser what a run of the demo shows (deno task pictures makes them)", async () => {
    const [why] = (await demoPictures()).filter(({ file }) => file === "why-dark.svg"), words = (text: string) => text.match(/\w+/g) ?? [];
    const program = new Set(words(why.svg));
    for (const { file, png, text } of await pagePictures()) {
      const kept = Deno.readFileSync(new URL(file, FOLDER));
      for (const one of [png, kept]) assert.deepEqual(sizeOf(one), PAGE, file);
      assert.ok(kept.length < 200_000, `${file} has ${kept.length} bytes`);
      // The list beside it has other room.
      const chain = text.split("\n").map((row) => row.split("││")[1] ?? "").join("\n");
      assert.deepEqual(words(chain).filter((word) => !program.has(word)), [], `${file}: words of the chain that the program does not show`);
      assert.ok(words(chain).length > 20, chain);
    }
  });
}
