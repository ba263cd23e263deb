// A kernel that a guest has made to cost time, at all limits at once: each reader answers in its
// steps, which take less than 250 ms of CPU time, or says what it has left out; the search for
// types and exported symbols is in pieces.

import assert from "node:assert/strict";
import { STEPS_MAX } from "../../../src/inside/linux/kernel/memory.ts";
import { Reading } from "../../../src/inside/linux/kernel/reading.ts";
import { once } from "../../../src/kit/support/values/once.ts";
import { LinuxKernel } from "../../../src/inside/linux/kernel/kernel.ts";
import { asTree } from "../../../src/inside/linux/structures/tasks.ts";
import { mapInPieces, PIECE_STEPS, Work } from "../../../src/kit/support/values/work.ts";
import { linuxRows } from "../../../src/session/inspection/linux/read-linux.ts";
import { cpuTime } from "../../support/cpu-time.ts";
import { LONG } from "../../support/long.ts";
import { Random } from "../../support/random.ts";
import { ALL_READERS } from "./all-readers.ts";
import { hostileKernel, hostilePlace, type Members, type Slot, SLOTS } from "./hostile-kernel.ts";

/** Kernels whose members are chosen at random. */
const CASES = LONG ? 1000 : 6;
/**
 * CPU time (ms) of an answer, of which V8 may take more than the reader at first; where others use
 * the computer's caches too, a guard against loops that count nothing.
 */
const MS_MAX = LONG ? 250 : 2000, TRIES = 10;
/** Steps that the last one may be: the rows are sorted whatever is left. */
const OVER = 1 << 19;

/** Members that readers use if there are any. */
const OPTIONAL = [
  ...[
    "mm_struct.mm_mt",
    "maple_node.mr64.slot",
    "maple_node.mr64.pivot",
    "task_struct.on_cpu",
    "task_struct.on_rq",
    "task_struct.pi_blocked_on",
  ],
  ...["kthread.full_name", "kmem_cache.per_node", "mount.mnt_node", "mnt_namespace.mounts", "dentry.d_subdirs", "dentry.d_child"],
  ...[
    "module.source_list",
    "module.refcnt.counter",
    "kmem_cache_node.total_objects.counter",
    "block_device.bd_partno",
    "mutex_waiter.task",
  ],
  ...[
    "mutex_waiter.list",
    "mutex.wait_list",
    "mutex.first_waiter",
    "rwsem_waiter.task",
    "rw_semaphore.first_waiter",
    "sched_info.last_arrival",
  ],
];

/** The members that readers ask for: those that they miss are added, until they miss none. */
const askedFor = once((): string[] => {
  const members = new Map<string, Slot>(OPTIONAL.map((name) => [name, "next"]));
  for (let before = -1; members.size > before;) {
    before = members.size;
    const { kernel, physical } = hostileKernel({ members, symbols: "all" });
    for (const [, read] of ALL_READERS) {
      const memory = kernel.memory(physical), reading = new Reading("host", kernel, memory);
      memory.work.renew(STEPS_MAX >> 5);
      read(reading);
      for (const gap of reading.gaps) {
        if (gap.code === "type") members.set(gap.name.includes(".") ? gap.name.split(" ")[0] : `${gap.name}.`, "next");
      }
    }
  }
  return [...members.keys()];
});

/** All members lead to the next object; else one in two does, and few are missing. */
function chosen(random: Random | undefined): Members {
  const slots = Object.keys(SLOTS) as Slot[];
  const all = askedFor().filter(() => !random || random.below(20) > 0);
  return new Map(all.map((name) => [name, !random || random.below(2) ? "next" : random.pick(slots)]));
}

Deno.test("a hostile kernel at every limit: each reader answers within its steps, or says what it left out", () => {
  let atLimit = 0, longest = 0;
  for (let number = 0; number < CASES; number++) {
    const random = number === 0 ? undefined : new Random(number), symbols = number % 3 === 1 ? "functions" : "all";
    const { kernel, physical } = hostileKernel({ members: chosen(random), symbols });
    for (const [name, read] of ALL_READERS) {
      const place = `${name} of kernel ${number}`;
      let least = Infinity;
      for (let again = 0; again < TRIES && least > MS_MAX; again++) {
        const reading = new Reading("host", kernel, kernel.memory(physical)), before = Work.spent, begun = cpuTime();
        read(reading);
        least = Math.min(least, cpuTime() - begun);
        const steps = Work.spent - before;
        assert.ok(steps <= STEPS_MAX + OVER, `${place}: ${steps} steps`);
        if (steps <= STEPS_MAX) continue;
        atLimit++;
        assert.ok(reading.gaps.some(({ code }) => code === "work"), `${place}: nothing says that it was ended`);
      }
      assert.ok(least <= MS_MAX, `${place}: ${least} ms`);
      longest = Math.max(longest, least);
    }
  }
  // Otherwise they were not hostile enough.
  assert.ok(atLimit > CASES, `${atLimit} answers came to their limit; the longest took ${longest} ms`);
});

Deno.test("an answer about several hostile kernels has a piece for each, and one that costs nothing is whole", () => {
  const { kernel, physical } = hostileKernel({ members: chosen(undefined), symbols: "all" });
  const readings = Array.from({ length: 4 }, (_, number) => new Reading(`vm-${number}`, kernel, kernel.memory(physical)));
  const steps: number[] = [], rows = linuxRows(readings, "linux.ps", { threads: true });
  for (let before = Work.spent, done = false; !done; before = Work.spent) {
    done = rows.next().done === true;
    steps.push(Work.spent - before);
  }
  assert.equal(steps.length, readings.length);
  for (const count of steps) assert.ok(count <= STEPS_MAX + OVER, `a piece of ${count} steps`);
  assert.ok(mapInPieces(readings, ({ vm }) => vm).next().done);
});

Deno.test("the search in an image full of beginnings is in pieces, and ends", () => {
  const image = { headers: 20_000, types: LONG ? 1 << 20 : 1 << 18, exports: 1 << 19 };
  const place = hostilePlace({ members: chosen(undefined), symbols: "functions", image });
  const pieces = (LinuxKernel.find(place) ?? assert.fail()).learn(place.physical), begun = Work.spent;
  let most = 0, count = 0;
  for (let before = Work.spent; !pieces.next().done; before = Work.spent, count++) most = Math.max(most, Work.spent - before);
  assert.ok(count > 4, `${count} pieces`);
  assert.ok(most <= 2 * PIECE_STEPS, `a piece of ${most} steps`);
  assert.ok(Work.spent - begun <= 17 * STEPS_MAX, `${Work.spent - begun} steps`);
});

Deno.test("a chain of 20,000 tasks as a tree has lines of ordinary length", () => {
  const row = { id: "", vm: "vm:host", tgid: null, state: "S", name: "sh", kernel: false, uid: 0, threads: 1, cpu: 0 } as const;
  const more = { time: "0", started: "0", virtual: 0, resident: 0, waits: null, command: null, tree: null };
  const chain = Array.from({ length: 20_000 }, (_, index) => ({ ...row, ...more, pid: index + 1, ppid: index }));
  const lines = asTree(chain).map(({ tree }) => tree ?? "");
  assert.equal(lines.length, chain.length);
  assert.ok(lines.every(({ length }) => length < 150));
  assert.match(lines[19_999], /\(level 19999\) .*sh$/);
  // All children of one task, more than a call can have arguments.
  const children = Array.from({ length: 200_000 }, (_, index) => ({ ...row, ...more, pid: index + 1, ppid: index === 0 ? 0 : 1 }));
  assert.equal(asTree(children).length, children.length);
});
