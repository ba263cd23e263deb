// Waits for events of any of several files (fs/eventpoll.c in the kernel's sources): which files a
// program watches, and who has their other ends.

import type { Reading } from "../kernel/reading.ts";
import type { Struct } from "../kernel/types.ts";
import { MODE_READ, MODE_WRITE } from "../structures/files.ts";
import { redBlackEntries } from "../structures/trees.ts";
import { fileEnd, ownersOf } from "./file-waits.ts";
import { type EndWait, namedEnd, PEERS_MAX } from "./other-ends.ts";

/** `epoll_event.events`: those that a program asks for, and that the file can be read. */
const ASKED = 0x0fff_ffff, IN = 1;
/** Files of an epoll that are looked at, and those that are named. */
const WATCHED_MAX = 256, NAMED_MAX = 4;

/**
 * @param file that of epoll_create(2)
 * @param isEndless whether it has no timeout
 */
export function eventsWait(reading: Reading, task: Struct, file: Struct, isEndless: boolean): EndWait | undefined {
  const poll = file.at("private_data", "eventpoll");
  if (!poll) return undefined;
  const items = redBlackEntries(reading, poll.inner("rbr.rb_root", "rb_root"), "epitem", "rbn");
  // The tree is in the order of the files' addresses, which differs between runs.
  const watched = items.take(WATCHED_MAX).filter((item) => (item.number("event.events") & ASKED) !== 0)
    .toArray().sort((a, b) => a.number("ffd.fd") - b.number("ffd.fd"))
    .map((item) => ({ file: item.at("ffd.file", "file"), isRead: (item.number("event.events") & IN) !== 0 }))
    .flatMap(({ file, isRead }) => file ? [{ file, isRead }] : []);
  const ends = watched.flatMap(({ file, isRead }) => fileEnd(reading, file, isRead ? MODE_WRITE : MODE_READ) ?? []);
  // Another file may be added: the end of this one's wait need not be the only one.
  if (watched.length === 1 && ends.length === 1) return { ...ends[0], enders: [], isEndless: false };
  const names = watched.slice(0, NAMED_MAX).map((one) => namedEnd(reading, one.file)), more = watched.length - names.length;
  const others = new Map(
    ends.flatMap(({ peers }) => peers).filter(({ pid }) => pid !== task.number("pid")).map((peer) => [peer.pid, peer]),
  );
  const what = names.length ? `${names.join(", ")}${more ? ` and ${more} more` : ""}` : null;
  const peers = others.values().take(PEERS_MAX).toArray();
  return { for: "events", what, peers, ...watched.length === 0 && isEndless ? ownersOf(reading, file) : { enders: [], isEndless: false } };
}
