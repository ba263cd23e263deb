// Limits that a Linux has reached, so that calls of its programs fail: the space or the inodes of a
// file system, the files that a program may have open. Memory that its own structures have counts
// before it is used up: nothing can take it from them.

import type { Exhausted, LinuxFinding } from "../../../model/queries/facts/linux-finding.ts";
import type { Reading } from "../kernel/reading.ts";
import type { Struct } from "../kernel/types.ts";
import { openCount, writableMounts } from "../structures/files.ts";
import { named } from "../structures/tasks.ts";
import { readMemoryUse } from "../structures/memory-use.ts";
import { readSlabs } from "../structures/slabs.ts";
import { settingAt } from "../structures/sysctl.ts";
import { processesIn, tasksOf } from "../waits/locks.ts";

const OF = "limits";
/** File systems and programs that are shown. */
const SHOWN_MAX = 3;
/** `RLIMIT_NOFILE`. */
const OPEN_FILES = 7;
/** Bytes of `free_ispace` that an inode of tmpfs takes (BOGO_INODE_SIZE in mm/shmem.c). */
const TMPFS_INODE = 1024n;

/** Numbers below it are given once (RESERVED_PIDS in include/linux/threads.h). */
const KEPT_NUMBERS = 300;

/** Structures that have more than one part of so many of the memory are too many. */
const STRUCTURES = 3;

/** `task_struct.exit_state` (EXIT_ZOMBIE); so many children are not waited for soon. */
const ZOMBIE = 0x20, CHILDREN = 32;

/** The free blocks and inodes of a file system, in its own units; undefined: without a limit. */
interface Room {
  readonly blocks?: { readonly free: bigint; readonly size: bigint; readonly bytes: number };
  readonly inodes?: { readonly free: bigint; readonly all: bigint };
}

/** Readers by the type of file system. */
const ROOMS: Readonly<Record<string, readonly [type: string, read: (reading: Reading, info: Struct) => Room]>> = {
  tmpfs: ["shmem_sb_info", tmpfsRoom],
  ext4: ["ext4_sb_info", ext4Room],
};

const TYPES: ReadonlySet<string> = new Set(Object.keys(ROOMS));

function tmpfsRoom(reading: Reading, info: Struct): Room {
  const size = info.big("max_blocks"), all = info.big("max_inodes"), bytes = 2 ** reading.kernel.tables.granule;
  const used = reading.sumPerCpu(info.inner("used_blocks", "percpu_counter"));
  // 6.6 counts bytes for extended attributes, too.
  const free = info.has("free_ispace") ? info.big("free_ispace") / TMPFS_INODE : info.big("free_inodes");
  return { ...size > 0n && { blocks: { free: size - used, size, bytes } }, ...all > 0n && { inodes: { free, all } } };
}

/** Those for the administrator alone do not count. */
function ext4Room(reading: Reading, info: Struct): Room {
  const block = info.at("s_es", "ext4_super_block"), counter = (name: string) => reading.sumPerCpu(info.inner(name, "percpu_counter"));
  if (!block) return {};
  const shift = info.big("s_cluster_bits"), kept = (block.big("s_r_blocks_count_lo") >> shift) + info.big("s_resv_clusters.counter");
  const free = counter("s_freeclusters_counter") - counter("s_dirtyclusters_counter") - kept;
  const bytes = 1024 << block.number("s_log_block_size");
  return {
    blocks: { free, size: block.big("s_blocks_count_lo"), bytes },
    inodes: { free: counter("s_freeinodes_counter"), all: block.big("s_inodes_count") },
  };
}

/** Undefined if nothing is. */
export function exhausted(reading: Reading): LinuxFinding | undefined {
  const of = [
    ...fullSystems(reading),
    ...fullPrograms(reading),
    ...fullNumbers(reading),
    ...manyChildren(reading),
    ...manyStructures(reading),
  ].slice(0, SHOWN_MAX);
  return of.length ? { code: "exhausted", of } : undefined;
}

function fullSystems(reading: Reading): Exhausted[] {
  return reading.rows(OF, () => writableMounts(reading, TYPES), ({ path, type, block }): Exhausted | undefined => {
    const [form, roomIn] = ROOMS[type] ?? [];
    if (form === undefined || !roomIn || !reading.hasType(form)) return undefined;
    const info = block.at("s_fs_info", form), { blocks, inodes } = info ? roomIn(reading, info) : {};
    if (blocks && blocks.free <= 0n) return { code: "space", path, limit: Number(blocks.size) * blocks.bytes };
    return inodes && inodes.free <= 0n ? { code: "inodes", path, limit: Number(inodes.all) } : undefined;
  });
}

function fullPrograms(reading: Reading): Exhausted[] {
  return reading.rows(OF, () => processesIn(tasksOf(reading)), (process): Exhausted | undefined => {
    const limit = process.at("signal", "signal_struct")?.big(`rlim[${OPEN_FILES}].rlim_cur`) ?? 0n;
    // Some programs take from themselves the right to open any.
    if (limit === 0n || openCount(reading, process, limit) !== limit) return undefined;
    return { code: "files", task: named(process), limit: Number(limit) };
  });
}

/** The numbers of processes, if all that the kernel would give next are taken (alloc_pid). */
function fullNumbers(reading: Reading): Exhausted[] {
  const tasks = tasksOf(reading), [first] = processesIn(tasks), at = reading.tried(OF, () => settingAt(reading, "kernel", "pid_max"));
  const next = first?.at("nsproxy", "nsproxy")?.at("pid_ns_for_children", "pid_namespace")?.number("idr.idr_next");
  if (at === undefined || next === undefined) return [];
  const limit = reading.memory.u32(at), lowest = next > KEPT_NUMBERS ? KEPT_NUMBERS : 1;
  const taken = reading.rows(OF, () => tasks.values(), (task) => task.number("pid") >= lowest ? task : undefined);
  return taken.length < limit - lowest ? [] : [{ code: "numbers", limit, tasks: tasks.size }];
}

/** Programs with many children that have ended. */
function manyChildren(reading: Reading): Exhausted[] {
  const ended = reading.rows(
    OF,
    () => processesIn(tasksOf(reading)),
    (process) => process.number("exit_state") === ZOMBIE ? process.at("real_parent", "task_struct") : undefined,
  );
  return [...Map.groupBy(ended, ({ address }) => address).values()].flatMap((of) =>
    of.length < CHILDREN ? [] : [{ code: "children" as const, task: named(of[0]), count: of.length }]
  );
}

/** Structures that the kernel cannot reclaim, and the cache that has most of them. */
function manyStructures(reading: Reading): Exhausted[] {
  const uses = new Map(readMemoryUse(reading).map(({ name, bytes }) => [name, bytes]));
  const size = uses.get("SUnreclaim") ?? 0, of = uses.get("MemTotal") ?? 0;
  if (of === 0 || STRUCTURES * size < of) return [];
  const [largest] = readSlabs(reading).sort((one, other) => other.bytes - one.bytes);
  return largest ? [{ code: "structures", size, of, cache: largest.name, in_cache: largest.bytes }] : [];
}
