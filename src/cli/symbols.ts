// `el2 symbols VM`: names of a VM's addresses, and an ELF file of them for debuggers. `--symbols`
// of commands that run a machine.

import { report } from "./print.ts";
import type { Command } from "@commander-js/extra-typings";
import { ExitCode, Failure, readNamedFile } from "./failure.ts";
import { answer } from "./answer.ts";
import { openSession, withSessionOptions } from "./session.ts";
import { parseWhole } from "./values.ts";
import type { Asker } from "../control/asker.ts";
import { readElfSymbols, writeElfSymbols } from "../symbols/elf-symbols.ts";
import { rowsOf } from "../queries/query.ts";
import { SYMBOLS } from "../queries/tables.ts";

/** Rows of a list where nothing else is asked. */
const ROWS = 1000;

/** Adds the command. */
export function registerSymbols(program: Command, exit: (code: number) => void): void {
  withSessionOptions(
    program.command("symbols").description("names of a VM's addresses: of its ELF files, and of the Linux kernel that runs there"),
  )
    .argument("<vm>", "the VM: NAME or vm:NAME")
    .argument("[filter]", "only rows that it lets through: a word of the name, name~^vfs_, type=T")
    .option("--limit <rows>", "at most so many rows", parseWhole(1, 10_000_000), ROWS)
    .option("--add <file>", "first take the symbols of this ELF file for the VM")
    .option("-o, --output <file>", "write an ELF file with all symbols, for gdb's symbol-file")
    .addHelpText(
      "after",
      `
A kernel's own table (kallsyms) is found in its memory; it need not help, and the VM goes on.

Examples:
  el2 symbols debian vfs_open
  el2 symbols debian -o kernel.elf                 then in gdb: symbol-file kernel.elf
  el2 symbols rt --add rt.elf`,
    )
    .action(async (vm, filter, options) => {
      using open = await openSession(options);
      const name = vm.replace(/^vm:/, "");
      if (options.add !== undefined) {
        const error = await open.asker.symbols(name, readSymbolFile(options.add));
        if (error !== undefined) throw new Failure(error, ExitCode.Failed);
      }
      if (options.output !== undefined) {
        report(`el2: ${await writeSymbols(open.asker, name, options.output)}`);
        return exit(ExitCode.Done);
      }
      await answer(open, { table: "symbols", args: { vm: name, filter, limit: options.limit } }, options.json ?? false);
      exit(ExitCode.Done);
    });
}

/**
 * Writes an ELF file with all symbols of a VM; says how many. @throws Failure where there are none,
 * or the file cannot be written
 */
export async function writeSymbols(asker: Asker, vm: string, path: string): Promise<string> {
  const got = await asker.ask({ table: "symbols", args: { vm } });
  if (got.error !== undefined) throw new Failure(got.error, ExitCode.Failed);
  const rows = rowsOf(SYMBOLS, got);
  if (!rows.length) {
    throw new Failure(`vm:${vm} has no symbols: no Linux kernel with kallsyms runs there; --add FILE names an ELF file`, ExitCode.Failed);
  }
  const file = writeElfSymbols(rows.map(({ name, address, type }) => ({ name, address: BigInt(address), type })));
  try {
    await Deno.writeFile(path, file);
  } catch (error) {
    throw new Failure(`${path}: ${error instanceof Error ? error.message : error}`);
  }
  return `${rows.length} symbols in ${path}`;
}

/**
 * The symbols of a file that a flag names, as an ELF file that has nothing else. @throws Failure
 * that says what is wrong with it
 */
export function readSymbolFile(path: string): Uint8Array<ArrayBuffer> {
  const file = readNamedFile(path, "symbols");
  try {
    return writeElfSymbols(readElfSymbols(file));
  } catch (error) {
    throw new Failure(`symbols ${path}: ${error instanceof Error ? error.message : error}`);
  }
}

/** `--symbols VM=FILE`, repeatable. */
export function collectSymbols(text: string, before: Record<string, Uint8Array> = {}): Record<string, Uint8Array> {
  const at = text.indexOf("=");
  if (at < 1 || at === text.length - 1) throw new Failure(`--symbols ${text}: write VM=FILE, such as rt=rt.elf`);
  return { ...before, [text.slice(0, at)]: readSymbolFile(text.slice(at + 1)) };
}
