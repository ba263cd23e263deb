// Locks that tasks of a Debian wait for.

import assert from "node:assert/strict";
import { ordinaryGuest } from "../../../guests/guest.ts";
import { withPrograms } from "../../../guests/programs.ts";
import { Debian, RELEASES } from "../debian.ts";
import { LONG } from "../../../support/long.ts";

/** Virtual time (ns) in which the tasks come to wait. */
const WHILE = 5e8;

const PROGRAMS = ["held-folder", "pi-futex"] as const;

/** Locks of files, of a futex and of a folder: nobody, then one task or two, wait for them. */
function compareLocks(debian: Debian): void {
  assert.deepEqual(debian.rows("linux.locks"), []);

  // Two readers of one open file, of which the first waits for more to read.
  debian.command("exec 3</proc/kmsg; cat <&3 >/dev/null & a=$!; echo $a > /a");
  debian.run(WHILE);
  debian.command("cat <&3 >/dev/null & echo $! > /b; exec 3<&-");
  debian.run(WHILE);
  const task = (file: string) => `task:host/${debian.command(`cat ${file}`).trim()}`;
  const [mutex, ...others] = debian.rows("linux.locks");
  assert.deepEqual(others, []);
  const { type, held, holder, holder_name, waiters, wants, where } = mutex;
  assert.deepEqual(
    { type, held, holder, holder_name, waiters, wants },
    { type: "mutex", held: "alone", holder: task("/a"), holder_name: "cat", waiters: [task("/b")], wants: ["alone"] },
  );
  assert.match(where!, /^__fdget_pos\+|^fdget_pos\+|^ksys_read\+/);
  debian.command("kill $(cat /a)");
  debian.run(WHILE);
  assert.deepEqual(debian.rows("linux.locks"), []);

  debian.command("pi-futex & echo $! > /a");
  debian.run(WHILE);
  const [inherits, ...rest] = debian.rows("linux.locks");
  const [child] = debian.rows("linux.ps", { filter: `ppid=${debian.command("cat /a").trim()}` });
  assert.deepEqual(rest, []);
  assert.deepEqual(
    [inherits.type, inherits.held, inherits.holder, inherits.waiters, inherits.wants],
    ["rtmutex", "alone", child.id, [task("/a")], ["alone"]],
  );
  assert.match(inherits.where!, /^futex_lock_pi\+/);
  debian.command("killall -9 pi-futex");
  debian.run(WHILE);
  assert.deepEqual(debian.rows("linux.locks"), []);

  // A reader of a folder that never comes to an end, and two tasks that want to change it.
  debian.command("mkdir /held; held-folder & echo $! > /a");
  debian.run(WHILE);
  debian.command("mkdir /held/x & echo $! > /b");
  debian.run(WHILE);
  debian.command("mkdir /held/y & echo $! > /c");
  debian.run(WHILE);
  const [folderLock, ...more] = debian.rows("linux.locks");
  assert.deepEqual(more, []);
  assert.deepEqual(
    [folderLock.type, folderLock.held, folderLock.holder, folderLock.waiters, folderLock.wants],
    ["rwsem", "shared", null, [task("/b"), task("/c")], ["alone", "alone"]],
  );
}

for (const release of RELEASES) {
  Deno.test(`the locks that tasks wait for have their holders and waiters: ${release}`, async () => {
    compareLocks(await Debian.booted(release));
  });
}

if (LONG) {
  Deno.test("the locks of a real-time kernel, which all have an RT mutex inside, have their holders and waiters", async () => {
    const { image, initrd } = await ordinaryGuest("bookworm", [], "linux-image-rt-arm64");
    compareLocks(Debian.of(image, { initrd: await withPrograms(initrd, ...PROGRAMS) }).withShell());
  });
}
