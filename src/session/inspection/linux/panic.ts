// A Linux kernel that has panicked: the function `panic` is on the stack of one of its CPUs, which
// needs no console and cannot be quoted. Its message is on the console, or in the kernel's log; the
// cause follows from its callers (src/inside/linux/verdicts/panic-cause.ts).

import type { Vcpu } from "../../../machine/hypervisor/inspect.ts";
import { programRegisters } from "../../../inside/linux/structures/frames.ts";
import { panicCause } from "../../../inside/linux/verdicts/panic-cause.ts";
import type { Reading } from "../../../inside/linux/kernel/reading.ts";
import { isOfKernel, kernelLog, type LogRow, readLog } from "../../../inside/linux/structures/log.ts";
import { codeName } from "../../../inside/linux/structures/stack.ts";
import { isKernelThread, named } from "../../../inside/linux/structures/tasks.ts";
import type { EndedBy } from "../../../model/queries/facts/linux-finding.ts";
import type { NamedTask } from "../../../model/queries/facts/program-wait.ts";
import { guestReader, plainOf, unwoundOf } from "../../../inside/symbols/unwind.ts";
import { placeIn } from "../../../inside/symbols/vm-symbols.ts";
import { hex } from "../../../kit/support/text/number-text.ts";
import { causeOf } from "../causes/exception-cause.ts";
import { firstTaken } from "../causes/taken.ts";
import type { GuestPanic, View } from "../readers/inspected.ts";
import { syndromeText } from "../trace/syndromes.ts";
import { firstOf } from "../../../kit/support/values/in-order.ts";
import { machineOf } from "./known-machine.ts";
import { functionsOfCpu, PANIC } from "./kernel-stack.ts";
import { findReading, isInKernel } from "./read-linux.ts";

/** The beginning of a line of the log on a console: its level, time and caller. */
const LOG_PREFIX = /^(?:<\d+>)?\[ *\d+\.\d+\](?:\[ *[TC]\d+\])? /, LINE_MAX = 200;
const MESSAGE = /Kernel panic - not syncing: (.*)/;
const SYSRQ = "__handle_sysrq", WATCHDOG = "softdog_fire", SYS_REBOOT = 142;
/** The function in which a kernel stays once it has halted. */
export const HALT = "machine_halt";

/** Whether a console's text has the words of a panic, which any program can print. */
export const showsPanic = (text: string) => MESSAGE.test(text);

/** The last line of the report, whole. */
const REPORT_END = /---\[ end Kernel panic[^\n]*\]---/;
export const showsPanicEnd = (text: string) => REPORT_END.test(text);

/** The functions on the stack of a vCPU in the kernel, from the one that it executes outward. */
function functionsOf(view: View, vcpu: Vcpu): Generator<string | undefined> {
  const { symbols, hypervisor: { machine: { ram } } } = view.system, tables = symbols.known(view.vmNameOf(vcpu.addressSpace));
  return functionsOfCpu(vcpu.registers, {
    read: guestReader(symbols.core, ram, vcpu),
    plain: plainOf(unwoundOf(vcpu)),
    placeOf: (address) => placeIn(tables, address),
  });
}

/** Whether a vCPU executes a function of its kernel, or one that this has called. */
function isIn(view: View, vcpu: Vcpu, wanted: string): boolean {
  const { registers } = vcpu;
  if (!isInKernel(registers)) return false;
  // The kernel's symbols are learned by a question.
  if (view.system.symbols.nameOf(view.vmNameOf(vcpu.addressSpace), registers.pc) === undefined) return false;
  for (const name of functionsOf(view, vcpu)) if (name === wanted) return true;
  return false;
}

/** The task that a vCPU in the kernel executes: arm64 kernels keep it there. */
const currentOf = (reading: Reading, { registers }: Vcpu) => reading.struct("task_struct", registers.getRegister("SP_EL0"));

/** The task that has halted a vCPU. */
export function haltedBy(view: View, vcpu: Vcpu): NamedTask | undefined {
  const reading = isIn(view, vcpu, HALT) && vcpu.addressSpace ? findReading(view, vcpu.addressSpace) : undefined;
  return reading?.tried("current task", () => named(currentOf(reading, vcpu)));
}

/**
 * The task that made a vCPU's kernel end its VM, while the vCPU is in that call; undefined without
 * Linux, or if it cannot be read.
 */
export function endedBy(view: View, vcpu: Vcpu): EndedBy | undefined {
  const reading = vcpu.addressSpace && findReading(view, vcpu.addressSpace);
  return reading?.tried("current task", () => {
    const task = currentOf(reading, vcpu), functions = new Set(functionsOf(view, vcpu));
    const isCalled = !isKernelThread(task) && programRegisters(reading, task).signed("syscallno") === SYS_REBOOT;
    return {
      task: named(task),
      by: functions.has(WATCHDOG) ? "watchdog" : functions.has(SYSRQ) ? "sysrq" : isCalled ? "reboot" : "kernel",
    };
  });
}

/** The panic of a vCPU's kernel. */
export function panicOf(view: View, vcpu: Vcpu): GuestPanic | undefined {
  if (!isIn(view, vcpu, PANIC)) return undefined;
  const reading = vcpu.addressSpace && findReading(view, vcpu.addressSpace);
  return { message: panicMessage(view, vcpu, reading), cause: reading ? causeIn(view, vcpu, reading) : null };
}

function causeIn(view: View, vcpu: Vcpu, reading: Reading): GuestPanic["cause"] {
  const taken = firstTaken(vcpu);
  return panicCause({
    reading,
    callers: callersOf([...functionsOf(view, vcpu)]),
    task: currentOf(reading, vcpu),
    exception: taken && {
      text: syndromeText(taken.esr),
      at: codeName(reading, taken.elr) ?? hex(taken.elr),
      cause: causeOf(view, vcpu, taken) ?? null,
    },
    said: () => lastLine(view, vcpu, reading),
    explain: (exception) => causeOf(view, vcpu, exception) ?? null,
    disks: machineOf(view, view.vmNameOf(vcpu.addressSpace)).disks,
  }) ?? null;
}

/** The text on a VM's console since its kernel began to boot. */
function shownBy(view: View, vcpu: Vcpu): string {
  const shown = view.system.consoles.tail(view.vmNameOf(vcpu.addressSpace));
  return shown.slice(Math.max(0, shown.lastIndexOf("Booting Linux on physical CPU"))).replaceAll("\r", "");
}

/** The last line of programs on a VM's console; null without one. */
function lastLine(view: View, vcpu: Vcpu, reading: Reading): string | null {
  const log = readLog(reading);
  const texts = (isOwn: boolean) =>
    new Set(log.filter((row) => isOfKernel(row) === isOwn).flatMap(({ text }) => text.split("\n").map((one) => one.trim())));
  const own = texts(true), written = texts(false);
  const lines = shownBy(view, vcpu).split("\n").flatMap((line) => {
    const text = line.replace(LOG_PREFIX, "").trim();
    // Programs write to the log, too.
    return text !== "" && (LOG_PREFIX.test(line) ? written.has(text) : !own.has(text)) ? [text] : [];
  });
  return lines.at(-1)?.slice(0, LINE_MAX) ?? null;
}

/** The message of the last panic of a VM's kernel; null if it is nowhere. */
function panicMessage(view: View, vcpu: Vcpu, reading: Reading | undefined): string | null {
  const found = MESSAGE.exec(shownBy(view, vcpu))?.[1];
  if (found !== undefined) return found;
  return reading ? loggedPanic(reading)?.message ?? null : null;
}

/** The callers of the panic on a stack. */
export const callersOf = (functions: readonly (string | undefined)[]): string[] =>
  functions.slice(functions.lastIndexOf(PANIC) + 1).map((name) => name ?? "?");

/** The first panic that a kernel has logged; programs can log the words, and those do not count. */
export const loggedPanic = (reading: Reading): { readonly message: string; readonly row: LogRow } | undefined =>
  firstOf(kernelLog(reading), (row) => {
    const [, message] = MESSAGE.exec(row.text) ?? [];
    return message === undefined ? undefined : { message, row };
  });
