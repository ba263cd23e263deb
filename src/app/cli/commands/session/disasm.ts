// `el2 disasm FILE|HEX`: instructions as text, from a file (ELF, arm64 Image with or without
// container, raw) or from words.

import { runner } from "../../common/argv.ts";
import { ExitCode, Failure } from "../../common/failure.ts";
import { readNamedFile } from "../../common/named-file.ts";
import { output } from "../../common/print.ts";
import { runCommand } from "../../common/run-command.ts";
import { DISASM } from "../../../../model/commands/questions.ts";
import { isElf, readElf } from "../../../../kit/formats/elf.ts";
import { imageHeader, unwrapImage } from "../../../../inside/images/kernel-image.ts";
import type { disassemble } from "../../../../cpu/isa/disassemble.ts";
import { parsePlace } from "../../../../model/queries/ids.ts";
import { problemOf } from "../../../../kit/support/problem.ts";

/** Instructions at an address. */
interface Code {
  address: number;
  bytes: Uint8Array;
}

/** Lines that are written at once. */
const CHUNK = 4096;

export const runDisasm = runner(DISASM, {
  async run(values, options) {
    const { what, address, start, count, lines } = values, at = parsePlace(what);
    if (at && !at.vm.includes(",") && !isFile(what)) return await runCommand(DISASM, values, options);
    if (lines) throw new Failure("disasm: --lines needs a VM's memory: VM:FILE:LINE, VM:SYMBOL, VM:ADDRESS or VM/INDEX:pc");
    if (options.json) throw new Failure("disasm: --json needs a VM's memory", "a file's instructions are printed as text");
    // The table of instructions is loaded on demand.
    const isa = await import("../../../../cpu/isa/disassemble.ts");
    let left = count ?? Number.MAX_SAFE_INTEGER;
    for (const code of codeOf(what, address)) left -= print(code, start, left, isa.disassemble);
    return ExitCode.Done;
  },
});

/** Words that the argument spells, or the code in the file that it names. */
function codeOf(what: string, address: number): Code[] {
  const words = what.split(",");
  const spelt = words.every((word) => /^(0x)?[0-9a-f]{1,8}$/i.test(word));
  if (spelt && !isFile(what)) return [{ address, bytes: new Uint8Array(Uint32Array.from(words, (word) => parseInt(word, 16)).buffer) }];

  const file = readNamedFile(what, "disasm");
  if (isElf(file)) {
    try {
      return readElf(file).segments.filter(({ executable }) => executable);
    } catch (error) {
      throw new Failure(problemOf(error, `disasm ${what}`));
    }
  }
  const wrapped = !imageHeader(file) && isWrapped(file);
  return [{ address, bytes: wrapped ? unwrapImage(file).image : file }];
}

function isFile(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

/**
 * Whether the bytes are a container that an arm64 Image comes in; everything else is code as it is.
 */
function isWrapped(file: Uint8Array): boolean {
  try {
    return unwrapImage(file).container !== "raw";
  } catch {
    return false; // no Image inside: that is an answer here, not a failure
  }
}

/** Prints at most `limit` instructions from `start` on; returns how many there were. */
function print({ address, bytes }: Code, start: number, limit: number, text: typeof disassemble): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let lines: string[] = [];
  let printed = 0;
  const flush = () => {
    if (lines.length > 0) output(`${lines.join("\n")}\n`);
    lines = [];
  };
  const first = Math.max(0, Math.ceil((start - address) / 4) * 4);
  for (let at = first; at + 4 <= bytes.length && printed < limit; at += 4, printed++) {
    const word = view.getUint32(at, true);
    const shown = (address + at).toString(16).padStart(8, "0");
    lines.push(`${shown}:\t${word.toString(16).padStart(8, "0")}\t${text(word, BigInt(address + at))}`);
    if (lines.length === CHUNK) flush();
  }
  flush();
  return printed;
}
