// Programs that wait in calls which few programs make, or for files of other kinds than pipes and
// sockets: a line names the wait, who has its other end, and what that one does. A wait that
// nothing outside of it can end is a verdict.

import assert from "node:assert/strict";
import { once } from "../../src/kit/support/values/once.ts";
import { diagnosisLines } from "../../src/model/queries/texts/diagnosis-text.ts";
import type { ProgramWait } from "../../src/model/queries/facts/program-wait.ts";
import { Debian, RELEASES } from "../inside/linux/debian.ts";
import { Random } from "../support/random.ts";
import { assertSick, verdictOn } from "./broken-linux.ts";
import { waitingOf } from "./waits-guest.ts";

/** Virtual time (ns) in which a wait begins, and the most between two questions. */
const BEGUN = 2e9, ASKED = 200e6;

const P = String.raw`init \(\d+\)`;
/** The one that waits, by its number, which the test looks up. */
const W = String.raw`program init \((\d+)\)`;
const SLEEPS = String.raw`; program init \(1\) sleeps for another 99\d\.\ds`;
const OPEN = String.raw`which init \(1\), it itself have open`;

const HEALTHY: readonly (readonly [how: string, kind: ProgramWait["for"], line: string])[] = [
  ["counter", "counter", `${W} waits for a write to an eventfd, ${OPEN}${SLEEPS}`],
  ["counters-open", "counter", `${W} waits for a write to an eventfd, which init \\(1\\), it itself, ${P} have open; .*${SLEEPS}`],
  ["timer", "timer", `${W} waits for a timerfd that expires in 499\\d\\.\\ds${SLEEPS}`],
  ["signals", "signals", `${W} waits for SIGUSR1 or SIGUSR2${SLEEPS}`],
  ["signal-file", "signals", `${W} waits for SIGUSR1 or SIGUSR2${SLEEPS}`],
  ["suspend", "signals", `${W} waits for a signal${SLEEPS}`],
  ["pause", "signals", `${W} waits for a signal${SLEEPS}`],
  ["changes", "changes", `${W} waits for changes of files that it watches \\(inotify\\)${SLEEPS}`],
  ["message", "message", `${W} waits for a message in the System V queue 0`],
  ["messages-full", "room", `${W} waits for room in the System V queue 0`],
  ["semaphore", "semaphore", `${W} waits for the semaphore 1 of the System V set 0, which init \\(1\\) has changed last${SLEEPS}`],
  ["orders", "message", `${W} waits for a message in the queue /orders, which init \\(1\\), it itself can write${SLEEPS}`],
  ["orders-full", "room", `${W} waits for room in the queue /orders, which init \\(1\\), it itself can read${SLEEPS}`],
  [
    "vfork",
    "exec",
    `${W} waits for its child (${P}) to execute a program or to end \\(vfork\\); program \\2 sleeps for another 99\\d\\.\\ds`,
  ],
  ["process", "process", `${W} waits for the end of (${P}) \\(pidfd\\); program \\2 sleeps for another 99\\d\\.\\ds`],
  ["page-shared", "page", `${W} waits for the page at 0x[0-9a-f]+, which init \\(1\\), it itself can bring \\(userfaultfd\\)${SLEEPS}`],
  ["completion", "completion", `${W} waits for a request of its io_uring to complete${SLEEPS}`],
  ["console", "input", `${W} waits for input of /dev/ttyAMA0${SLEEPS}`],
  ["terminal", "input", `${W} waits for input of /dev/pts0, whose other end init \\(1\\), it itself have open${SLEEPS}`],
  ["keeper", "input", `${W} waits for input of /dev/ptm0, whose other end init \\(1\\), it itself have open${SLEEPS}`],
  ["terminal-full", "output", `${W} waits for room in /dev/pts0, whose other end init \\(1\\), it itself have open${SLEEPS}`],
  ["terminal-stopped", "start", `${W} waits for /dev/pts0 to be started again: its output is stopped, as by Ctrl-S`],
  ["background", "signal", `${W} is stopped by SIGTTIN, as it reads its terminal in the background, and waits for SIGCONT`],
  ["client", "client", `${W} waits for a client of 127\\.0\\.0\\.1:4660 \\(TCP\\)${SLEEPS}`],
  ["client-local", "client", `${W} waits for a client of /server${SLEEPS}`],
  ["datagram", "data", `${W} waits for data at 127\\.0\\.0\\.1:4660 \\(UDP\\)${SLEEPS}`],
  ["netlink", "data", `${W} waits for data at socket:\\[\\d+\\] \\(netlink\\)${SLEEPS}`],
  ["locks-in-order", "lock", `${W} waits for a lock of /a, which (${P}) holds; program \\2 sleeps for another 99\\d\\.\\ds`],
  ["splice", "writer", `${W} waits for a writer of pipe:\\[\\d+\\], ${OPEN}${SLEEPS}`],
  [
    "parent",
    "time",
    `program init \\(1\\) sleeps for another 99\\d\\.\\ds; program ${P} sleeps for another 699\\d\\.\\ds, and ${P} waits for its end`,
  ],
  [
    "parent-of-two",
    "time",
    `program init \\(1\\) sleeps for another 99\\d\\.\\ds; program ${P} sleeps for another 699\\d\\.\\ds; program ${P} sleeps for another 699\\d\\.\\ds`,
  ],
  [
    "look-late",
    "input",
    `${W} waits for input of /dev/pts0, whose other end init \\(1\\), it itself, ${P} have open${SLEEPS}; program ${P} sleeps for another \\S+`,
  ],
  ["sleep", "time", `program init \\(1\\) sleeps for another 99\\d\\.\\ds; program ${P} sleeps for another 699\\d\\.\\ds`],
];

const SICK: readonly (readonly [how: string, kinds: readonly ProgramWait["for"][], lines: string])[] = [
  ["own-counter", ["counter"], "waits for a write to an eventfd, which it itself has open\n {2}way out: write the eventfd before"],
  ["counters", ["counter", "counter"], "waits for a write to an eventfd, .*, and program .*\n {2}way out: write the eventfd before"],
  ["own-pipe", ["writer"], "waits for a writer of pipe:\\[\\d+\\], which it itself has open\n {2}way out: close the ends"],
  ["unset-timer", ["timer"], "waits for a timerfd that is not set, which it itself has open\n {2}way out: set the timer"],
  ["no-changes", ["changes"], "waits for changes of no file \\(inotify\\)\n {2}way out: add what it watches"],
  ["no-events", ["events"], "waits for events of no file\n {2}way out: add the files with epoll_ctl"],
  ["vfork-reader", ["exec", "writer"], "waits for its child .*, and program .* waits for a writer of .*\n {2}way out: use fork"],
  [
    "page",
    ["page"],
    "waits for the page at 0x[0-9a-f]+, which it itself can bring .*\n {2}way out: read the userfaultfd in another thread",
  ],
  [
    "locks",
    ["lock", "lock"],
    "waits for a lock of /b, .*, and program .* waits for a lock of /a, .*\n {2}way out: take these locks in the same",
  ],
];

const onBookworm = once(waitingOf("bookworm"));

for (const release of RELEASES) {
  const waiting = release === "bookworm" ? onBookworm : once(waitingOf(release));

  for (const [how, kind, line] of HEALTHY) {
    Deno.test(`${release}: a program that waits in a rare call is healthy, and its wait is named: ${how}`, async () => {
      const debian = (await waiting()).copy(), random = new Random(how.length);
      debian.type(`${how}\n`);
      for (const end = debian.system.machine.time + BEGUN; debian.system.machine.time < end;) {
        assert.ok(debian.run(1 + random.below(ASKED)));
        assert.ok(verdictOn(debian).healthy, diagnosisLines(verdictOn(debian)).join("\n"));
      }
      assert.doesNotMatch(debian.shown, /FAILED/);
      const { because, evidence } = verdictOn(debian);
      const waits = because.flatMap((one) => one.code === "kernel" && one.finding.code === "program-waits" ? one.finding.waits : []);
      assert.ok(waits.some((one) => one.for === kind), JSON.stringify(because));
      assert.match(evidence[0], new RegExp(`^${line}$`));
    });
  }

  for (const [how, kinds, lines] of SICK) {
    Deno.test(`${release}: a wait in a rare call that nothing else can end is stuck: ${how}`, async () => {
      const debian = (await waiting()).copy();
      debian.type(`${how}\n`);
      const steps = kinds.map((kind) => ({ for: kind }));
      assertSick(debian, { code: "kernel-waits", finding: { code: "program-deadlock", steps } }, new RegExp(`stuck: ${W} ${lines}`));
      assert.doesNotMatch(debian.shown, /FAILED/);
    });
  }
}

Deno.test("a program in a frozen cgroup has a line until the cgroup is thawed", async () => {
  const debian = await Debian.booted("bookworm"), lines = () => verdictOn(debian).evidence.join("\n");
  debian.command("mkdir /cg; mount -t cgroup2 none /cg; mkdir /cg/a /cg/a/b; sleep 5000 & echo $! > /cg/a/b/cgroup.procs");
  assert.match(lines(), /^program sh \(\d+\) waits for input of \/dev\/ttyAMA0/);
  debian.command("echo 1 > /cg/a/cgroup.freeze");
  assert.match(lines(), /^program sleep \(\d+\) is frozen by the cgroup \/a$/m);
  assert.ok(verdictOn(debian).healthy);
  debian.command("echo 0 > /cg/a/cgroup.freeze");
  assert.doesNotMatch(lines(), /frozen/);
});

Deno.test("a kernel whose structures have a third of the memory has a line with their cache; one with few has none", async () => {
  const sick = (await onBookworm()).copy(), healthy = sick.copy();
  const lines = (debian: Debian) => verdictOn(debian).evidence.join("\n");
  healthy.type("messages-few\n");
  sick.type("messages-kept\n");
  for (const debian of [sick, healthy]) assert.ok(debian.run(BEGUN) && verdictOn(debian).healthy);
  assert.doesNotMatch(sick.shown + healthy.shown, /FAILED/);
  assert.match(
    lines(sick),
    /^the kernel's own structures have \d+\.\dM of \d+\.\dM of memory: \d+\.\dM of them are in kmalloc-cg-1k; way out: /m,
  );
  assert.doesNotMatch(lines(healthy), /structures/);
});
