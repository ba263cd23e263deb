// ELF files of symbols: those that `--symbols` names, or a folder has, and those written for
// debuggers.

import { checkAnswered, failed, Failure } from "../../common/failure.ts";
import { readNamedFile, writeNamedFile } from "../../common/named-file.ts";
import { report } from "../../common/print.ts";
import type { Asker } from "../../../../session/control/asker.ts";
import { debugFrame } from "../../../../kit/formats/dwarf/frame-writer.ts";
import type { ElfSection } from "../../../../kit/formats/elf-sections.ts";
import { vmId } from "../../../../model/queries/ids.ts";
import { type Answer, rowsOf } from "../../../../model/queries/query.ts";
import { FRAMES, SYMBOLS } from "../../../../model/queries/tables.ts";
import { symbolsIn } from "../../../configuration/files.ts";
import { writeElfSymbols } from "../../../../inside/symbols/elf-symbols.ts";
import { problemOf } from "../../../../kit/support/problem.ts";
import type { SessionPlan } from "../../../../model/plans/plan.ts";
import { modulesIn } from "./symbol-folder.ts";

/**
 * Writes an ELF file with all symbols of a VM and the call frame information of its functions;
 * returns a text with the number of symbols.
 * @throws Failure without symbols, or if the file cannot be written
 */
export async function writeSymbols(asker: Pick<Asker, "ask">, vm: string, path: string): Promise<string> {
  const got = await asker.ask({ table: "symbols", args: { vm } });
  checkAnswered(got);
  const rows = rowsOf(SYMBOLS, got);
  if (!rows.length) {
    throw failed(`${vmId(vm)} has no symbols: it runs no Linux kernel with kallsyms`, "add an ELF file with --add FILE");
  }
  const frames = await asker.ask({ table: "symbols.frames", args: { vm } });
  checkAnswered(frames);
  const file = writeElfSymbols(rows.map(({ name, address, type }) => ({ name, address: BigInt(address), type })), [frameSection(frames)]);
  writeNamedFile(path, "symbols", file);
  return `${rows.length} symbols in ${path}`;
}

/** The section that debuggers read frames from. */
function frameSection(answer: Answer): ElfSection {
  const bytes = debugFrame(
    rowsOf(FRAMES, answer).map(({ start, size, exception, returns, rules }) => ({
      start: BigInt(start),
      size,
      signal: exception,
      returns,
      instructions: Uint8Array.fromHex(rules),
    })),
  );
  return { name: ".debug_frame", type: 1, flags: 0n, address: 0n, link: 0, bytes };
}

/**
 * The symbols of a file that an option names, or of the modules in a folder, as ELF files without
 * other content. Modules that cannot be read are reported.
 * @throws Failure that names the file and the error in it.
 */
export async function readSymbols(path: string): Promise<Uint8Array<ArrayBuffer>[]> {
  if (!isFolder(path)) return [await readSymbolFile(path)];
  const files: Uint8Array<ArrayBuffer>[] = [], failures: Failure[] = [];
  for (const module of modulesIn(path)) {
    try {
      files.push(await readSymbolFile(module));
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      failures.push(error);
    }
  }
  if (!files.length) throw failures[0];
  for (const { message } of failures) report(`el2: left out: ${message}`);
  return files;
}

/** A path that cannot be looked at is read, which says why. */
function isFolder(path: string): boolean {
  try {
    return Deno.statSync(path).isDirectory;
  } catch {
    return false;
  }
}

async function readSymbolFile(path: string): Promise<Uint8Array<ArrayBuffer>> {
  const file = readNamedFile(path, "symbols");
  try {
    return await symbolsIn(file);
  } catch (error) {
    throw new Failure(problemOf(error, `symbols ${path}`));
  }
}

const of = <T>(lists: Readonly<Record<string, readonly T[]>>, vm: string) => Object.hasOwn(lists, vm) ? lists[vm] : [];

/** `--symbols VM=FILE`, repeatable: paths by VM. */
export function collectSymbols(text: string, before: Record<string, readonly string[]> = {}): Record<string, readonly string[]> {
  const at = text.indexOf("="), vm = text.slice(0, at);
  if (at < 1 || at === text.length - 1) throw new Failure(`--symbols: "${text}" is not VM=FILE`, "use for example rt=rt.elf");
  return { ...before, [vm]: [...of(before, vm), text.slice(at + 1)] };
}

/**
 * The symbols of those files, after those that VMs have already.
 * @throws Failure
 */
export async function readSymbolFiles(
  paths: Readonly<Record<string, readonly string[]>> = {},
  before: SessionPlan["symbols"] = {},
): Promise<SessionPlan["symbols"]> {
  const symbols: Record<string, readonly Uint8Array[]> = { ...before };
  for (const [vm, named] of Object.entries(paths)) {
    for (const path of named) symbols[vm] = [...of(symbols, vm), ...await readSymbols(path)];
  }
  return symbols;
}
