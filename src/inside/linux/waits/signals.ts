// Signals of arm64 by number (include/uapi/asm-generic/signal.h in the kernel's sources): those
// that a program waits for, and the one that has stopped it.

import type { Struct } from "../kernel/types.ts";

const NAMES = [
  ...["HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2", "PIPE", "ALRM", "TERM", "STKFLT"],
  ...["CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG", "XCPU", "XFSZ", "VTALRM", "PROF", "WINCH", "IO", "PWR", "SYS"],
] as const;
/** The last signal, which is one of real time. */
const LAST = 64;
/** `task_struct.jobctl`: the signal that stopped it. */
const STOP_SIGNAL = 0xffff;
/** Signals of a set that are named. */
const NAMED_MAX = 4;

/** @param number from 1; those after SIGSYS are of real time and have a number */
const nameOf = (number: number): string => `SIG${NAMES[number - 1] ?? number}`;

/** @param set a `sigset_t`; null if it has too many to name */
export function signalNames(set: bigint): string | null {
  const names = Array.from({ length: LAST }, (_, bit) => bit).filter((bit) => set >> BigInt(bit) & 1n).map((bit) => nameOf(bit + 1));
  return names.length > 0 && names.length <= NAMED_MAX ? names.join(" or ") : null;
}

/** The name of the signal that stopped a task. */
export function stopSignal(task: Struct): string | null {
  const number = task.number("jobctl") & STOP_SIGNAL;
  return number === 0 ? null : nameOf(number);
}
