// `el2 disasm FILE|HEX`: instructions as text, from a file (ELF, arm64 Image with or without
// container, raw) or from words.

import { runner } from "../../common/argv.ts";
import { ExitCode, Failure } from "../../common/failure.ts";
import { readNamedFile } from "../../common/named-file.ts";
import { output } from "../../common/print.ts";
import { runCommand } from "../../common/run-command.ts";
import type { CodeBytes } from "../../../jobs/disassembly.ts";
import { DISASM } from "../../../../model/commands/questions.ts";
import { parsePlace } from "../../../../model/queries/ids.ts";
import { problemOf } from "../../../../kit/support/problem.ts";

/** Characters that are written at once. */
const CHUNK = 1 << 18;

function* allOf<T>(parts: readonly Iterable<T>[]): Generator<T> {
  for (const part of parts) yield* part;
}

export const runDisasm = runner(DISASM, {
  async run(values, options) {
    const { what, address, start, count = Infinity, lines } = values, at = parsePlace(what);
    if (at && !at.vm.includes(",") && !isFile(what)) return await runCommand(DISASM, values, options);
    if (lines) throw new Failure("disasm: --lines needs a VM's memory: VM:FILE:LINE, VM:SYMBOL, VM:ADDRESS or VM/INDEX:pc");
    if (options.json) throw new Failure("disasm: --json needs a VM's memory", "a file's instructions are printed as text");
    const words = spelledIn(what), file = words ? undefined : readNamedFile(what, "disasm");
    // The table of instructions is loaded on demand.
    const { codeOfFile, instructionLines } = await import("../../../jobs/disassembly.ts");
    const code: CodeBytes[] = words ? [{ address, bytes: words }] : within(what, () => codeOfFile(file!, address));
    let left = count, chunk = "";
    for (const line of allOf(code.map((one) => instructionLines(one, start)))) {
      if (left-- <= 0) break;
      chunk += `${line}\n`;
      if (chunk.length < CHUNK) continue;
      output(chunk);
      chunk = "";
    }
    output(chunk);
    return ExitCode.Done;
  },
});

/** The words that the argument spells; undefined if it names a file. */
function spelledIn(what: string): Uint8Array | undefined {
  const words = what.split(","), isSpelled = words.every((word) => /^(0x)?[0-9a-f]{1,8}$/i.test(word)) && !isFile(what);
  return isSpelled ? new Uint8Array(Uint32Array.from(words, (word) => parseInt(word, 16)).buffer) : undefined;
}

function isFile(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

/** @throws Failure that names the file */
function within<T>(what: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw new Failure(problemOf(error, `disasm ${what}`));
  }
}
