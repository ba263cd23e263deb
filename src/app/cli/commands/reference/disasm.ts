// `el2 disasm FILE|HEX`: instructions as text, from a file (ELF, arm64 Image with or without
// container, raw) or from words.

import type { Command } from "@commander-js/extra-typings";
import { answer } from "../../common/answer.ts";
import type { CommandContext } from "../../common/command.ts";
import { ExitCode, Failure } from "../../common/failure.ts";
import { readNamedFile } from "../../common/named-file.ts";
import { output } from "../../common/print.ts";
import { openSession, withSessionOptions } from "../../common/session.ts";
import { parseAddress, parseWhole } from "../../common/values.ts";
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

export function registerDisasm(program: Command, { exit }: CommandContext): void {
  withSessionOptions(
    program.command("disasm")
      .description(
        "disassemble a file or hexadecimal words in the format of objdump -M no-aliases, or a VM's memory with the usual aliases",
      ),
  )
    .argument(
      "<what>",
      "file (ELF, arm64 Image, raw), words separated by commas, or VM:ADDRESS, VM:SYMBOL, VM:FILE:LINE, VM/INDEX:pc of a session",
    )
    .option("--address <address>", "address of the first instruction (ELF files have their own)", parseAddress, 0)
    .option("--start <address>", "skip instructions below this address", parseAddress, 0)
    .option(
      "--count <n>",
      "stop after this many instructions (default for a VM's memory: 16)",
      parseWhole(1, Number.MAX_SAFE_INTEGER),
    )
    .option("--lines", "for a VM's memory, print source lines instead of instructions; with --count, those of the function")
    .addHelpText(
      "after",
      `
Examples:
  el2 disasm d503201f,d65f03c0
  el2 disasm guest.elf --start 0x40100000 --count 32
  el2 disasm debian:__do_softirq+0x40 --count 8
  el2 disasm ping/0:pc
  el2 disasm rt:main.c:42 --lines`,
    )
    .action(async (what, options) => {
      const place = parsePlace(what);
      if (place && !place.vm.includes(",") && !isFile(what)) {
        using open = await openSession(options);
        await answer(
          open,
          { table: options.lines ? "code.lines" : "code", args: { at: what, size: options.count } },
          options.json ?? false,
        );
        return exit(ExitCode.Done);
      }
      if (options.lines) throw new Failure("disasm: --lines needs a VM's memory: VM:FILE:LINE, VM:SYMBOL, VM:ADDRESS or VM/INDEX:pc");
      if (options.json) throw new Failure("disasm: --json needs a VM's memory", "a file's instructions are printed as text");
      // The table of instructions is loaded on demand.
      const isa = await import("../../../../cpu/isa/disassemble.ts");
      let left = options.count ?? Number.MAX_SAFE_INTEGER;
      for (const code of codeOf(what, options.address)) left -= print(code, options.start, left, isa.disassemble);
    });
}

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
