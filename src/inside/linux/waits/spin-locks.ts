// Spin locks that CPUs wait for (kernel/locking/qspinlock.c in the kernel's sources). A lock counts
// its first waiter in a bit, names the CPU of its last one, and does not name its holder.

import { cpuFrames } from "../structures/frames.ts";
import type { KernelRegisters, Reading } from "../kernel/reading.ts";
import type { Owner, Waiting } from "./waiting.ts";

const OF = "locks";
/** The function in which a CPU waits. */
const WAITS = /^(?:native_)?queued_spin_lock_slowpath$/;
/** Bytes of a lock: whether it is held, and whether one CPU waits outside of the queue. */
const LOCKED = 0xff, PENDING_SHIFT = 8;
/** The CPU of the last one in the queue, from 1 on, is above the number of its place. */
const TAIL_SHIFT = 18;
const GENERAL_REGISTERS = 31;

/** Tasks whose CPUs wait at this instant. */
export function spinWaits(reading: Reading): Waiting[] {
  const cpus = reading.vcpus.filter(({ pc }) => WAITS.test(reading.placeOf(pc)?.symbol.name ?? ""));
  const waiting = reading.rows(OF, () => cpus, (cpu) => {
    const task = reading.struct("task_struct", cpu.getRegister("SP_EL0"));
    return { cpu, task, number: task.number("cpu") };
  });
  const numbers = new Set(waiting.map(({ number }) => number));
  return reading.rows(OF, () => waiting, ({ cpu, task }): Waiting | undefined => {
    const lock = lockOf(reading, cpu, numbers);
    return lock && { task, type: "spinlock", ...lock, wants: "alone", frames: cpuFrames(reading, cpu) };
  });
}

/** The lock that a register of a CPU leads to: its word names CPUs that wait. */
function lockOf(reading: Reading, cpu: KernelRegisters, waiting: ReadonlySet<number>): { lock: bigint; owner: Owner } | undefined {
  for (let register = 0; register < GENERAL_REGISTERS; register++) {
    const lock = cpu.getX(register);
    if (lock % 4n !== 0n || !reading.memory.has(lock, 4)) continue;
    const word = reading.memory.u32(lock), locked = word & LOCKED, pending = word >>> PENDING_SHIFT & 0xff, last = word >>> TAIL_SHIFT;
    if (locked > 1 || pending > 1) continue;
    if (last === 0 ? pending === 1 : waiting.has(last - 1)) return { lock, owner: { task: 0n, held: locked ? "unnamed" : "alone" } };
  }
  return undefined;
}
