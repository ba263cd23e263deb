// A core file of a VM is read by Debian's crash with Debian's debug information, inside of another
// guest, which takes a quarter of an hour. Packages are fetched: EL2_LONG.

import assert from "node:assert/strict";
import type { DebianRelease } from "../../src/catalog/catalog.ts";
import { Guest, ordinaryGuest } from "../guests/guest.ts";
import { PROMPT } from "../support/console.ts";
import { inFolder } from "../support/temporary-folder.ts";
import { type DebugKernel, debugKernel, dmesgOf } from "./core-tools.ts";
import { Debian } from "./debian.ts";
import { writtenCore } from "./written-core.ts";
import { LONG } from "../support/long.ts";

/** Releases whose crash reads their own kernels. */
const WITH_CRASH = ["bookworm"] as const;
/** Seconds of virtual time. */
const BOOT = 60, COMMAND = 600;

/** A guest with crash of its release, and a folder of this computer at /m. */
async function guestWithTools(release: DebianRelease, folder: string): Promise<Guest> {
  const { image, initrd } = await ordinaryGuest(release, ["crash"]);
  const guest = new Guest(image, initrd, [{ kind: "9p", folder, mode: "rw", tag: "share" }], 1536 << 20);
  await guest.expect(PROMPT, BOOT);
  await guest.command(
    "mkdir /m; mount -t 9p -o trans=virtio,version=9p2000.L,msize=262144 share /m; echo mounted-$?",
    /mounted-0\n/,
    COMMAND,
  );
  return guest;
}

const linesOf = (text: string) => text.split("\n").map((line) => line.trim()).filter((line) => line !== "");

/**
 * Commands of crash. Its `ps` has only what the CPUs run where `struct pid` ends in an array of no
 * length, as in newer kernels, whatever wrote the file; the kernel's own list has all processes.
 */
const CRASH = ["log", "bt -a", "ps", "list task_struct.tasks -s task_struct.pid,comm -h init_task"];
/** No symbol of the kernel: crash says so, which ends what a command prints. */
const END = "EL2-END";

/** The output of each command of crash. */
async function crash(guest: Guest, folder: string, core: string): Promise<string[]> {
  await Deno.writeTextFile(`${folder}/commands`, [...CRASH.flatMap((command) => [command, `p ${END}`]), "quit", ""].join("\n"));
  await guest.command(`TERM=dumb crash -s /m/vmlinux /m/${core} </m/commands >/tmp/out 2>&1; echo crashed-$?`, /crashed-0\n/, COMMAND);
  await guest.command("cp /tmp/out /m/out; echo copied-$?", /copied-0\n/, COMMAND);
  const parts = (await Deno.readTextFile(`${folder}/out`)).split(new RegExp(`^.*\\b${END}\n+`, "m"));
  assert.equal(parts.length, CRASH.length + 1, parts.join("---\n"));
  return parts;
}

/** A function without its offset, and what the compiler has added to its name. */
const functionOf = (place: string) => place.replace(/[+. ].*/, "");

/** Whether all of some texts are in others, in this order. */
function isWithin(some: readonly string[], all: readonly string[]): boolean {
  let at = 0;
  for (const one of all) if (one === some[at]) at++;
  return at === some.length;
}

/** Functions of each CPU's stack in `bt -a`, with its process. */
function stacksIn(text: string): { pid: number; functions: string[] }[] {
  return text.split(/^(?=PID: )/m).filter((part) => part.startsWith("PID: ")).map((part) => ({
    pid: Number(/^PID: (\d+)/.exec(part)?.[1]),
    functions: [...part.matchAll(/^ *#\d+ \[[0-9a-f]+\] (\S+) at /gm)].map(([, name]) => functionOf(name)),
  }));
}

function compareWithCrash(debian: Debian, [log, stacks, ps, list]: readonly string[]): void {
  // Warnings about the file come first.
  assert.deepEqual(linesOf(log.slice(log.indexOf("["))), dmesgOf(debian).filter((line) => line !== ""));
  const tasks = debian.rows("linux.ps"), cpus = stacksIn(stacks);
  assert.equal(cpus.length, debian.plan.cpus);
  for (const [cpu, { pid, functions }] of cpus.entries()) {
    const rows = [...debian.system.inspector.answer({ table: "vcpu.stack", args: { vcpu: `vcpu:host/${cpu}` } }).rows];
    const shown = rows.map(({ symbol }) => functionOf(String(symbol)));
    // crash leaves out the caller of a function without a frame, and the kernel's first one.
    assert.ok(functions.length >= shown.length - 2 && functions[0] === shown[0], stacks);
    assert.ok(isWithin(functions, shown), `CPU ${cpu}: ${functions.join(" ")}; el2: ${shown.join(" ")}`);
    const running = new RegExp(`^> +${pid} +\\d+ +${cpu} `, "m");
    assert.match(ps, running);
  }
  const processes = [...list.matchAll(/^ +pid = (\d+),?\n +comm = "(.*?)(?:\\000.*)?",?$/gm)].map(([, pid, comm]) => ({
    pid: Number(pid),
    comm,
  }));
  assert.deepEqual(processes.map(({ pid }) => pid), [0, ...tasks.map(({ pid }) => pid)]);
  for (const [index, { comm }] of processes.slice(1).entries()) {
    const { name, kernel } = tasks[index];
    // el2 shows a kernel thread's whole name, and what a worker does.
    assert.ok(kernel ? name.startsWith(comm) : name === comm, `${name}, ${comm}`);
  }
}

if (LONG) {
  for (const release of WITH_CRASH) {
    Deno.test(`crash of a Debian guest shows the log, the CPUs' stacks and the processes that el2 shows: ${release}`, () =>
      inFolder(async (folder) => {
        const { image, initrd }: DebugKernel = await debugKernel(release, folder);
        const guest = await guestWithTools(release, folder), debian = Debian.of(image, { initrd, cpus: 2 });
        debian.until(/EL2-READY[^]*# /);
        await Deno.writeFile(`${folder}/core`, writtenCore(debian));
        compareWithCrash(debian, await crash(guest, folder, "core"));
      }));
  }
}
