// Recordings for tests of record and replay.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { ConsoleProgram } from "../../../support/console.ts";
import { el2Command } from "../../../support/el2.ts";

export const DEMO = new URL("../../../../assets/demo.toml", import.meta.url).pathname;
export const SECONDS = 120;

/** Records the demo with a line that is typed to `hello` at some time that nobody chose. */
export async function recordDemo(file: string): Promise<string> {
  await using program = new ConsoleProgram(el2Command("run", DEMO, "--stdio", "--console", "hello", "--for", "3s", "--record", file));
  await program.expect(/tick 1/, SECONDS);
  await program.type("t");
  await program.expect(/ticks, counter/, SECONDS);
  const { code, stderr } = await program.end();
  assert.equal(code, 0, stderr);
  return program.text;
}

/** Puts other lines into a recording, with the right checksum. */
export async function rewrite(file: string, change: (line: string) => string): Promise<void> {
  const lines = (await Deno.readTextFile(file)).split("\n").slice(0, -2).map(change).map((line) => `${line}\n`).join("");
  const sum = createHash("sha256").update(lines).digest("hex");
  await Deno.writeTextFile(file, `${lines}${JSON.stringify({ sha256: sum })}\n`);
}
