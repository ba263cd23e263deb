// The verdict on the kernel of a dump, by the rules of machines that see a kernel alone. Its panic
// is on the stack of a CPU; where the file has no registers, on that of the task that has logged
// it.

import { stackOf } from "../../../inside/linux/structures/frames.ts";
import { isOfKernel, type LogRow, readLog } from "../../../inside/linux/structures/log.ts";
import { KernelNames } from "../../../inside/linux/structures/kernel-names.ts";
import { allTasks, findTask, isRunning, named } from "../../../inside/linux/structures/tasks.ts";
import type { KernelRegisters, Reading } from "../../../inside/linux/kernel/reading.ts";
import { panicCause } from "../../../inside/linux/verdicts/panic-cause.ts";
import { plainOf } from "../../../inside/symbols/unwind.ts";
import { hint } from "../../../kit/support/text/hint.ts";
import { way } from "../../../kit/support/text/way-out.ts";
import { firstOf } from "../../../kit/support/values/in-order.ts";
import type { LinuxFinding } from "../../../model/queries/facts/linux-finding.ts";
import type { NamedTask } from "../../../model/queries/facts/program-wait.ts";
import { vcpuName, vmId } from "../../../model/queries/ids.ts";
import type { RowOf } from "../../../model/queries/table.ts";
import type { DIAGNOSES } from "../../../model/queries/tables.ts";
import type { FoundRows } from "../answered.ts";
import { linuxFindings } from "../linux/findings.ts";
import { UNKNOWN_MACHINE } from "../linux/known-machine.ts";
import { functionsOfCpu, PANIC, panicOn, type StackReader } from "../linux/kernel-stack.ts";
import { callersOf, HALT, loggedPanic } from "../linux/panic.ts";
import { QueryError } from "../readers/inspected.ts";
import type { FoundPanic, JudgedKernel } from "../verdicts/verdict.ts";
import { diagnosisOf, evidenceBy } from "../verdicts/verdict-row.ts";
import { EVIDENCE_RULES, VERDICT_RULES } from "../verdicts/verdict-rules.ts";
import { currentTask, DUMP, type DumpSystem } from "./dump-system.ts";

/** The caller of a line of the log: a task, or a CPU in an interrupt. */
const CALLER = /^([TC])(\d+)$/;
/** The address of each CPU's stack for interrupts, which is as large as a task's. */
const IRQ_STACK = "irq_stack_ptr";

/** @throws QueryError without a kernel */
export function readDumpDiagnosis(system: DumpSystem): FoundRows<RowOf<typeof DIAGNOSES>> {
  const reading = system.reading();
  if (!reading) {
    throw new QueryError("no kernel was found in the dump, whose state would have a verdict", way`list its memory with ${hint("mem map")}`);
  }
  const kernel = dumpKernel(system, reading);
  const judged = firstOf(VERDICT_RULES, (rule) => rule.of === "kernel" ? rule.judge(kernel) : undefined);
  if (!judged) throw new Error("no rule has a verdict on a dump");
  const evidence = EVIDENCE_RULES.flatMap((rule) => rule.of === "kernel" ? evidenceBy(rule, kernel, judged) : []);
  // No request was refused there.
  const row = diagnosisOf({ id: vmId(DUMP), judged, evidence, remedyOf: () => undefined });
  return { rows: [row], gaps: reading.gaps };
}

function dumpKernel(system: DumpSystem, reading: Reading): JudgedKernel {
  const cpus = system.inKernel.map((cpu, index) => ({ index: cpu.index, registers: reading.vcpus[index] }));
  return {
    ...linuxFindings(() => reading, UNKNOWN_MACHINE),
    vm: DUMP,
    isSaved: true,
    isAsleep: () => reading.tried("tasks", () => ![...allTasks(reading)].some(isRunning)) ?? false,
    panic: () => firstOf(cpus, (cpu) => panicOf(system, reading, cpu)) ?? panicByLog(system, reading),
    haltedBy: () => firstOf(cpus, (cpu) => haltedBy(system, reading, cpu)),
  };
}

interface KernelCpu {
  readonly index: number;
  readonly registers: KernelRegisters;
}

function readerOf(system: DumpSystem, reading: Reading): StackReader {
  return {
    read: (address, size) => reading.memory.mapped(address, size),
    plain: plainOf({ registers: { getRegister: (name) => system.registers(name) } }),
    placeOf: (address) => reading.placeOf(address),
  };
}

const functionsOf = (system: DumpSystem, reading: Reading, { registers }: KernelCpu): (string | undefined)[] =>
  reading.tried("stack", () => [...functionsOfCpu(registers, readerOf(system, reading))]) ?? [];

/** The panic of a CPU. */
function panicOf(system: DumpSystem, reading: Reading, cpu: KernelCpu): FoundPanic | undefined {
  const functions = functionsOf(system, reading, cpu);
  return functions.includes(PANIC)
    ? {
      message: loggedPanic(reading)?.message ?? null,
      cause: causeOf(reading, callersOf(functions), () => cpu.registers.getRegister("SP_EL0")),
      evidence: [],
      next: hint("vcpu stack", vcpuName(DUMP, cpu.index)),
    }
    : undefined;
}

/** The panic that the kernel has logged. */
function panicByLog(system: DumpSystem, reading: Reading): FoundPanic | undefined {
  const logged = loggedPanic(reading);
  return logged &&
    { message: logged.message, cause: loggedCause(system, reading, logged.row), evidence: [], next: hint("linux log", DUMP) };
}

/** Its cause, if its stack is found. */
function loggedCause(system: DumpSystem, reading: Reading, { caller }: LogRow): LinuxFinding | null {
  const [, kind, number] = CALLER.exec(caller ?? "") ?? [];
  if (number === undefined) return null;
  const found = reading.tried("stack", () => {
    const task = kind === "T" ? findTask(reading, Number(number)) : reading.struct("task_struct", currentTask(reading, Number(number)));
    if (!task) return undefined;
    const own = stackOf(reading, task), stacks = kind === "T" ? [own] : [...irqStack(reading, Number(number), own), own];
    const functions = firstOf(stacks, (stack) => panicOn(stack, readerOf(system, reading)));
    return functions && { functions, task };
  });
  return found ? causeOf(reading, callersOf(found.functions), () => found.task.address) : null;
}

/** The stack of a CPU for interrupts, if its place is known. */
function irqStack(reading: Reading, cpu: number, { start, end }: ReturnType<typeof stackOf>): ReturnType<typeof stackOf>[] {
  const place = new KernelNames(reading).ofCpu(IRQ_STACK, cpu), low = place === undefined ? undefined : reading.memory.u64(place);
  return low === undefined ? [] : [{ start: low, end: low + end - start }];
}

/** @param task the address of the task that has panicked */
function causeOf(reading: Reading, callers: readonly string[], task: () => bigint): LinuxFinding | null {
  const found = reading.tried("current task", () => reading.struct("task_struct", task()));
  // A dump does not have the exceptions that its CPUs took: the kernel's log has them.
  return found
    ? panicCause({
      reading,
      callers,
      task: found,
      exception: undefined,
      disks: UNKNOWN_MACHINE.disks,
      said: () => lastSaid(reading),
      explain: () => null,
    }) ?? null
    : null;
}

/** The last line that a program has logged. */
const lastSaid = (reading: Reading): string | null => readLog(reading).findLast((row) => !isOfKernel(row))?.text ?? null;

/** The task that has halted a CPU. */
function haltedBy(system: DumpSystem, reading: Reading, cpu: KernelCpu): NamedTask | undefined {
  if (!functionsOf(system, reading, cpu).includes(HALT)) return undefined;
  return reading.tried("current task", () => named(reading.struct("task_struct", cpu.registers.getRegister("SP_EL0"))));
}
