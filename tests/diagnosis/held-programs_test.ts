// Programs of a Linux that nothing of their own holds: a share of the CPUs that is used up, a
// program that the kernel has started for them, children that nobody has waited for, a kernel that
// has suspended. A line names it, or a verdict; without it there is none.

import assert from "node:assert/strict";
import { Debian } from "../inside/linux/debian.ts";
import { Random } from "../support/random.ts";
import { assertSick, verdictOn } from "./broken-linux.ts";

/** Virtual time (ns) in which it begins, and between two questions at most. */
const BEGUN = 4e9, ASKED = 500e6;

interface Held {
  /** Commands, of which a part is the cause. */
  readonly of: (part: string) => string;
  readonly held: string;
  readonly free: string;
  readonly line: RegExp;
}

const helper = (path: string) => (does: string) => `printf '#!/bin/sh\\n${does}\\n' > ${path}; chmod 755 ${path}; `;
const CGROUP = "mkdir /cg; mount -t cgroup2 none /cg; echo +cpu > /cg/cgroup.subtree_control; mkdir /cg/a; ";

const HELD: Readonly<Record<string, Held>> = {
  "a share of the CPUs that is used up": {
    of: (share) => `${CGROUP}echo '${share}' > /cg/a/cpu.max; (echo 0 > /cg/a/cgroup.procs; while :; do :; done) &`,
    held: "1000 1000000",
    free: "max 1000000",
    line: /program sh \(\d+\) waits for CPU time: its cgroup \/a has used its share \(cpu\.max\) of this period/,
  },
  "a module that a program of the kernel brings": {
    of: (does) => `${helper("/bin/probe")(does)}echo /bin/probe > /proc/sys/kernel/modprobe; mkdir -p /m; mount -t foofs none /m &`,
    held: "exec sleep 5000",
    free: "exit 1",
    line: /program mount \((\d+)\) waits for a module, for which the kernel has started sleep \((\d+)\); program sleep \(\2\) sleeps/,
  },
  "a core dump that a program of the kernel takes": {
    of: (does) =>
      `${helper("/bin/core")(does)}echo '|/bin/core' > /proc/sys/kernel/core_pattern; ulimit -c unlimited; (sh -c 'kill -SEGV $$'; true) &`,
    held: "exec sleep 5000",
    free: "exit 1",
    line: /program sh \(\d+\) waits for its core dump, for which the kernel has started sleep \((\d+)\); program sleep \(\1\) sleeps/,
  },
  // The server's socket is of IPv6, and has its client's address of IPv4 in a longer form.
  "a client of a server for both kinds of addresses": {
    of: (asks) =>
      `ip link set lo up; nc -l -p 7000 -e sh -c 'read line; echo answer' & sleep 1; (${asks}exec sleep 5000) | nc 127.0.0.1 7000 &`,
    held: "",
    free: "echo question; ",
    line: /program sh \(\d+\) waits for data from 127\.0\.0\.1:\d+ \(TCP\), whose other end nc \(\d+\) has open/,
  },
  "children that nobody has waited for": {
    of: (does) => `sh -c 'for i in $(seq 1 60); do sleep 0 & done; ${does}exec sleep 5000' &`,
    held: "",
    free: "wait; ",
    line: /program sleep \(\d+\) has 60 children that have ended, and has not waited for them.*; way out: have sleep wait for its children/,
  },
};

/** Whether a line is ever there, at random instants: all answers have to be healthy. */
function everSays(debian: Debian, seed: number, line: RegExp): boolean {
  const random = new Random(seed);
  let found = false;
  for (const end = debian.system.machine.time + BEGUN; debian.system.machine.time < end;) {
    assert.ok(debian.run(1 + random.below(ASKED)));
    const { healthy, text, evidence } = verdictOn(debian);
    assert.ok(healthy, text);
    found ||= line.test(evidence.join("\n"));
  }
  return found;
}

for (const [name, { of, held, free, line }] of Object.entries(HELD)) {
  Deno.test(`a line names what holds a program: ${name}`, async () => {
    const debian = await Debian.booted("bookworm");
    debian.type(`${of(held)}\n`);
    assert.ok(everSays(debian, name.length, line), verdictOn(debian).evidence.join("\n"));
  });

  Deno.test(`no line without it: ${name}`, async () => {
    const debian = await Debian.booted("bookworm");
    debian.type(`${of(free)}\n`);
    assert.ok(!everSays(debian, name.length, line), verdictOn(debian).evidence.join("\n"));
  });
}

const SUSPENDS = "echo freeze > /sys/power/state";

Deno.test("a Linux that has suspended, and that no interrupt may wake, is stuck", async () => {
  const debian = await Debian.booted("bookworm");
  debian.type(`${SUSPENDS}\n`);
  const lines =
    /stuck: the kernel reports that it suspends: PM: suspend entry \(s2idle\)\n {2}way out: before it, let an interrupt wake it/;
  assertSick(debian, { code: "kernel-waits", finding: { code: "reported", kind: "suspended" } }, lines);
});

Deno.test("a Linux that its console may wake is healthy while it has suspended, and awake", async () => {
  const debian = await Debian.booted("bookworm");
  debian.type(`for i in $(find /sys/devices -path '*power/wakeup'); do echo enabled > $i; done; ${SUSPENDS}; echo aw''ake\n`);
  assert.ok(everSays(debian, 73, /the kernel has reported that it suspends/));
  debian.type("\n");
  debian.until(/^awake\r?$/m);
  assert.ok(everSays(debian, 74, /sh \(\d+\) waits for input/));
});
