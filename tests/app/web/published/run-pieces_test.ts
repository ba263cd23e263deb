// The scripts of a published recording: read as a page does, by executing them.

import assert from "node:assert/strict";
import { RECORDING } from "../../../../src/app/web/engine/messages.ts";
import { loadPieces, piecesOf } from "../../../../src/app/web/published/run-pieces.ts";

const packed = crypto.getRandomValues(new Uint8Array(60_000));
const large = new Uint8Array(7_000_000).map((_, at) => packed[at % packed.length]);

const FILES = new Map([[RECORDING, packed], ["images/kernel", large]]);
const SIZE = packed.length + large.length;

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
  const { run, scripts } = piecesOf({ name: "bug.rec", live: false, packed: FILES }), heard: number[] = [];
  const load = (name: string) => {
    execute(scripts.get(name)!);
    return Promise.resolve(true);
  };
  const names = Object.keys(globalThis);
  assert.deepEqual(await loadPieces(run, load, (bytes) => heard.push(bytes)), FILES);
  assert.equal(scripts.size, 4);
  assert.deepEqual(heard.at(-1), SIZE);
  assert.deepEqual(Object.keys(globalThis), names, "nothing of them is left in the page");
});

Deno.test("a page says how far a download got that was cut off", async () => {
  const { run, scripts } = piecesOf({ name: "bug.rec", live: false, packed: FILES });
  const tried = (change: (name: string, text: string) => string | undefined) =>
    loadPieces(run, (name) => {
      const text = change(name, scripts.get(name)!);
      if (text !== undefined) execute(text);
      return Promise.resolve(text !== undefined);
    }, () => {});
  const third = (name: string) => name === "run-2.js";
  await assert.rejects(tried((name, text) => third(name) ? undefined : text), /run-2\.js is missing: 3205728 of 7060000 bytes have come/);
  await assert.rejects(tried((name, text) => third(name) ? text.slice(0, 1000) : text), /run-2\.js is not whole: 3205728 of 7060000/);
  await assert.rejects(
    tried((name, text) => third(name) ? text.replace(/.{4}"\)/, '")') : text),
    /a part is not whole: 7059997 of 7060000/,
  );
});
