// Timers of a kernel that are set: those of high resolution, each CPU's in red-black trees by clock
// (kernel/time/hrtimer.c in the kernel's sources), and those that ticks drive, in wheels of lists
// by expiry (kernel/time/timer.c).

import { formatId, vmId } from "../../../model/queries/ids.ts";
import { type LinuxTables, TIMER_CLOCKS } from "../../../model/queries/linux-tables.ts";
import type { RowOf } from "../../../model/queries/table.ts";
import { hex } from "../../../kit/support/text/number-text.ts";
import { BadMemory } from "../kernel/memory.ts";
import type { Reading } from "../kernel/reading.ts";
import { codeName } from "./stack.ts";
import { redBlackEntries } from "./trees.ts";
import type { Struct } from "../kernel/types.ts";

type TimerRow = RowOf<LinuxTables["linux.timers"]>;

const OF = "timers";
/** Clocks, and the bases of a CPU: for each clock one of interrupts and one of softirqs. */
const CLOCKS = 4, BASES_MAX = 2 * CLOCKS;
/**
 * Wheels of a CPU: one for all timers, or one for those that stay on it and one for the others;
 * and one for deferrable timers.
 */
const WHEELS_MAX = 3;
const TIMERS_MAX = 65_536;
const WAKES_TASK = "hrtimer_wakeup";
const POINTER = 8n;

export function readTimers(reading: Reading): TimerRow[] {
  const rows: TimerRow[] = [];
  reading.tried(OF, () => {
    const { cpus } = reading;
    for (const timersOf of [preciseTimers, wheelTimers]) {
      for (let cpu = 0; cpu < cpus; cpu++) for (const row of timersOf(reading, cpu)) rows.push(row);
    }
  });
  return rows;
}

/** The clocks of a CPU's timers of high resolution. */
function clocksOf(reading: Reading, cpu: number): Struct[] {
  const base = reading.tried(OF, () => {
    return reading.struct("hrtimer_cpu_base", reading.perCpu(reading.address("hrtimer_bases"), cpu));
  });
  if (!base) return [];
  return Array.from({ length: Math.min(base.lengthOf("clock_base"), BASES_MAX) }, (_, index) => (
    base.inner(`clock_base[${index}]`, "hrtimer_clock_base")
  ));
}

const timersOn = (reading: Reading, clock: Struct): Iterable<Struct> =>
  bounded(redBlackEntries(reading, clock.inner("active.rb_root.rb_root", "rb_root"), "hrtimer", "node.node"));

/** Those of high resolution, by clock and expiry. */
function preciseTimers(reading: Reading, cpu: number): TimerRow[] {
  return clocksOf(reading, cpu).flatMap((clock, index) => {
    const offset = reading.tried(OF, () => clock.big("offset"));
    return offset === undefined ? [] : reading.rows(OF, () => timersOn(reading, clock), (timer): TimerRow => {
      const called = functionOf(reading, timer);
      return {
        ...rowOf(reading, timer, cpu, called),
        clock: TIMER_CLOCKS[index % CLOCKS],
        expires: String(BigInt.asIntN(64, timer.big("node.expires") - offset)),
        ticks: null,
        ...called.startsWith(WAKES_TASK) ? sleeperOf(reading, timer) : { task: null, name: null },
      };
    });
  });
}

/** The timers of high resolution that wake a task, by its address. */
export function wakingTimers(reading: Reading): ReadonlyMap<bigint, Struct> {
  const cpus = reading.tried(OF, () => reading.cpus) ?? 0;
  const clocks = Array.from({ length: cpus }, (_, cpu) => clocksOf(reading, cpu)).flat();
  return new Map(clocks.flatMap((clock) =>
    reading.rows(OF, () => timersOn(reading, clock), (timer): [bigint, Struct] | undefined => (
      functionOf(reading, timer).startsWith(WAKES_TASK)
        ? [reading.struct("hrtimer_sleeper", timer.address).pointer("task"), timer]
        : undefined
    ))
  ));
}

/** The task that a timer wakes: `hrtimer_sleeper` begins with the timer. */
function sleeperOf(reading: Reading, timer: Struct): Pick<TimerRow, "task" | "name"> {
  const task = reading.struct("hrtimer_sleeper", timer.address).at("task", "task_struct");
  return { task: task ? formatId({ kind: "task", vm: reading.vm, pid: task.number("pid") }) : null, name: task?.text("comm") ?? null };
}

/** Those of the ticks. */
function wheelTimers(reading: Reading, cpu: number): TimerRow[] {
  const bases = reading.tried(OF, () => reading.perCpu(reading.address("timer_bases"), cpu)) ?? 0n;
  const now = reading.tried(OF, () => reading.memory.u64(reading.address("jiffies")));
  if (bases === 0n || now === undefined) return [];
  const size = BigInt(reading.sizeOf("timer_base")), rows: TimerRow[] = [];
  for (let wheel = 0n; wheel < WHEELS_MAX; wheel++) {
    const base = reading.struct("timer_base", bases + wheel * size);
    // Kernels have two or three of them, and other data after these.
    if (reading.tried(OF, () => base.number("cpu")) !== cpu) break;
    const inThis = reading.rows(OF, () => bounded(inWheel(reading, base)), (timer): TimerRow => ({
      ...rowOf(reading, timer, cpu, functionOf(reading, timer)),
      clock: "ticks",
      expires: null,
      ticks: Number(BigInt.asIntN(64, timer.big("expires") - now)),
      task: null,
      name: null,
    }));
    for (const row of inThis) rows.push(row);
  }
  return rows;
}

function* inWheel(reading: Reading, base: Struct): Generator<Struct> {
  const heads = base.addressOf("vectors"), entry = reading.struct("timer_list", 0n).addressOf("entry");
  for (let index = 0n, length = BigInt(base.lengthOf("vectors")); index < length; index++) {
    for (let at = reading.memory.u64(heads + index * POINTER); at !== 0n; at = reading.struct("hlist_node", at).pointer("next")) {
      yield reading.struct("timer_list", at - entry);
    }
  }
}

/** Timers up to one that was there before: lists and trees of a kernel have no circles. */
function* bounded(timers: Iterable<Struct>): Generator<Struct> {
  const seen = new Set<bigint>();
  for (const timer of timers) {
    if (seen.has(timer.address)) throw new BadMemory("invalid", "a timer is there twice", timer.address);
    if (seen.size === TIMERS_MAX) throw new BadMemory("invalid", "too many timers", timer.address);
    seen.add(timer.address);
    yield timer;
  }
}

const functionOf = (reading: Reading, timer: Struct) => {
  const address = timer.pointer("function");
  return (codeName(reading, address) ?? hex(address)).replace(/\+0x0$/, "");
};

const rowOf = (reading: Reading, { address }: Struct, cpu: number, called: string) => ({
  id: formatId({ kind: "ltimer", vm: reading.vm, address }),
  vm: vmId(reading.vm),
  cpu,
  function: called,
});
