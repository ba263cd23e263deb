// A comparison of /proc and /dev/kmsg with answers from the kernel's memory before and after they
// were printed: a field that was the same both times must be printed so, another one in between.

import assert from "node:assert/strict";
import type { TableName } from "../../../src/model/queries/tables.ts";
import type { Row } from "./rows.ts";

/** A part that the program `look-inside` prints, in its order, and the tables to compare. */
export const PARTS = ["log", "tasks", "maps", "modules", "mounts", "irqs", "locks"] as const;
export type Part = typeof PARTS[number];

/** Rows of a part at one instant; mappings are those of all programs. */
export type Read = { readonly [N in TableName]?: readonly Row<N>[] };

type Value = string | number | bigint | boolean | null;
/** A field: as it is printed, and as it is in a row. */
type Fields<P, R> = Readonly<Record<string, readonly [(printed: P) => Value, (row: R) => Value]>>;

const TICK = 10_000_000n;
const KERNEL_THREAD = 0x20_0000;
const KB = 1024;
/** Bytes of arguments that are read. */
const COMMAND_MAX = 4096;

export const lines = (text: string) => text.split("\n").filter((line) => line !== "");

/** Of /proc/PID/stat: number, name, and the fields after it from the state on. */
export function statOf(line: string): { pid: number; name: string; rest: string[] } {
  const [, pid, name, rest] = /^(\d+) \((.*)\) (.*)$/.exec(line) ?? assert.fail(line);
  return { pid: Number(pid), name, rest: rest.split(" ") };
}

/** The comparison of what one kernel prints, field by field. */
export class Comparison {
  /** Fields that were the same before and after, that changed, and that cannot be compared. */
  equal = 0;
  between = 0;
  changed = 0;

  /**
   * @param alone whether the kernel has one CPU, so that the program that prints is alone; tasks on
   * other CPUs may run so shortly that their time stays the same
   */
  constructor(readonly alone: boolean) {}

  compare(part: Part, before: Read, text: string, after: Read): void {
    this.#parts[part](before, text, after);
  }

  readonly #parts: { readonly [P in Part]: (before: Read, text: string, after: Read) => void } = {
    log: (...one) => this.#log(...one),
    tasks: (...one) => this.#tasks(...one),
    maps: (...one) => this.#maps(...one),
    modules: (...one) => this.#modules(...one),
    mounts: (...one) => this.#mounts(...one),
    irqs: (...one) => this.#irqs(...one),
    locks: (...one) => this.#locks(...one),
  };

  #log(before: Read, text: string, after: Read): void {
    const printed = text.split(/\n(?=\d)/).filter((one) => one !== "").map((record) => {
      const [, priority, sequence, us, message, ...device] = /^(\d+),(\d+),(\d+),[^;]*;([^\n]*)(?:\n SUBSYSTEM=(.*))?(?:\n DEVICE=(.*))?/
        .exec(record) ?? assert.fail(record);
      return { priority, sequence: Number(sequence), us, message, device: device.filter((one) => one !== undefined).join(" ") };
    });
    const escaped = (one: string) => one.replace(/[^\x20-\x7e]|\\/g, (char) => `\\x${char.charCodeAt(0).toString(16).padStart(2, "0")}`);
    this.#rows(
      "log",
      printed,
      ({ sequence }) => sequence,
      before["linux.log"],
      after["linux.log"],
      ({ sequence }) => Number(sequence),
      {
        priority: [({ priority }) => Number(priority), ({ facility, level }) => Number(facility) * 8 + LEVELS.indexOf(String(level))],
        time: [({ us }) => BigInt(us), ({ t }) => BigInt(t) / 1000n],
        text: [({ message }) => message, ({ text }) => escaped(text)],
        device: [({ device }) => device, ({ device }) => device ?? ""],
      },
    );
  }

  #tasks(before: Read, text: string, after: Read): void {
    const files = filesOf(text), pids = [...files.keys()].filter((path) => path.endsWith("/stat"));
    const printed = pids.flatMap((path) => {
      const file = (name: string) => files.get(path.replace(/stat$/, name)), status = file("status");
      // A task that has ended meanwhile has no other files.
      if (status === undefined || file("schedstat") === undefined) return [];
      const field = (name: string) => new RegExp(`^${name}:\\s+(\\S+)`, "m").exec(status)?.[1];
      return [{ ...statOf(lines(files.get(path) ?? "")[0]), file, field }];
    });
    type Printed = typeof printed[number];
    type TaskRow = Row<"linux.ps">;
    const rest = (index: number) => ({ rest }: Printed) => Number(rest[index]);
    const identity: Fields<Printed, TaskRow> = {
      name: [({ name }) => name, ({ name }) => name],
      ppid: [rest(1), ({ ppid }) => ppid],
      tgid: [({ field }) => Number(field("Tgid")), ({ tgid }) => tgid],
      uid: [({ field }) => Number(field("Uid")), ({ uid }) => uid],
      kernel: [({ rest }) => (Number(rest[6]) & KERNEL_THREAD) !== 0, ({ kernel }) => kernel],
      started: [({ rest }) => BigInt(rest[19]), ({ started }) => BigInt(started ?? 0) / TICK],
    };
    const volatile: Fields<Printed, TaskRow> = {
      state: [({ rest }) => rest[0], ({ state }) => state],
      threads: [rest(17), ({ threads }) => threads],
      virtual: [rest(20), ({ virtual }) => virtual ?? 0],
      cpu: [rest(36), ({ cpu }) => cpu],
      resident: [({ field }) => KB * Number(field("VmRSS") ?? 0), ({ resident }) => resident ?? 0],
      waits: [({ file }) => file("wchan") || "0", ({ waits }) => waits ?? "0"],
      command: [
        ({ file }) => (file("cmdline") ?? "").slice(0, COMMAND_MAX).replace(/\0$/, "").replaceAll("\0", " "),
        ({ command }) => command ?? "",
      ],
      time: [({ file }) => BigInt(file("schedstat")?.split(" ")[0] ?? 0), ({ time }) => BigInt(time ?? 0)],
    };
    const { "linux.ps": old = [] } = before, { "linux.ps": now = [] } = after, ran = ranBetween(old, now, this.alone);
    const of = (stable: boolean) => ({ pid }: { readonly pid: number }) => !ran.has(pid) === stable;
    const key = ({ pid }: { readonly pid: number }) => pid;
    this.#rows("task", printed.filter(of(true)), key, old.filter(of(true)), now.filter(of(true)), key, identity);
    this.#rows("task", printed.filter(of(true)), key, old.filter(of(true)), now.filter(of(true)), key, volatile, !this.alone);
    this.#rows("task", printed.filter(of(false)), key, old.filter(of(false)), now.filter(of(false)), key, identity, !this.alone);
  }

  #maps(before: Read, text: string, after: Read): void {
    const printed = new Map([...filesOf(text)].map(([path, text]) => [Number(/(\d+)\/maps$/.exec(path)?.[1]), text]));
    const short = (address: string) => BigInt(address).toString(16).padStart(8, "0");
    const linesOf = (rows: readonly Row<"linux.maps">[]) =>
      rows.map(({ start, end, access, offset, device, inode, file }) =>
        [`${short(start)}-${short(end)}`, access, short(offset), device, inode, ...file === null ? [] : [file]].join(" ")
      );
    const byTask = (rows: readonly Row<"linux.maps">[] = []) => Map.groupBy(rows, ({ id }) => Number(/\/(\d+)\//.exec(id)?.[1]));
    const old = byTask(before["linux.maps"]),
      now = byTask(after["linux.maps"]),
      ran = ranBetween(before["linux.ps"], after["linux.ps"], this.alone);
    for (const [pid, rows] of old) {
      const same = linesOf(rows), later = linesOf(now.get(pid) ?? []), text = printed.get(pid);
      if (text === undefined || ran.has(pid) || same.join() !== later.join()) this.changed++;
      else {
        assert.deepEqual(lines(text).map((line) => line.trim().replaceAll(/ +/g, " ")), same, `mappings of ${pid}`);
        this.equal += 6 * same.length;
      }
    }
  }

  #modules(before: Read, text: string, after: Read): void {
    const printed = lines(filesOf(text).get("/look/proc/modules") ?? "").map((line) => line.split(" "));
    const by = (text: string) => text.split(",").filter((one) => one !== "" && one !== "-" && !one.startsWith("[")).join();
    this.#rows("module", printed, ([name]) => name, before["linux.modules"], after["linux.modules"], ({ name }) => name, {
      size: [([, size]) => Number(size), ({ size }) => size],
      used: [([, , used]) => Number(used), ({ used }) => used],
      by: [([, , , users]) => by(users), ({ by }) => by.join()],
      state: [([, , , , state]) => state, ({ state }) => ({ live: "Live", coming: "Loading", going: "Unloading", unformed: "" })[state]],
      address: [([, , , , , address]) => address, ({ address }) => address],
    });
  }

  #mounts(before: Read, text: string, after: Read): void {
    const printed = lines(filesOf(text).get("/look/proc/1/mountinfo") ?? "").map((line) => {
      const [own, block] = line.split(" - ").map((part) => part.split(" "));
      const isReadOnly = [own[5], block[2]].some((options) => options.startsWith("ro"));
      return { number: own[0], path: own[4], type: block[0], device: block[1], access: isReadOnly ? "ro" : "rw" };
    });
    const number = ({ id }: { readonly id: string }) => id.slice(id.indexOf("/") + 1);
    this.#rows("mount", printed, ({ number }) => number, before["linux.mounts"], after["linux.mounts"], number, {
      path: [({ path }) => path, ({ path }) => path],
      type: [({ type }) => type, ({ type }) => type],
      device: [({ device }) => device, ({ device }) => device],
      access: [({ access }) => access, ({ access }) => access],
    });
  }

  #irqs(before: Read, text: string, after: Read): void {
    const [heads, ...rows] = lines(filesOf(text).get("/look/proc/interrupts") ?? ""), cpus = heads.trim().split(/\s+/).length;
    const printed = rows.flatMap((line) => {
      const [irq, ...words] = line.trim().split(/\s+/);
      return /^\d+:$/.test(irq) ? [{ irq: parseInt(irq), counts: words.slice(0, cpus), rest: words.slice(cpus).join(" ") }] : [];
    });
    type Printed = typeof printed[number];
    const counts: Fields<Printed, Row<"linux.irqs">> = Object.fromEntries(
      heads.trim().split(/\s+/).map((
        name,
        cpu,
      ) => [name, [({ counts }: Printed) => Number(counts[cpu]), ({ counts }: Row<"linux.irqs">) => Number(counts.split(" ")[cpu])]]),
    );
    this.#rows("interrupt", printed, ({ irq }) => irq, before["linux.irqs"], after["linux.irqs"], ({ irq }) => irq, {
      rest: [({ rest }) => rest, ({ chip, hwirq, trigger, handlers }) => {
        return `${chip} ${hwirq} ${trigger === "level" ? "Level" : "Edge"}${handlers.length ? ` ${handlers.join(", ")}` : ""}`;
      }],
      ...counts,
    });
  }

  /** /proc/PID/stack leaves out the functions of the scheduler, and of locks but for RT mutexes. */
  #locks(before: Read, text: string, after: Read): void {
    const stacks = filesOf(text), old = before["linux.locks"] ?? [], now = after["linux.locks"] ?? [];
    for (const row of old) {
      const same = now.find(({ id }) => id === row.id);
      // A task that spins runs: the kernel prints its stack as it was when the task slept last.
      const spins = /raw_spin|queued_spin/.test(row.where ?? "");
      if (same === undefined || spins || JSON.stringify(same) !== JSON.stringify(row)) {
        this.changed++;
        continue;
      }
      const pid = /\/(\d+)$/.exec(row.waiters[0])?.[1];
      const frames = lines(stacks.get(`/look/proc/${pid}/stack`) ?? "").map((line) => line.replace(/^\[<0>\] /, "").replace(/\/0x.*$/, ""));
      assert.equal(frames.find((frame) => !/^_*rt_mutex_/.test(frame)), row.where, JSON.stringify(row));
      this.equal++;
    }
  }

  #rows<P, R>(
    of: string,
    printed: readonly P[],
    keyOf: (printed: P) => string | number,
    before: readonly R[] = [],
    after: readonly R[] = [],
    rowKey: (row: R) => string | number,
    fields: Fields<P, R>,
    mayChange = false,
  ): void {
    const old = new Map(before.map((row) => [rowKey(row), row])), now = new Map(after.map((row) => [rowKey(row), row]));
    const keys = new Set(printed.map(keyOf));
    for (const key of old.keys()) if (now.has(key)) assert.ok(keys.has(key), `${of} ${key} is not printed`);
    for (const one of printed) {
      const key = keyOf(one), rows = [old.get(key), now.get(key)].filter((row) => row !== undefined);
      if (rows.length === 0) assert.fail(`${of} ${key} was not read: ${JSON.stringify(one)}`);
      for (const [name, [told, read]] of Object.entries(fields)) {
        const values = rows.map(read), value = told(one);
        if (mayChange && !isOne(value, values)) this.changed++;
        else this.#field(`${name} of ${of} ${key}`, value, values);
      }
    }
  }

  /** @param values before and after, or one of them */
  #field(what: string, told: Value, [before, after = before]: readonly Value[]): void {
    assert.ok(isOne(told, [before, after]), `${what} is ${told}, was ${before}, then ${after}`);
    if (before === after) this.equal++;
    else this.between++;
  }
}

const LEVELS = ["emerg", "alert", "crit", "err", "warn", "notice", "info", "debug"];

/** Whether a value is one of those before and after, or a number in between. */
function isOne(told: Value, [before, after = before]: readonly Value[]): boolean {
  const isNumber = typeof told === "number" || typeof told === "bigint";
  return told === before || told === after || before !== after && isNumber && inside(told, before, after);
}

/** Whether a number is between two others, in whichever order. */
function inside(told: number | bigint, before: Value, after: Value): boolean {
  const [low, high] = [before, after].map((one) => one as number | bigint).sort((a, b) => a < b ? -1 : 1);
  return told >= low && told <= high;
}

/** Files by path, of parts that begin with 1 and their path. */
function filesOf(text: string): Map<string, string> {
  return new Map(
    text.split("\x01").slice(1).map((part) => {
      const end = part.indexOf("\n");
      return [part.slice(0, end), part.slice(end + 1)];
    }),
  );
}

/** Numbers of tasks that had time on a CPU between two answers, or were not there in both. */
function ranBetween(before: readonly Row<"linux.ps">[] = [], after: readonly Row<"linux.ps">[] = [], alone: boolean): Set<number> {
  // The kernel counts the time of a task on another CPU only now and then.
  const times = (rows: readonly Row<"linux.ps">[]) =>
    new Map(rows.map(({ pid, state, time }) => [pid, alone || state !== "R" ? time : undefined]));
  const old = times(before), now = times(after);
  return new Set([...old.keys(), ...now.keys()].filter((pid) => old.get(pid) === undefined || old.get(pid) !== now.get(pid)));
}
