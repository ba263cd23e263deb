// The pictures of the documentation are those of real runs: each is made again and compared.

import assert from "node:assert/strict";
import { Emulator } from "./emulator.ts";
import { inProcess } from "../cli/in-process.ts";
import { CAST, debianPictures, demoPictures, type MadePicture, tourCast } from "../../scripts/pictures/pictures.ts";

const LONG = Deno.env.get("EL2_LONG") !== undefined;
const FOLDER = new URL("../../docs/pictures/", import.meta.url);

/**
 * Figures that depend on the computer: speed, loads and rates. Graphs are shapes, and not compared.
 */
const OF_THE_COMPUTER: readonly RegExp[] = [
  /(?<![\d.])[\d ]*\.?\d+ MIPS/g,
  /peak [\d.]+/g,
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
    assert.ok(linesOf(svg).length > 15, file);
    assert.deepEqual(linesOf(svg), linesOf(kept), `${file}: deno task pictures draws them`);
    assert.ok(svg.length < 200_000, `${file} has ${svg.length} bytes`);
  }
}

Deno.test("pictures of the demo show what a run of it shows (deno task pictures draws them)", async () => {
  assertSame(await demoPictures());
});

/** The terminal's text when each chapter of a cast ends, and the length of the cast, s. */
async function chapters(cast: string): Promise<{ shown: Record<string, string[]>; seconds: number }> {
  const [header, ...events] = cast.trimEnd().split("\n").map((line) => JSON.parse(line));
  assert.deepEqual([header.version, header.width, header.height], [2, CAST.columns, CAST.rows]);
  const emulator = new Emulator(CAST.columns, CAST.rows);
  const shown: Record<string, string[]> = {};
  let chapter = "", seconds = 0;
  const close = () => {
    const rows = Array.from({ length: CAST.rows }, (_, y) => emulator.terminal.buffer.active.getLine(y)!.translateToString(true));
    if (chapter) shown[chapter] = rows.map(masked);
  };
  for (const [time, kind, data] of events as [number, string, string][]) {
    assert.ok(time >= seconds);
    seconds = time;
    if (kind === "o") await emulator.write(data);
    else if (kind === "m") close();
    if (kind === "m") chapter = data;
  }
  close();
  return { shown, seconds };
}

Deno.test("the cast of a minute is what el2 cast makes of its script (deno task pictures draws it)", async () => {
  const file = await Deno.makeTempFile({ suffix: ".cast" });
  const { code, stderr } = await inProcess(tourCast(file), { NO_COLOR: "1" });
  assert.equal(code, 0, stderr);
  const made = await Deno.readTextFile(file);
  await Deno.remove(file);
  const { shown, seconds } = await chapters(made);
  assert.ok(seconds > 50 && seconds < 75, `${seconds} s`);
  const kept = (await chapters(await Deno.readTextFile(new URL("tour.cast", FOLDER)))).shown;
  assert.deepEqual(Object.keys(shown), Object.keys(kept));
  // Graphs, states and the newest events depend on when the screens asked.
  const still = (chapter: string, rows: readonly string[]) =>
    /request|refused|page/.test(chapter)
      ? rows
      : rows.filter((row, y) => y < 2 || y < 17 && /^│.*(?: 0x\w\w | vCPU \d )/.test(row)).map((row) => row.slice(0, 18));
  for (const [chapter, rows] of Object.entries(shown)) {
    assert.ok(still(chapter, rows).length >= 2, chapter);
    assert.deepEqual(still(chapter, rows), still(chapter, kept[chapter]), chapter);
  }
  assert.ok(made.length < 200_000, `${made.length} bytes`);
});

// Their figures are those of the kernel that Debian had when they were drawn.
if (LONG) {
  Deno.test("pictures of Debian beside the demo show what a run of it shows", async () => {
    assertSame(await debianPictures());
  });
}
