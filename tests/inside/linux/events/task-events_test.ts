// System calls and changes of tasks of a Debian, seen from outside, while it runs as if nobody
// looked.

import assert from "node:assert/strict";
import type { TraceKind } from "../../../../src/machine/abi/trace.ts";
import { ProcessCounts } from "../../../../src/session/inspection/execution/process-counts.ts";
import { eventRow } from "../../../../src/session/inspection/readers/objects/read-trace.ts";
import { Debian, RELEASES } from "../debian.ts";

type EventRow = ReturnType<typeof eventRow>;

/** Records the events of these kinds, with the place of each in the run. */
function recorded(debian: Debian, kinds: readonly TraceKind[]): EventRow[] {
  const rows: EventRow[] = [];
  debian.system.hypervisor.trace.listen(kinds, (event) => rows.push(eventRow(event)));
  debian.system.kernelEvents.follow();
  return rows;
}

const bookworm = () => Debian.booted("bookworm");

/** Texts of a program's events without what differs from run to run of it: numbers of tasks. */
function textsOf(rows: readonly EventRow[], filter: (row: EventRow) => boolean): string[] {
  const numbers = new Map<string, string>();
  const wanted = rows.filter(filter);
  for (const { fields } of wanted) {
    for (const [name, value] of Object.entries(fields as Record<string, unknown>)) {
      if (["pid", "child", "to"].includes(name) && !numbers.has(String(value))) numbers.set(String(value), `P${numbers.size}`);
    }
  }
  return wanted.map(({ text }) => text.replace(/\b\d+\b/g, (number) => numbers.get(number) ?? number).replace(/0x[0-9a-f]{6,}/g, "0xA"));
}

const CALLS = [
  'known-calls[P0] mkdirat(AT_FDCWD, "/known", 0750) = 0',
  'known-calls[P0] openat(AT_FDCWD, "/known/file", O_RDWR|O_CREAT|O_EXCL, 0640) = 3',
  "known-calls[P0] dup3(3, 9, O_CLOEXEC) = 9",
  "known-calls[P0] fcntl(9, F_GETFL, 0) = 131074",
  "known-calls[P0] close(9) = 0",
  "known-calls[P0] read(77, NULL, 0) = -1 EBADF",
  'known-calls[P0] openat(AT_FDCWD, "/far", O_RDONLY|O_DIRECTORY|O_CLOEXEC) = -1 ENOENT',
  'known-calls[P0] openat(3, "be\\"low\\n", O_RDONLY) = -1 ENOTDIR',
  "known-calls[P0] openat(AT_FDCWD, 0xA, O_RDONLY) = -1 EFAULT",
  'known-calls[P0] unlinkat(AT_FDCWD, "/known/nothing", AT_REMOVEDIR) = -1 ENOENT',
  "known-calls[P0] socket(AF_UNIX, SOCK_DGRAM|SOCK_CLOEXEC, 0) = 4",
  "known-calls[P0] mmap(NULL, 8192, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0) = 0xA",
  "known-calls[P0] munmap(0xA, 8192) = 0",
  'known-calls[P0] execve("/known/file", 0xA, NULL) = -1 EACCES',
  "known-calls[P0] syscall_1000(0x1, 0x2, 0x3, 0x4, 0x5, 0) = -1 ENOSYS",
  "known-calls[P0] clone(SIGCHLD, NULL, NULL, NULL, NULL) = P1",
  "known-calls[P1] getpid() = P1",
  "known-calls[P1] kill(P1, SIGTERM) = 0",
  "known-calls[P0] wait4(P1, NULL, 0, NULL) = P1",
  "known-calls[P0] exit_group(42)",
];

for (const release of RELEASES) {
  Deno.test(`every system call of a program is an event with its arguments and result: ${release}`, async () => {
    const debian = await Debian.booted(release);
    const rows = recorded(debian, ["syscall"]);
    assert.equal(debian.command("known-calls; echo $?"), "42\n");
    const calls = rows.filter(({ comm, name }) =>
      comm === "known-calls" && name !== "execve" || name === "execve" && comm === "known-calls"
    );
    const [exec, ...texts] = textsOf(calls, () => true);
    assert.match(exec, /^known-calls\[P0\] execve\("\/bin\/known-calls", 0xA, 0xA\) = 0$/);
    assert.deepEqual(texts.toSorted(), CALLS.toSorted());
    assert.deepEqual(debian.system.kernelEvents.gaps, []);
    for (const { t, end, task, vm } of calls) {
      assert.ok(Number(t) <= Number(end) && vm === "vm:host", `${task}`);
    }
  });

  Deno.test(`changes of tasks are events: ${release}`, async () => {
    const debian = await Debian.booted(release);
    const rows = recorded(debian, ["task"]);
    debian.command("known-calls");
    const isKnown = ({ comm, name, text }: EventRow) => name !== "switch" && (comm === "known-calls" || text.includes("known-calls"));
    assert.deepEqual(textsOf(rows, isKnown), [
      "known-calls[P0] executes /bin/known-calls",
      "known-calls[P0] creates process P1",
      "known-calls[P1] sends SIGTERM to known-calls[P1]",
      "known-calls[P1] ends by SIGTERM",
      "known-calls[P1] sends SIGCHLD to known-calls[P0]",
      "known-calls[P0] ends with 42",
      "known-calls[P0] sends SIGCHLD to sh[P2]",
    ]);
    // The task that stops is the one that ran.
    let running: unknown;
    for (const { name, fields, text } of rows) {
      if (name !== "switch") continue;
      const { pid, next } = fields as { pid: number; next: number };
      if (running !== undefined) assert.equal(pid, running, text);
      running = next;
    }
    assert.ok(running !== undefined);
  });
}

Deno.test("a Debian whose system calls and switches are observed runs as if nobody looked", async () => {
  const alone = await bookworm(), observed = await bookworm();
  const rows = recorded(observed, ["syscall", "task"]);
  for (const one of [alone, observed]) {
    one.command("known-calls; ls -l /proc/self/fd | cat");
    one.run(1e9);
  }
  const stateOf = ({ system }: Debian) => [system.machine.time, system.instructions(), system.hashes.registers(), system.hashes.memory()];
  assert.deepEqual(stateOf(observed), stateOf(alone));
  assert.ok(rows.length > 100, `${rows.length} events`);
});

/** A command's events at their places, with turns that are joined or single ones. */
async function eventsIn(turns: number) {
  const debian = await bookworm(), { hypervisor, machine, hashes, kernelEvents } = debian.system;
  const events: unknown[] = [], runCpu = hypervisor.run;
  let pieces = 0;
  hypervisor.run = function (cpu) {
    pieces++;
    runCpu.call(this, cpu);
  };
  hypervisor.trace.listen(["syscall", "task"], (event) => {
    const { kind, name, time, at, number } = event;
    events.push([kind, name, time, at, number, eventRow(event).text]);
    // A listener may schedule something, at all distances.
    if (events.length % 7 !== 0) return;
    machine.events.schedule(machine.time + events.length % 50_000, () => void events.push([machine.time, hypervisor.point()]));
  });
  kernelEvents.follow();
  debian.type("known-calls; ls -lR /sys/kernel > /dev/null; known-calls\n");
  for (const end = machine.time + 3e8; machine.boundary < end;) {
    const result = machine.run(end, turns);
    if (result.kind === "idle") machine.skipTo(Math.min(result.next, end));
  }
  return { pieces, seen: { events, shown: debian.shown, time: machine.time, hashes: [hashes.registers(), hashes.memory()] } };
}

Deno.test("events of system calls have the same places in turns that are joined as in single ones", async () => {
  const [joined, single] = [await eventsIn(Infinity), await eventsIn(1)];
  assert.ok(joined.seen.events.length > 1000, `${joined.seen.events.length} events`);
  for (const [index, event] of joined.seen.events.entries()) assert.deepEqual(event, single.seen.events[index]);
  assert.deepEqual(joined.seen, single.seen);
  assert.ok(joined.pieces < single.pieces / 2, `${joined.pieces} pieces of ${single.pieces} turns`);
});

Deno.test("the instructions of a process are as many as the nanoseconds that its kernel has counted for it", async () => {
  const debian = await bookworm(), { hypervisor } = debian.system, counts = new ProcessCounts();
  const times = () => new Map(debian.rows("linux.ps").map(({ id, time }) => [Number(String(id).replace(/.*\//, "")), Number(time)]));
  const executed = () => debian.system.instructions();
  hypervisor.trace.listen(counts.kinds, (event) => counts.see(event));
  debian.system.kernelEvents.follow();
  counts.begin(hypervisor);
  const before = times(), began = executed();
  debian.command("i=0; while [ $i -lt 3000 ]; do i=$((i+1)); done; ls -lR /sys/kernel > /dev/null");
  counts.end();
  const after = times(), all = counts.all, shell = all.find(({ name }) => name === "sh");
  assert.equal(all.reduce((sum, { instructions }) => sum + instructions, 0), executed() - began);
  assert.ok(all.some(({ name }) => name === "ls"), "a process that has ended");
  assert.ok(shell && shell.pid !== undefined && shell.instructions > 1e6);
  const time = (after.get(shell.pid) ?? NaN) - (before.get(shell.pid) ?? NaN);
  // An exit to the hypervisor takes time without an instruction.
  assert.ok(Math.abs(time - shell.instructions) < 0.1 * time, `${shell.instructions} instructions in ${time} ns`);
});

Deno.test("the return from a signal gives a program its registers back, and has no result", async () => {
  const debian = await bookworm(), rows = recorded(debian, ["syscall"]);
  debian.command("trap 'true' USR1; kill -USR1 $$; echo");
  const [back] = rows.filter(({ name }) => name === "rt_sigreturn");
  assert.match(back?.text ?? "", / rt_sigreturn\(\)$/);
});

Deno.test("system calls in progress when the observation begins have a name and a result", async () => {
  const debian = await bookworm();
  const rows = recorded(debian, ["syscall"]);
  debian.command("true");
  // The shell waits in a call that it had made before.
  assert.match(textsOf(rows, () => true)[0], /^sh\[P0\] (read|ppoll)\(.*\) = 1$/);
});

Deno.test("events of kernels are not recorded when nobody wants them any more", async () => {
  const debian = await bookworm();
  const { trace } = debian.system.hypervisor, seen: string[] = [];
  const end = trace.listen(["syscall"], ({ name }) => seen.push(name));
  debian.system.kernelEvents.follow();
  debian.command("true");
  const before = seen.length;
  assert.ok(before > 0);
  end();
  assert.equal(debian.system.kernelEvents.wanted, false);
  debian.command("true");
  assert.equal(seen.length, before);
});
