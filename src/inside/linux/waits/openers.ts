// Processes by the files that they have open: who has the other end of a pipe or a socket.

import type { NamedTask } from "../../../model/queries/facts/linux-finding.ts";
import type { Reading } from "../kernel/reading.ts";
import type { Struct } from "../kernel/types.ts";
import { openFiles } from "../structures/files.ts";
import { named, processes } from "../structures/tasks.ts";

const OF = "open files";
/** Processes that are named of those that have a file open. */
const PEERS_MAX = 3;

interface Opener {
  readonly process: Struct;
  /** `file.f_mode`. */
  readonly mode: number;
}

/** Of an answer, by the address of the inode. */
const OPENERS = new WeakMap<Reading["memory"], ReadonlyMap<bigint, readonly Opener[]>>();

function openersIn(reading: Reading): ReadonlyMap<bigint, readonly Opener[]> {
  let known = OPENERS.get(reading.memory);
  if (!known) {
    const opened = reading.rows(OF, () => processes(reading), (process) => {
      const files = reading.tried(OF, () => [...openFiles(reading, process)]) ?? [];
      return files.map(({ file }) => ({ process, inode: file.pointer("f_inode"), mode: file.number("f_mode") }));
    }).flat();
    OPENERS.set(reading.memory, known = Map.groupBy(opened, ({ inode }) => inode));
  }
  return known;
}

/**
 * The first processes that have an inode open.
 * @param mode bits of `file.f_mode`, of which one has to be set
 */
export function openersOf(reading: Reading, inode: Struct, mode: number): NamedTask[] {
  const found = openersIn(reading).get(inode.address) ?? [];
  const open = new Set(found.filter((one) => (one.mode & mode) !== 0).map(({ process }) => process));
  return [...open].slice(0, PEERS_MAX).map(named);
}

/** Inodes that processes have open, by address. */
export const openInodes = (reading: Reading): Iterable<bigint> => openersIn(reading).keys();
