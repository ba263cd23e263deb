// The scripts of a published recording: read as a page does, by executing them.

import assert from "node:assert/strict";
import { loadPieces, piecesOf } from "../../../../src/app/web/published/run-pieces.ts";

const packed = crypto.getRandomValues(new Uint8Array(60_000));
const large = new Uint8Array(7_000_000).map((_, at) => packed[at % packed.length]);

/** Executes a script, as an element of a page does. */
const execute = (text: string) => {
  try {
    new Function(text)();
  } catch (error) {
    // As for a page, whose scripts end for themselves.
    if (!(error instanceof SyntaxError)) throw error;
  }
};

Deno.test("a page has the bytes that were published, and hears how many have come", async () => {
  const { run, scripts } = piecesOf("bug.rec", large), heard: number[] = [];
  const load = (name: string) => {
    execute(scripts.get(name)!);
    return Promise.resolve(true);
  };
  assert.deepEqual(await loadPieces(run, load, (bytes) => heard.push(bytes)), large);
  assert.equal(run.pieces, 3);
  assert.deepEqual(heard.at(-1), large.length);
});

Deno.test("a page says how far a download got that was cut off", async () => {
  const { run, scripts } = piecesOf("bug.rec", large);
  const tried = (change: (name: string, text: string) => string | undefined) =>
    loadPieces(run, (name) => {
      const text = change(name, scripts.get(name)!);
      if (text !== undefined) execute(text);
      return Promise.resolve(text !== undefined);
    }, () => {});
  const second = (name: string) => name === "run-1.js";
  await assert.rejects(tried((name, text) => second(name) ? undefined : text), /run-1\.js is missing: 3145728 of 7000000 bytes have come/);
  await assert.rejects(tried((name, text) => second(name) ? text.slice(0, 1000) : text), /run-1\.js is not whole: 3145728 of 7000000/);
  await assert.rejects(
    tried((name, text) => second(name) ? text.replace(/.{4}"\)/, '")') : text),
    /a part is not whole: 6999997 of 7000000/,
  );
});
