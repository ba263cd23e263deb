// Glyphs: amounts as pictures, and sets that swap glyphs and never cells.

import assert from "node:assert/strict";
import { eastAsianWidth } from "get-east-asian-width";
import { cellsOf, gauge, glyphsOf, graph, history } from "../../../../src/app/tui/terminal/glyphs.ts";
import { Rig, SCREENS } from "../rig.ts";
import { STATES } from "../states.ts";

Deno.test("L23: a history in one row has no full block", () => {
  assert.equal(history(glyphsOf("full"), [0, 0.25, 0.5, 1, 2], 6), " ▁▃▄▇▇");
  assert.ok(!glyphsOf("full").levels.includes("█"));
});

Deno.test("a graph of several rows shows every amount above nothing, two samples a cell in braille", () => {
  assert.deepEqual(graph(glyphsOf("full"), [0, 0.01, 0.5, 1], 2, 2), [" ⢸", "⢀⣿"]);
  assert.deepEqual(graph(glyphsOf("full", false), [0, 0.01, 0.5, 1], 4, 2), ["   █", " ▁██"]);
  assert.deepEqual(graph(glyphsOf("ascii"), [1], 3, 1), ["  #"]);
});

Deno.test("L24: parts of a bar fill its width, and each part above nothing has a cell", () => {
  for (const shares of [[0.5, 0.3, 0.001], [1, 0, 0.0001], [0.33, 0.33, 0.34], [0.9, 0.9], []]) {
    const cells = cellsOf(shares, 20);
    assert.ok(cells.every((cell, index) => shares[index] > 0 ? cell >= 1 : cell === 0), `${shares}`);
    const total = shares.reduce((sum, share) => sum + share, 0);
    const filled = cells.reduce((sum, cell) => sum + cell, 0), wanted = Math.round(Math.min(total, 1) * 20);
    assert.equal(filled, Math.max(wanted, shares.filter((share) => share > 0).length), `${shares}: ${cells}`);
  }
  assert.equal(gauge(["#", "."], 0.001, 8), "#.......");
});

/** Every screen and state in a set of glyphs. */
async function* everyText(ascii: boolean, options: { blocks?: boolean; braille?: boolean } = {}): AsyncGenerator<[string, string[]]> {
  for (const key of SCREENS) {
    const rig = new Rig(120, 36, { ascii, ...options });
    await rig.type(key);
    yield [`screen ${key}`, await rig.lines()];
  }
  for (const [name, begin] of STATES) {
    const rig = new Rig(120, 36, { ascii, ...options });
    await rig.lines();
    rig.frame();
    await begin(rig);
    yield [name, await rig.lines()];
  }
}

/** Characters that el2 may draw beside ASCII. */
const ALLOWED = /^[\x20-\x7e\u00b5\u00b7\u00d7\u2013\u2026\u2190-\u2193\u2500-\u25ff\u2800-\u28ff]*$/;

Deno.test("L14: no character is outside of the ranges that every terminal draws in one column", async () => {
  for await (const [name, lines] of everyText(false)) {
    for (const line of lines) {
      assert.match(line, ALLOWED, name);
      for (const character of line) assert.equal(eastAsianWidth(character.codePointAt(0)!), 1, `${name}: ${character}`);
    }
  }
});

Deno.test("L13: ASCII and full glyphs have every word in the same column", async () => {
  const full = everyText(false), ascii = everyText(true);
  for (;;) {
    const [a, b] = [await full.next(), await ascii.next()];
    if (a.done || b.done) break;
    const [name, lines] = a.value;
    lines.forEach((line, y) => {
      // The legend of a map says what the glyphs of its own set mean, what is beside it does not.
      const legend = /[·.] free/.exec(line), from = legend ? legend.index + legend[0].length : 0;
      // Letters of bars and lanes stand for colors: they are not words.
      for (const { 0: word, index } of line.matchAll(/[A-Za-z]*[a-z]{2,}/g)) {
        if (index >= from) {
          assert.equal(b.value[1][y].slice(index, index + word.length), word, `${name} row ${y}:\n${line}\n${b.value[1][y]}`);
        }
      }
    });
    assert.ok(b.value[1].every((line) => /^[\x20-\x7e]*$/.test(line)), name);
  }
});

Deno.test("L49: without braille there is none, and a console's set has only blocks", async () => {
  for await (const [name, lines] of everyText(false, { braille: false })) assert.doesNotMatch(lines.join(""), /[\u2800-\u28ff]/, name);
  for await (const [name, lines] of everyText(false, { blocks: true })) {
    assert.doesNotMatch(lines.join(""), /[\u2800-\u28ff╭╮╰╯●○◌◐▸▾…]/, name);
  }
});

Deno.test("a stacked bar without room has no cells", () => {
  for (const width of [0, -1, -4]) assert.deepEqual(cellsOf([0.5, 0.3, 0.1], width), [0, 0, 0], String(width));
});
