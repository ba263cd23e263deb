// A Linux that has used something up is healthy, and a line names what: space and inodes of a file
// system, open files of a program, memory of a cgroup. A Linux that nearly has, has none.

import assert from "node:assert/strict";
import { withEntries } from "../../src/kit/formats/cpio.ts";
import { catalogEntry } from "../../src/app/catalog/catalog.ts";
import { diagnosisLines } from "../../src/model/queries/texts/diagnosis-text.ts";
import type { Exhausted } from "../../src/model/queries/facts/linux-finding.ts";
import { Debian } from "../inside/linux/debian.ts";
import { fits } from "./class-guests.ts";
import { assertSick, verdictOn } from "./broken-linux.ts";
import { LONG } from "../support/long.ts";

/** Virtual time (ns) in which a command of the shell has come to its end. */
const DONE = 1e9;

/** It is healthy; what it has used up. */
function usedUp(debian: Debian): readonly Exhausted[] {
  const row = verdictOn(debian);
  assert.ok(row.healthy, diagnosisLines(row).join("\n"));
  return row.because.flatMap((one) => one.code === "kernel" && one.finding.code === "exhausted" ? one.finding.of : []);
}

const TMPFS = "mkdir /full; mount -t tmpfs -o size=64k,nr_inodes=5 none /full";
const OPEN = "3</init 4</init 5</init 6</init";

interface Case {
  readonly name: string;
  /** Commands of the sick one, of its twin, and of both before. */
  readonly before?: string;
  readonly sick: string;
  readonly twin: string;
  readonly of: readonly Readonly<Record<string, unknown>>[];
  readonly line: RegExp;
  /** After which nothing is used up any more. */
  readonly heal: string;
}

const CASES: readonly Case[] = [
  {
    name: "the space of a tmpfs",
    before: TMPFS,
    sick: "dd if=/dev/zero of=/full/x bs=4k",
    twin: "dd if=/dev/zero of=/full/x bs=4k count=15",
    of: [{ code: "space", path: "/full", limit: 65_536 }],
    line: /the file system at \/full is full: 64K are used; way out: remove files there/,
    heal: "mount -o remount,size=128k /full",
  },
  {
    name: "the inodes of a tmpfs",
    before: TMPFS,
    sick: "touch /full/1 /full/2 /full/3 /full/4 /full/5",
    twin: "touch /full/1 /full/2 /full/3",
    of: [{ code: "inodes", path: "/full", limit: 5 }],
    line: /the file system at \/full has no inode left of 5; way out: .*nr_inodes=/,
    heal: "rm /full/1",
  },
  {
    name: "the files that a program may have open",
    sick: `sh -c 'ulimit -n 8; exec ${OPEN} 7</init; sleep 1000; true' & echo`,
    twin: `sh -c 'ulimit -n 8; exec ${OPEN}; sleep 1000; true' & echo`,
    of: [{ code: "files", task: { name: "sh" }, limit: 8 }, { code: "files", task: { name: "sleep" }, limit: 8 }],
    line:
      /program sh \(\d+\) has as many files open as it may: 8; .*; way out: find the files that it does not close with el2 linux files \d+/,
    heal: "kill $!; kill $(pidof sleep)",
  },
  {
    name: "the numbers of processes",
    before: "mount -t proc none /proc",
    sick: "echo 301 > /proc/sys/kernel/pid_max; sh -c 'while true; do sleep 1000 & done'",
    twin: "echo 1000 > /proc/sys/kernel/pid_max; true",
    of: [{ code: "numbers", limit: 301 }],
    line: /no number is left for a new process or thread: kernel\.pid_max is 301, and \d+ tasks have one; way out: raise kernel\.pid_max/,
    heal: "echo 1000 > /proc/sys/kernel/pid_max",
  },
];

for (const { name, before, sick, twin, of, line, heal } of CASES) {
  Deno.test(`a Linux that has used up ${name} is healthy, and has a line until there is room`, async () => {
    const debian = await Debian.booted("bookworm");
    if (before !== undefined) debian.command(before);
    const healthy = debian.copy();
    healthy.command(twin);
    assert.deepEqual(usedUp(healthy), []);
    debian.command(sick);
    const found = usedUp(debian);
    assert.ok(fits(found, of), JSON.stringify(found));
    assert.match(verdictOn(debian).evidence.join("\n"), line);
    debian.command(heal);
    debian.run(DONE);
    assert.deepEqual(usedUp(debian), []);
  });
}

Deno.test("a process that is killed as its cgroup is out of memory has the cgroup's limit as its way out", async () => {
  const debian = await Debian.booted("bookworm");
  debian.command("mkdir /cg; mount -t cgroup2 none /cg; echo +memory > /cg/cgroup.subtree_control; mkdir /cg/small");
  debian.command("echo 4M > /cg/small/memory.max");
  debian.command("sh -c 'echo $$ > /cg/small/cgroup.procs; exec dd if=/dev/zero of=/dev/null bs=64M count=1'");
  const row = verdictOn(debian);
  assert.ok(row.healthy);
  assert.match(
    row.evidence.join("\n"),
    /a cgroup was out of memory, and has killed a process: task dd \(\d+\) in \/small; way out: raise memory\.max of that cgroup/,
  );
  assert.ok(!row.because.some((one) => one.code === "kernel" && one.finding.code === "reported" && one.finding.kind === "oom-kill"));
});

if (LONG) {
  Deno.test("an init that ends without a console has the console as its way out", async () => {
    const { folder } = await catalogEntry("debian-bookworm"), data = new TextEncoder().encode("#!/bin/busybox sh\nexit 3\n");
    const initrd = withEntries(await Deno.readFile(`${folder}/initrd`), [{ path: "init", kind: "file", permissions: 0o755, data }]);
    const debian = await Debian.start("bookworm", { initrd, append: "console=ttyS0" });
    assertSick(
      debian,
      { code: "panicked", cause: { code: "init-exited", status: 3, silent: true } },
      /ended with exit code 3, .*; it had no console: the kernel could not open \/dev\/console\n {2}way out: name with console= a console/,
    );
  });
}
