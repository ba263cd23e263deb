// Locks that tasks of a Debian wait for.

import assert from "node:assert/strict";
import { ordinaryGuest } from "../../../guests/guest.ts";
import { withPrograms } from "../../../guests/programs.ts";
import { stackOf } from "../../../../src/inside/linux/structures/frames.ts";
import { findTask } from "../../../../src/inside/linux/structures/tasks.ts";
import { probedDevice } from "../../../../src/inside/linux/waits/probe.ts";
import { findReading } from "../../../../src/session/inspection/linux/read-linux.ts";
import { Looks, View } from "../../../../src/session/inspection/readers/inspected.ts";
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

Deno.test("a driver starts a device if a call that is not over has it: not by older words of the stack, nor with bytes as its name", async () => {
  const debian = await Debian.booted("bookworm"), view = new View(debian.system, new Looks());
  const [space] = debian.system.symbols.vcpus("host").flatMap(({ addressSpace }) => addressSpace ?? []);
  const reading = findReading(view, space) ?? assert.fail("no kernel");
  // The shell's parent waits for it, with room below its stack pointer and words above it.
  const task = findTask(reading, 1) ?? assert.fail("no process 1"),
    sp = task.big("thread.cpu_context.sp"),
    { start } = stackOf(reading, task);
  assert.equal(probedDevice(reading, task), undefined);
  const put = (at: bigint, value: bigint) => debian.write(at, new Uint8Array(new BigUint64Array([value]).buffer));
  const text = (at: bigint, value: string) => debian.write(at, Uint8Array.from(`${value}\0`, (one) => one.charCodeAt(0)));
  const device = start + 0x400n, driver = start + 0x200n, name = start + 0x100n, fields = reading.struct("device", device);
  put(fields.addressOf("mutex.owner"), task.address);
  put(fields.addressOf("driver"), driver);
  put(reading.struct("device_driver", driver).addressOf("name"), name);
  put(fields.addressOf("kobj.name"), name);
  text(name, "rng");
  for (const field of ["init_name", "parent", "of_node"]) put(fields.addressOf(field), 0n);
  const again = () => probedDevice(findReading(new View(debian.system, new Looks()), space)!, task);
  put(sp - 0x40n, device);
  assert.equal(again(), undefined, "a word of a call that is over");
  put(sp + 0x10n, device);
  assert.equal(again()?.driver, "rng");
  text(name, "p\x90\n");
  assert.equal(again(), undefined, "a name that is not text");
});

if (LONG) {
  Deno.test("the locks of a real-time kernel, which all have an RT mutex inside, have their holders and waiters", async () => {
    const { image, initrd } = await ordinaryGuest("bookworm", [], "linux-image-rt-arm64");
    compareLocks(Debian.of(image, { initrd: await withPrograms(initrd, ...PROGRAMS) }).withShell());
  });
}
