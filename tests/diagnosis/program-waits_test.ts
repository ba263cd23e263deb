// Programs of a Linux whose tasks all wait: a line names what each waits for, and who has the other
// end; a circle of them is a verdict.

import assert from "node:assert/strict";
import { diagnosisLines } from "../../src/model/queries/texts/diagnosis-text.ts";
import type { ProgramWait } from "../../src/model/queries/facts/program-wait.ts";
import { assertSick, verdictOn, waiting } from "./broken-linux.ts";
import { fits } from "./class-guests.ts";

/** Virtual time (ns) in which a wait begins, and between two questions. */
const BEGUN = 2e9, ASKED = 100e6;

const WAITS: readonly (readonly [how: string, wait: Pick<ProgramWait, "for" | "what">, line: RegExp])[] = [
  ["mutex", { for: "mutex", what: "0x" }, /program init \((\d+)\) waits for the mutex at 0x[0-9a-f]+, which init \((?!\1)\d+\) holds/],
  [
    "robust",
    { for: "mutex", what: "0x" },
    /program init \((\d+)\) waits for the mutex at 0x[0-9a-f]+, which init \((?!\1)\d+\) holds/,
  ],
  [
    "futex",
    { for: "futex", what: "0x" },
    /program init \((\d+)\) waits to be woken at the futex at 0x[0-9a-f]+, as init \((?!\1)\d+\) does/,
  ],
  [
    "own-mutex-time",
    { for: "mutex", what: "0x" },
    /program init \(\d+\) waits for the mutex at 0x[0-9a-f]+, which it itself holds/,
  ],
  ["join", { for: "thread", what: null }, /program init \((\d+)\) waits for the end of thread init \((?!\1)\d+\); program init/],
  [
    "epoll-pipe",
    { for: "writer", what: "pipe:" },
    /program init \((\d+)\) waits for a writer of pipe:\[\d+\], which init \(1\), it itself have open/,
  ],
  [
    "epoll",
    { for: "events", what: "pipe:" },
    /program init \(\d+\) waits for events of pipe:\[\d+\], 127\.0\.0\.1:4660 \(TCP\); init \(1\) has other ends of them open/,
  ],
  ["stopped", { for: "signal", what: "SIGSTOP" }, /program init \(\d+\) is stopped by SIGSTOP, and waits for SIGCONT/],
  [
    "pipe",
    { for: "writer", what: "pipe:" },
    /program init \((\d+)\) waits for a writer of pipe:\[\d+\], which init \(1\), it itself have open/,
  ],
  [
    "select",
    { for: "writer", what: "pipe:" },
    /program init \((\d+)\) waits for a writer of pipe:\[\d+\], which init \(1\), it itself have open/,
  ],
  ["fifo", { for: "writer", what: "/fifo" }, /program init \(\d+\) waits for a writer of \/fifo, which nobody has open/],
  [
    "pipes-open",
    { for: "writer", what: "pipe:" },
    /program init \((\d+)\) waits for a writer of pipe:\[\d+\], which init \(1\), it itself, init \((?!\1)\d+\) have open/,
  ],
  [
    "full-pipe-read",
    { for: "reader", what: "pipe:" },
    /program init \((\d+)\) waits for a reader of pipe:\[\d+\], which init \((?!\1)\d+\), it itself have open/,
  ],
  ["pi", { for: "mutex", what: "0x" }, /program init \((\d+)\) waits for the mutex at 0x[0-9a-f]+, which init \((?!\1)\d+\) holds/],
  [
    "pair",
    { for: "sender", what: "socket:[" },
    /program init \((\d+)\) waits for data from socket:\[\d+\], whose other end init \(1\), it itself have open/,
  ],
  [
    "connection",
    { for: "sender", what: "127.0.0.1:" },
    /program init \((\d+)\) waits for data from 127\.0\.0\.1:\d+ \(TCP\), whose other end init \(1\), it itself have open/,
  ],
  ["poll", { for: "sender", what: "127.0.0.1:4660 (UDP)" }, /program init \(\d+\) waits for data from 127\.0\.0\.1:4660 \(UDP\)$/m],
  [
    "flock",
    { for: "lock", what: "/init" },
    /program init \(\d+\) waits for a lock of \/init, which init \(1\), it itself hold; program init \(1\) sleeps/,
  ],
];

for (const [how, { for: kind, what }, line] of WAITS) {
  Deno.test(`a program that waits for another one is healthy, and its wait is named: ${how}`, async () => {
    const debian = (await waiting()).copy();
    debian.type(`${how}\n`);
    for (let time = 0; time < BEGUN; time += ASKED) {
      assert.ok(debian.run(ASKED));
      assert.ok(verdictOn(debian).healthy, diagnosisLines(verdictOn(debian)).join("\n"));
    }
    const { because, evidence } = verdictOn(debian),
      wait = { for: kind, what: what === null ? null : new RegExp(`^${RegExp.escape(what)}`) };
    const waits = because.flatMap((one) => one.code === "kernel" && one.finding.code === "program-waits" ? one.finding.waits : []);
    assert.ok(waits.some((one) => fits(one, wait)), JSON.stringify(because));
    assert.match(evidence.join("\n"), line);
    assert.equal(because[0].code, "kernel", "what is idle comes later");
  });
}

Deno.test("threads that wait for each other's mutexes are stuck", async () => {
  const debian = (await waiting()).copy();
  debian.type("mutexes\n");
  const lines =
    /stuck: program init \((\d+)\) waits for the mutex at 0x\w+, which init \((\d+)\) holds, and program init \(\2\) waits for the mutex at 0x\w+, which init \(\1\) holds\n {2}way out: take these mutexes/;
  assertSick(debian, { code: "kernel-waits", finding: { code: "program-deadlock" } }, lines);
});

Deno.test("threads of which one waits for the other's end, which waits for its mutex, are stuck", async () => {
  const debian = (await waiting()).copy();
  debian.type("join-circle\n");
  const lines =
    /stuck: program init \((\d+)\) waits for the (?:end of thread init \((\d+)\), and program init \(\2\) waits for the mutex at 0x\w+, which init \(\1\) holds|mutex at 0x\w+, which init \((\d+)\) holds, and program init \(\3\) waits for the end of thread init \(\1\))\n {2}way out: release the mutex before/;
  assertSick(debian, { code: "kernel-waits", finding: { code: "program-deadlock" } }, lines);
});

Deno.test("programs of which each reads a pipe that only both can write are stuck", async () => {
  const debian = (await waiting()).copy();
  debian.type("pipes\n");
  const lines =
    /stuck: program init \((\d+)\) waits for a writer of pipe:\[\d+\], which it itself, init \((\d+)\) have open, and program init \(\2\) waits for a writer of pipe:\[\d+\], which init \(\1\), it itself have open\n {2}way out: close the ends/;
  assertSick(debian, { code: "kernel-waits", finding: { code: "program-deadlock" } }, lines);
});

Deno.test("a program that waits for the end of its child, which waits for it to read, is stuck", async () => {
  const debian = (await waiting()).copy();
  debian.type("full-pipe\n");
  const lines =
    /stuck: program init \((\d+)\) waits for the end of its child init \((\d+)\), and program init \(\2\) waits for a reader of pipe:\[\d+\], which init \(\1\), it itself have open\n {2}way out: read what the child writes/;
  assertSick(debian, { code: "kernel-waits", finding: { code: "program-deadlock" } }, lines);
});

Deno.test("a thread that waits for its own mutex is stuck", async () => {
  const debian = (await waiting()).copy();
  debian.type("own-mutex\n");
  const lines =
    /stuck: program init \(\d+\) waits for the mutex at 0x\w+, which it itself holds\n {2}way out: release the mutex on every path, or make it recursive/;
  assertSick(debian, { code: "kernel-waits", finding: { code: "program-deadlock", steps: [{ for: "mutex" }] } }, lines);
});
