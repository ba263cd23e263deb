// A Debian kernel's memory gives the same answers as the guest itself prints at that instant.

import assert from "node:assert/strict";
import { gzipSync } from "node:zlib";
import { catalogEntry } from "../../../src/app/catalog/catalog.ts";
import { learnedKernel } from "./learned-kernel.ts";
import { readLog } from "../../../src/inside/linux/structures/log.ts";
import { Reading } from "../../../src/inside/linux/kernel/reading.ts";
import { programRegisters } from "../../../src/inside/linux/structures/frames.ts";
import { findTask, readTasks } from "../../../src/inside/linux/structures/tasks.ts";
import { RAM_BASE } from "../../../src/machine/hardware/memory-map.ts";
import { PAGE_SIZE } from "../../../src/kit/support/values/sizes.ts";
import { withPrograms } from "../../guests/programs.ts";
import { el2Command } from "../../support/el2.ts";
import { partitionedDisk, PartitionType } from "../../support/partitions.ts";
import { inFolder } from "../../support/temporary-folder.ts";
import { CopiedMemory } from "./copied-memory.ts";
import { Debian, RELEASES } from "./debian.ts";
import { Looks } from "./looks.ts";
import { lines } from "./printed.ts";
import { LONG, longTest } from "../../support/long.ts";

const SCENARIO = `el2_test = 1
name = "linux"

[[step]]
boot = "debian"

[[step]]
expect_console = "root # "
of = "debian"
within = "60s"

[[step]]
expect_rows = "linux.ps"
filter = "name=init state=S waits=do_wait"
count = 1

[[step]]
expect_print = "list(&init_task.tasks, struct task_struct, tasks)[0]->comm"
is = "init"

[[step]]
expect_rows = "linux.log"
filter = 'text="Run /init as init process"'
count = 1
`;

/** Virtual ns. */
const SLICE = 3e7;

/** Log, processes, mappings, modules, mounts and interrupts, as printed at three instants. */
function compareLooks(debian: Debian): void {
  debian.loadModules();
  debian.command("dmesg -n 1; echo 0 > /proc/sys/kernel/kptr_restrict");
  debian.command("mkdir -p /look/proc; mount -t proc look /look/proc; mknod /look/kmsg c 1 11");
  debian.type("look-inside 3 2000 54\n");
  const looks = new Looks(debian);
  assert.ok(looks.until(3));
  const { equal, changed } = looks.comparison;
  assert.ok(equal > 3000 && changed < equal / 50, JSON.stringify(looks.comparison));
  assert.ok(debian.rows("linux.modules").length > 0, "there are modules to compare");
  looks.end();
  debian.run(SLICE);
}

/** It is paused at each system call, and is where it would be without that. */
function compareStops(debian: Debian): void {
  debian.command("for n in 1 2 3 4 5; do while true; do cat /proc/stat | md5sum; done > /dev/null & echo $! >> /pids; done");
  const alone = debian.copy(), { hypervisor, machine, kernelEvents } = debian.system, end = machine.boundary + SLICE;
  let stops = 0;
  const endListening = hypervisor.trace.listen(["syscall"], () => {
    stops++;
    hypervisor.scheduler.disturb();
    machine.suspend();
  });
  kernelEvents.follow();
  for (const one of [debian, alone]) one.runTo(end);
  endListening();
  const stateOf = ({ system }: Debian) => [system.instructions(), system.hashes.registers(), system.hashes.memory()];
  assert.ok(stops > 100, `${stops} stops`);
  assert.deepEqual(stateOf(debian), stateOf(alone));
  debian.command("kill $(cat /pids)");
}

function compareFiles(debian: Debian): void {
  const files = debian.rows("linux.files", { pid: 1 }).map(({ fd, file, position, flags }) => {
    return `${fd} ${file} ${position} 0${Number(flags).toString(8)}`;
  });
  const info = (field: string) => `$(sed -n "s/^${field}:[[:space:]]*//p" /proc/1/fdinfo/$f)`;
  const printed = debian.command(
    `for f in $(ls /proc/1/fd | sort -n); do echo $f $(readlink /proc/1/fd/$f) ${info("pos")} ${info("flags")}; done`,
  );
  // /proc/PID/fdinfo adds O_CLOEXEC, which is the process's, not the file's.
  const withoutClose = (line: string) => line.replace(/0(\d+)$/, (_, octal) => `0${(parseInt(octal, 8) & ~0o2000000).toString(8)}`);
  assert.deepEqual(files.map(withoutClose), lines(printed).map(withoutClose));
}

function compareNet(debian: Debian): void {
  debian.command("ip link set lo up; ip addr add 10.1.2.3/20 dev lo");
  const read = debian.rows("linux.net").map(({ name, mtu, state, hardware, addresses }) => {
    return [name, mtu, state, hardware, ...addresses].join(" ");
  });
  const addresses = "$(ip -4 addr show $n | sed -n 's/^ *inet \\([^ ]*\\) .*/\\1/p')";
  const printed = debian.command(
    `cd /sys/class/net; for n in *; do echo $n $(cat $n/mtu $n/operstate $n/address) ${addresses}; done; cd /`,
  );
  assert.deepEqual(read.sort(), lines(printed).sort());
  assert.ok(read.some((line) => line.includes(" 10.1.2.3/20")), read.join());
}

function compareDisks(debian: Debian): void {
  const printed = lines(debian.command("tail -n +3 /proc/partitions")).map((line) => line.trim().split(/ +/));
  assert.deepEqual(
    debian.rows("linux.disks").map(({ name, size }) => `${name} ${size / 1024}`),
    printed.map(([, , blocks, name]) => `${name} ${blocks}`),
  );
  assert.ok(printed.length > 0, "there is a disk to compare");
}

function compareSlabs(debian: Debian): void {
  const printed = new Map(
    lines(debian.command("tail -n +3 /proc/slabinfo")).map((line) => {
      const [name, , objects, size] = line.split(/ +/);
      return [name, { objects: Number(objects), size: Number(size) }];
    }),
  );
  const rows = debian.rows("linux.slabs");
  assert.deepEqual(rows.map(({ name }) => name).sort(), [...printed.keys()].sort());
  for (const { name, objects } of rows) {
    // The command that prints them has made some itself.
    const told = printed.get(name)?.objects ?? assert.fail(name);
    assert.ok(objects === null || Math.abs(Number(objects) - told) <= 200 + told / 10, `${name}: ${objects}, printed ${told}`);
  }
}

function compareDevicetree(debian: Debian): void {
  const printed = lines(debian.command("cd /proc/device-tree/; find . -type d; cd /")).map((line) => line.slice(1) || "/");
  const rows = debian.rows("linux.dt");
  assert.deepEqual(rows.map(({ path }) => path).sort(), printed.sort());
  const [{ properties, compatible }] = rows;
  const files = lines(debian.command("cd /proc/device-tree/; find . -maxdepth 1 -type f; tr '\\0' ' ' < compatible; echo; cd /"));
  assert.deepEqual([...properties].sort(), files.filter((line) => line.startsWith("./")).map((line) => line.slice(2)).sort());
  assert.equal(files.at(-1)?.trim(), compatible.join(" "));
}

function compareSockets(debian: Debian): void {
  debian.command("ip link set lo up; nc -l -p 4711 > /dev/null & sleep 1");
  const rows = debian.rows("linux.sockets"), [line] = lines(debian.command("tail -n +2 -q /proc/net/tcp /proc/net/tcp6 | tr -s ' '"));
  const [, , local, peer, state, , , , , , inode] = line.split(" "), port = (text: string) => parseInt(text.split(":")[1], 16);
  assert.equal(state, "0A");
  const found = rows.filter(({ name }) => name === "nc");
  assert.deepEqual(found.map(({ id, state, fd }) => [id, state, fd]), [[`socket:host/${inode}`, "listen", 3]]);
  assert.deepEqual([found[0].local, found[0].peer].map((text) => Number(text?.split(":").at(-1))), [local, peer].map(port));
  debian.command("kill %1");
}

function compareTimers(debian: Debian, cpus: number): void {
  debian.command("sleep 1000 & echo $! > /pid");
  const cpuOf = (part: string) => Number(/^(\d+)/.exec(part)?.[1]);
  const printed = debian.command("cat /proc/timer_list").split(/^cpu: /m).slice(1).flatMap((part) =>
    [...part.matchAll(/^ #\d+: .*?, (\S+), S:01\n # expires at (\d+)-(\d+) nsecs/gm)].map(([, name, , end]) => ({
      cpu: cpuOf(part),
      name,
      end,
    }))
  );
  const rows = debian.rows("linux.timers"), precise = rows.filter(({ clock }) => clock === "monotonic");
  // Others have run since, or were set again.
  const same = printed.filter(({ cpu, name, end }) =>
    precise.some((row) => row.cpu === cpu && row.function === name && row.expires === end)
  );
  assert.ok(printed.length > 0 && same.length >= printed.length - 2 * cpus, JSON.stringify({ printed, precise }));
  const pid = debian.command("cat /pid").trim();
  const [sleeps] = precise.filter(({ task }) => task === `task:host/${pid}`);
  assert.deepEqual([sleeps.function, sleeps.name], ["hrtimer_wakeup", "sleep"]);
  assert.ok(printed.some(({ end }) => end === sleeps.expires));
  assert.equal(new Set(rows.map(({ cpu }) => cpu)).size, cpus);
  // Work of the kernel that is due later.
  const ticks = rows.filter(({ clock }) => clock === "ticks");
  assert.ok(ticks.some((row) => row.function === "delayed_work_timer_fn" && row.ticks! < 1e6), JSON.stringify(ticks));
  debian.command("kill %1");
}

/** Each process is after its parent, and one step to the right of it. */
function compareTree(debian: Debian): void {
  const rows = debian.rows("linux.ps", { tree: true }), all = debian.rows("linux.ps"), seen = new Map<number, number>();
  assert.deepEqual(rows.map(({ pid }) => pid).sort((a, b) => a - b), all.map(({ pid }) => pid));
  for (const { pid, ppid, tree, name } of rows) {
    const [, steps, branch, shown] = /^((?: {4})*)(\\_ )?(.*)$/.exec(tree!)!, depth = branch === undefined ? 0 : steps.length / 4 + 1;
    assert.equal(shown, name);
    assert.equal(depth, ppid === 0 ? 0 : seen.get(ppid!)! + 1, `${pid} below ${ppid}`);
    seen.set(pid, depth);
  }
}

function compareMemory(debian: Debian): void {
  const printed = new Map(
    lines(debian.command("cat /proc/meminfo")).map((line) => {
      const [name, kilobytes] = line.split(/: +| kB/);
      return [name, 1024 * Number(kilobytes)];
    }),
  );
  const rows = debian.rows("linux.memory");
  assert.equal(rows.length, 7);
  for (const { name, bytes } of rows) {
    // The command that prints them has used some pages itself.
    const most = name === "MemTotal" ? 0 : 1 << 20, told = printed.get(name) ?? assert.fail(name);
    assert.ok(Math.abs(bytes - told) <= most, `${name}: ${bytes}, printed ${told}`);
  }
}

/** LDR X0 of the word 16 bytes after it; MOV W1, 1; BL; B to itself. */
const LOAD_AFTER = 0x5800_0080, HELD = 0x5280_0021, BL = 0x9400_0000, FOREVER = 0x1400_0000;

/** CPUs that wait for a lock which nobody releases; the machine is of no use after that. */
function compareSpinLocks(debian: Debian, cpus: number): void {
  const { machine, symbols } = debian.system, [{ registers }] = symbols.vcpus("host");
  const physical = new CopiedMemory(machine.ram.bytes(RAM_BASE, 256 << 20));
  const place = { ttbr1: registers.getRegister("TTBR1_EL1"), tcr: registers.getRegister("TCR_EL1") };
  const kernel = learnedKernel({ physical, registers: place, tables: symbols.all("host") });
  const lock = new Reading("host", kernel, kernel.memory(physical)).global("task_struct", "init_task").addressOf("alloc_lock");
  debian.write(lock, Uint8Array.of(1, 0, 0, 0));
  const at = debian.symbol("__arm64_sys_sysinfo"), waits = debian.symbol("queued_spin_lock_slowpath");
  const words = Uint32Array.of(
    ...[LOAD_AFTER, HELD, BL + Number((waits - at - 8n) / 4n & 0x3ff_ffffn), FOREVER],
    ...[Number(lock & 0xffff_ffffn), Number(lock >> 32n)],
  );
  debian.write(at, new Uint8Array(words.buffer));
  const waiters = cpus === 1 ? 1 : cpus - 1;
  debian.type("free & ".repeat(waiters) + "\n");
  debian.run(5e8);
  const [row, ...others] = debian.rows("linux.locks"), tasks = debian.rows("linux.ps", { filter: "name=free" }).map(({ id }) => id);
  assert.deepEqual(others, []);
  assert.deepEqual([row.type, BigInt(row.address), row.held, row.holder, row.wants], [
    ...["spinlock", lock, "unnamed", null, tasks.map(() => "alone")],
  ]);
  assert.deepEqual([...row.waiters].sort(), tasks.sort());
  assert.equal(tasks.length, waiters);
  assert.match(row.where!, /^__arm64_sys_sysinfo\+0xc/);
}

/** Of process 1, which waits: the program's frames are in its file. */
function compareStack(debian: Debian): void {
  const stack = debian.rows("linux.stack", { pid: 1 });
  assert.match(stack[0].symbol ?? "", /^__switch_to\+0x/);
  assert.ok(stack.some(({ symbol }) => symbol?.startsWith("do_wait+0x")), JSON.stringify(stack));
  const user = stack.filter(({ mode }) => mode === "user");
  assert.ok(user.length > 2 && user.every(({ file }) => file?.startsWith("/bin/busybox+0x")), JSON.stringify(user));
}

const folder = await Deno.makeTempDir({ prefix: "el2-linux-" });
globalThis.addEventListener("unload", () => Deno.removeSync(folder, { recursive: true }));

for (const release of RELEASES) {
  for (const cpus of LONG ? [1, 4] : [2]) {
    Deno.test(`log, processes, files, mounts, interrupts, interfaces, memory and modules of Debian ${release} with ${cpus} CPU(s) are what it prints`, async () => {
      const image = `${folder}/disk.img`;
      partitionedDisk(image, [1, 2].map((size) => ({ type: PartitionType.Linux, content: new Uint8Array(size << 20) })));
      const { folder: guest } = await catalogEntry(`debian-${release}`);
      const initrd = await withPrograms(await Deno.readFile(`${guest}/initrd-virtio`), "look-inside");
      const debian = (await Debian.start(release, { cpus, initrd, devices: [{ kind: "block", image, mode: "ro" }] })).withShell();
      compareLooks(debian);
      compareFiles(debian);
      compareStack(debian);
      compareStops(debian);
      compareNet(debian);
      compareMemory(debian);
      compareDevicetree(debian);
      compareSockets(debian);
      compareSlabs(debian);
      compareTimers(debian, cpus);
      compareTree(debian);
      compareDisks(debian);

      const [kernel] = debian.rows("linux.ls");
      assert.equal(`${kernel.release} ${kernel.version}`, lines(debian.command("uname -rv"))[0]);
      assert.equal(kernel.cmdline, lines(debian.command("cat /proc/cmdline"))[0]);
      assert.ok(kernel.types > 50_000 && kernel.vmcoreinfo);
      // The primary VM has no seed for KASLR.
      assert.equal(kernel.kaslr, "0x0");
      compareSpinLocks(debian, cpus);
    });
  }
}

Deno.test("a task that runs has its registers in a vCPU: its frames are those of el2 vcpu stack", async () => {
  const debian = await Debian.booted("bookworm");
  debian.type("while true; do true; done\n");
  debian.run(3e8);
  const { pid } = debian.rows("linux.ps", { filter: "name=sh" })[0];
  const { rows, gaps } = debian.ask("linux.stack", { pid });
  assert.deepEqual({ rows, gaps }, { rows: [], gaps: [{ code: "running", of: `stack of ${pid}`, vcpu: "vcpu:host/0" }] });
});

Deno.test("codes of pointer authentication and tags are no part of addresses: in frames of a program, and of its memory", async () => {
  const debian = await Debian.booted("bookworm"), { pid } = debian.rows("linux.ps", { filter: "name=sh" })[0];
  const [{ registers }] = debian.system.symbols.vcpus("host");
  const physical = new CopiedMemory(debian.system.machine.ram.bytes(RAM_BASE, 256 << 20));
  const place = { ttbr1: registers.getRegister("TTBR1_EL1"), tcr: registers.getRegister("TCR_EL1") };
  const kernel = learnedKernel({ physical, registers: place, tables: debian.system.symbols.all("host") });
  const reading = new Reading("host", kernel, kernel.memory(physical));
  const saved = programRegisters(reading, findTask(reading, pid) ?? assert.fail());
  const code = debian.rows("linux.maps", { pid }).find(({ access }) => access.includes("x")) ?? assert.fail();
  // The link register with a code above its bits, and no frame record.
  const link = BigInt(code.start) + 0x120n, word = (value: bigint) => new Uint8Array(BigUint64Array.of(value).buffer);
  debian.write(saved.addressOf("regs[30]"), word(link | 0x70n << 48n));
  debian.write(saved.addressOf("regs[29]"), word(0n));
  const frames = debian.rows("linux.stack", { pid }), last = frames.at(-1) ?? assert.fail();
  assert.deepEqual([last.mode, BigInt(last.pc)], ["user", link]);
  assert.match(last.file ?? "", /^\/.*\+0x[0-9a-f]+$/);
  // Tables of programs ignore the highest byte (TCR_EL1.TBI0): so do addresses that are asked for.
  debian.type("while true; do true; done\n");
  while (registers.pc >= 1n << 55n) assert.ok(debian.run(1e6));
  const { pc } = registers, at = (address: bigint) => debian.system.inspector.ramAt(`va:host/0x${address.toString(16)}`, 4);
  assert.deepEqual(at(pc | 0xb4n << 56n), at(pc));
});

Deno.test("a kernel's log is read before it has a console, with the virtual time of each line, and after its panic", async () => {
  const early = await Debian.start("bookworm", { append: "console=nothing" });
  while (early.ask("linux.log").rows.length < 20) assert.ok(early.run(1e6), "it still runs");
  assert.match(early.rows("linux.log")[1].text, /^Linux version 6\.1\./);
  assert.equal(early.shown, "");
  // It has other tables then: those of its first code are given up.
  const { length } = early.rows("linux.log");
  const clock = () => BigInt(Math.floor(early.system.machine.time));
  for (let from = clock(), known = length; known < length + 100; from = clock()) {
    early.run(2e7);
    const fresh = early.rows("linux.log").slice(known);
    known += fresh.length;
    // The clock counts from a line on, and rounds down.
    for (const { t, at } of fresh.filter(({ t }) => t !== "0")) {
      assert.ok(from - 100n <= BigInt(at!) && BigInt(at!) <= clock(), `${t} is ${at}`);
    }
  }

  const dead = await Debian.start("bookworm", { append: "console=ttyAMA0 rdinit=/nothing root=/dev/nothing panic=-1" });
  while (dead.run(1e8));
  assert.ok(dead.rows("linux.log").some(({ text, level }) => text.startsWith("Kernel panic - not syncing: VFS:") && level === "emerg"));
});

Deno.test("the configuration is that in the kernel's memory, if it keeps one", async () => {
  const debian = await Debian.start("bookworm");
  while (debian.ask("linux.log").rows.length < 20) assert.ok(debian.run(1e6));
  const none = debian.ask("linux.config");
  assert.deepEqual([none.rows, none.gaps], [[], [{ code: "no-config" }]]);
  const text = 'CONFIG_ARM64=y\n# CONFIG_X86 is not set\n\n# a comment\nCONFIG_HZ=250\nCONFIG_NAME="x y"\n';
  const mark = (name: string) => new TextEncoder().encode(name);
  const write = (packed: Uint8Array) =>
    debian.write(debian.symbol("panic"), Uint8Array.from([...mark("IKCFG_ST"), ...packed, ...mark("IKCFG_ED")]));
  write(new Uint8Array(gzipSync(mark(text))));
  // The image of a kernel is read once.
  const copy = debian.copy();
  assert.deepEqual(copy.rows("linux.config").map(({ id, name, value }) => [id, name, value]), [
    ["config:host/ARM64", "ARM64", "y"],
    ["config:host/X86", "X86", "n"],
    ["config:host/HZ", "HZ", "250"],
    ["config:host/NAME", "NAME", '"x y"'],
  ]);
  write(mark("not compressed"));
  const { rows, gaps } = debian.copy().ask("linux.config");
  assert.deepEqual([rows, gaps?.map((gap) => [gap.code, "of" in gap && gap.of])], [[], [["invalid", "configuration"]]]);
});

Deno.test("a machine from a saved state gives the same answers", async () => {
  const debian = await Debian.start("bookworm");
  for (const ns of [2e8, 3e8, 1e9]) {
    debian.run(ns);
    const copy = debian.copy();
    for (const table of ["linux.ls", "linux.log", "linux.ps", "linux.mounts", "linux.irqs", "linux.modules"] as const) {
      assert.deepEqual(copy.ask(table), debian.ask(table), `${table} after ${ns}`);
    }
    assert.deepEqual(copy.ask("linux.stack", { pid: 1 }), debian.ask("linux.stack", { pid: 1 }));
  }
});

Deno.test("looking at a Linux changes nothing, and names what is not there", async () => {
  const debian = await Debian.booted("bookworm");
  const before = debian.system.save().fields;
  debian.rows("linux.ps", { threads: true });
  assert.deepEqual(debian.system.save().fields, before);
  assert.equal(
    debian.ask("linux.stack", { pid: 4711 }).error,
    "vm:host has no process or thread 4711; list them with el2 linux ps --threads",
  );
  assert.match(debian.ask("linux.ps", { vm: "vm:rm" }).error ?? "", /^no Linux kernel is mapped in vm:rm; /);
});

Deno.test("without types, the log is read by VMCOREINFO, and other answers name what is missing", async () => {
  const debian = await Debian.booted("bookworm"), { machine, symbols } = debian.system, [vcpu] = symbols.vcpus("host");
  const register = (name: "TTBR1_EL1" | "TCR_EL1") => vcpu.registers.getRegister(name);
  const registers = { ttbr1: register("TTBR1_EL1"), tcr: register("TCR_EL1") }, tables = symbols.all("host");
  const physical = new CopiedMemory(machine.ram.bytes(RAM_BASE, 256 << 20));
  // Headers of BTF lose their magic.
  for (const { ipa, size } of physical.ranges()) {
    for (let at = ipa; at < ipa + size; at += PAGE_SIZE) {
      const page = physical.page(at) ?? assert.fail(), words = new Uint32Array(page.buffer, page.byteOffset, PAGE_SIZE / 4);
      words.forEach((word, index) => word === 0x1_eb9f && (words[index] = 0));
    }
  }
  const kernel = learnedKernel({ physical, registers, tables });
  assert.equal(kernel.btf, undefined);
  // The kernel's own pointer leads to VMCOREINFO: the memory is not searched.
  physical.touched.clear();
  assert.ok(kernel.info(kernel.memory(physical)));
  assert.ok(physical.touched.size < 100, `${physical.touched.size} pages`);
  const log = new Reading("host", kernel, kernel.memory(physical)), ps = new Reading("host", kernel, kernel.memory(physical));
  assert.deepEqual(readLog(log), debian.rows("linux.log").map((row) => ({ ...row, at: null })));
  assert.deepEqual(log.gaps, []);
  assert.deepEqual(readTasks(ps, false), []);
  assert.deepEqual(ps.gaps, [{ code: "type", of: "tasks", name: "task_struct.tasks" }]);
});

longTest("a scenario expects a process and a message of Linux", async () => {
  await catalogEntry("debian-bookworm");
  await inFolder(async (folder) => {
    await Deno.writeTextFile(`${folder}/a.test.toml`, SCENARIO);
    const [program, ...args] = el2Command("test", `${folder}/a.test.toml`);
    const { code, stdout, stderr } = await new Deno.Command(program, { args, cwd: folder }).output();
    assert.equal(code, 0, new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr));
  });
});
