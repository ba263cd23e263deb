// Process 1: how it ended, or why it could not begin (init/main.c, kernel/exit.c in the kernel's
// sources).

import type { ExceptionCause } from "../../../model/queries/facts/exception-cause.ts";
import type { OfCode } from "../../../model/queries/facts/fact.ts";
import type { LinuxFinding } from "../../../model/queries/facts/linux-finding.ts";
import { hex } from "../../../kit/support/text/number-text.ts";
import { programRegisters } from "../structures/frames.ts";
import { kernelLog } from "../structures/log.ts";
import { reportsIn } from "../structures/reports.ts";
import { lookUp, rootOf } from "../structures/lookup.ts";
import { fileName } from "../structures/paths.ts";
import { whyNotRun } from "./programs.ts";
import type { Reading } from "../kernel/reading.ts";
import { mappedAt, placeInFile } from "../structures/stack.ts";
import { errorName, signalName } from "../events/system-calls.ts";
import { userMemory } from "../structures/tasks.ts";
import type { Struct } from "../kernel/types.ts";

/** A synchronous exception to EL1. */
export interface TakenException {
  readonly esr: number;
  readonly elr: bigint;
  readonly far: bigint;
  /** The level that raised it. */
  readonly el: 0 | 1;
  readonly sp: bigint;
}

/** System calls by which a process ends itself. */
const SYS_EXIT = 93, SYS_EXIT_GROUP = 94;
/** Bits of an exit code with the number of a signal, and the first bit of the status. */
const SIGNAL = 0x7f, STATUS_SHIFT = 8;
/** Programs that the kernel tries where the command line names none. */
const PROGRAMS = ["/sbin/init", "/etc/init", "/bin/init", "/bin/sh"];
/** The kernel's choice in a ramdisk, unless rdinit= names another. */
export const RAMDISK_PROGRAM = "/init";

/** The values of an argument of the command line. */
export function argumentsOf(reading: Reading, name: string): string[] {
  const words = reading.commandLine()?.split(/\s+/) ?? [], end = words.indexOf("--");
  return words.slice(0, end < 0 ? words.length : end).filter((word) => word.startsWith(`${name}=`)).map((word) =>
    word.slice(name.length + 1)
  );
}

/** The last one, which counts. */
export const argument = (reading: Reading, name: string): string | undefined => argumentsOf(reading, name).at(-1);

/** How process 1 ended, which the kernel does not survive. */
export function initEnd(
  reading: Reading,
  task: Struct,
  said: () => string | null,
  explain: (exception: TakenException) => ExceptionCause | null,
): LinuxFinding | undefined {
  if (task.number("tgid") !== 1) return undefined;
  const registers = programRegisters(reading, task);
  const call = registers.signed("syscallno"), code = task.at("signal", "signal_struct")?.number("group_exit_code") ?? 0;
  const program = programOf(reading, task) ?? task.text("comm"), signal = code & SIGNAL;
  if (signal === 0 || call === SYS_EXIT || call === SYS_EXIT_GROUP) {
    const status = signal === 0 ? code >> STATUS_SHIFT & 0xff : registers.number("orig_x0") & 0xff;
    const silent = reportsIn(reading).some(({ kind }) => kind === "no-console");
    return { code: "init-exited", program, status, said: silent ? null : said(), silent };
  }
  const pc = registers.big("pc"), esr = breakpointAt(reading, task, pc) ?? task.number("thread.fault_code");
  const taken = { esr, elr: pc, far: task.big("thread.fault_address"), el: 0, sp: registers.big("sp") } as const;
  const cause = beyondFile(reading, task, signal, taken.far) ?? (SYNCHRONOUS.has(signal) ? explain(taken) : null);
  const at = reading.tried("mappings of init", () => mappedAt(reading, task, pc)) ?? hex(pc);
  return { code: "init-killed", program, signal: signalName(signal), at, cause, said: said() };
}

/** BRK, with its immediate in bits 20:5, and its syndrome, which the kernel does not keep. */
const BRK_MASK = 0xffe0_001f, BRK = 0xd420_0000, BRK_SYNDROME = 0x3c << 26 >>> 0;

/** The syndrome of BRK, if a program's PC is at one. */
function breakpointAt(reading: Reading, task: Struct, pc: bigint): number | undefined {
  return reading.tried("program of init", () => {
    const mm = task.at("mm", "mm_struct"), memory = mm && userMemory(reading, mm), word = memory?.has(pc, 4) ? memory.u32(pc) : 0;
    return (word & BRK_MASK) >>> 0 === BRK ? BRK_SYNDROME + (word >>> 5 & 0xffff) : undefined;
  });
}

const SIGBUS = 7;

/** An access to a page of a mapping that is after the last one of its file. */
function beyondFile(reading: Reading, task: Struct, signal: number, address: bigint): OfCode<ExceptionCause, "beyond-file"> | undefined {
  const place = signal === SIGBUS ? reading.tried("mappings of init", () => placeInFile(reading, task, address)) : undefined;
  if (!place || place.offset < place.size) return undefined;
  return { code: "beyond-file", address: hex(address), path: place.path, size: Number(place.size), offset: hex(place.offset) };
}

/** Signals that an instruction causes: SIGILL, SIGTRAP, SIGBUS, SIGSEGV. */
const SYNCHRONOUS: ReadonlySet<number> = new Set([4, 5, 7, 11]);

/** The path of the program that a process executes. */
function programOf(reading: Reading, task: Struct): string | undefined {
  return reading.tried("program of init", () => {
    const file = task.at("mm", "mm_struct")?.at("exe_file", "file");
    return file && fileName(reading, file);
  });
}

/** Why none of the programs that the kernel has tried could be executed. */
export function initNotRun(reading: Reading, task: Struct): LinuxFinding | undefined {
  const root = rootOf(reading, task);
  if (!root) return undefined;
  const first = argument(reading, "rdinit") ?? RAMDISK_PROGRAM, wanted = argument(reading, "init");
  const tried = [first, ...wanted === undefined ? PROGRAMS : [wanted]].filter((path) => path === wanted || lookUp(reading, root, path));
  for (const program of tried) {
    const why = whyNotRun(reading, root, program);
    if (why) return { code: "init-not-run", program, why };
  }
  return tried.length ? refused(reading) : { code: "init-not-run", program: PROGRAMS[0], why: { code: "missing" } };
}

/** Lines of the kernel about a program that it could not execute (init/main.c). */
const REFUSED =
  /^(?:Failed to execute (\S+) |Starting init: (\S+) exists but couldn't execute it |Requested init (\S+) failed )\(error -(\d+)\)/;

/** The kernel's own word, where no defect is in what memory has of the programs. */
function refused(reading: Reading): LinuxFinding | undefined {
  for (const { text } of kernelLog(reading)) {
    const match = REFUSED.exec(text);
    if (!match) continue;
    const [, named, started, requested, error] = match, program = named ?? started ?? requested;
    return { code: "init-not-run", program, why: { code: "refused", error: errorName(Number(error)) } };
  }
  return undefined;
}
