// gdb-multiarch against the el2 program: a bare-metal guest from its first to its last instruction,
// and a running Debian kernel.

import assert from "node:assert/strict";
import { catalogEntry } from "../../../src/app/catalog/catalog.ts";
import { A64, imageOf, SYSTEM_OFF } from "../../app/cli/program.ts";
import { runNative } from "../../support/oracles.ts";
import { CODE, ENTRY } from "./debugged-vm.ts";
import { Debugged, PATIENCE } from "./gdb-program.ts";
import { LONG, longTest } from "../../support/long.ts";

Deno.test("gdb goes with a guest from its first instruction to its last", async () => {
  const file = await Deno.makeTempFile({ suffix: ".bin" });
  // Counts X0 up to X1, which is never reached, then powers off.
  const loop = [0xd2800000, A64.loadX1High(0x4000), 0x91000400, 0xeb01001f, 0x54ffffc1, ...A64.loadW0(SYSTEM_OFF), A64.hvc];
  await Deno.writeFile(file, imageOf(loop));
  try {
    await using vm = await Debugged.start("boot", file, "--memory", "64MiB", "--turbo", "--cpus", "2");
    assert.equal(await vm.value("$pc"), BigInt(ENTRY));
    await vm.ask("stepi", new RegExp(`0x0*${CODE.toString(16)} in`));
    await vm.ask("info threads", /\* 1 +Thread 1 \(vCPU 0\)[^]*2 +Thread 2 \(vCPU 1, waits for power-on\)/);
    await vm.ask(`x/2i ${CODE + 8}`, /add\tx0, x0, #0x1\n.*cmp\tx0, x1/);

    await vm.ask(`break *${CODE + 12}`, /Breakpoint 1 at/);
    for (let count = 1n; count <= 3n; count++) {
      await vm.ask("continue", /Thread 1 hit Breakpoint 1, 0x/);
      assert.equal(await vm.value("$x0"), count);
    }
    await vm.gdb.type("condition 1 $x0 == 20");
    await vm.ask("continue", /Thread 1 hit Breakpoint 1, 0x/);
    assert.equal(await vm.value("$x0"), 20n);
    assert.equal(await vm.value(`*(unsigned int *)${CODE + 12}`), 0xeb01001fn, "the breakpoint does not show in memory");

    await vm.gdb.type("delete");
    await vm.gdb.type("continue &");
    await vm.ask("interrupt", /received signal SIGINT/);
    assert.ok(await vm.value("$x0") >= 20n);
    await vm.gdb.type("set var $v1.d.f[0] = 1.5");
    assert.equal(await vm.value("$v1.d.u[0]"), 0x3ff8_0000_0000_0000n);
    await vm.gdb.type("set var $x0 = $x1 - 2");
    await vm.ask("continue", /\[Inferior 1 .* exited normally\]/);
    await vm.el2.expect(/^el2: SYSTEM_OFF$/m, PATIENCE);
  } finally {
    await Deno.remove(file);
  }
});

Deno.test("gdb goes back: by steps, to a breakpoint, to a watched store, to the start, and on to where the machine is", async () => {
  const folder = await Deno.makeTempDir({ prefix: "el2-back-" });
  const file = `${folder}/count.bin`;
  // Stores X0, which counts up, at X1, for ever.
  await Deno.writeFile(file, imageOf([0xd2800000, A64.loadX1High(0x4030), 0x91000400, 0xf9000020, A64.branch(-2)]));
  const add = CODE + 8, store = CODE + 12;
  try {
    await using vm = await Debugged.start("boot", file, "--memory", "64MiB", "--turbo", "--cpus", "2");
    await vm.ask(`break *${store}`, /Breakpoint 1 at/);
    for (let count = 1n; count <= 4n; count++) {
      await vm.ask("continue", /Thread 1 hit Breakpoint 1, 0x/);
      assert.equal(await vm.value("$x0"), count);
    }
    await vm.ask("reverse-stepi", /0x[0-9a-f]{16} in/);
    assert.equal(await vm.value("$pc"), BigInt(add));
    assert.equal(await vm.value("$x0"), 3n);
    await vm.ask("reverse-stepi", /0x[0-9a-f]{16} in/);
    assert.equal(await vm.value("$pc"), BigInt(store + 4));
    assert.equal(await vm.value("*(long *)0x40300000"), 3n);
    await vm.ask("stepi", /0x[0-9a-f]{16} in/);
    assert.equal(await vm.value("$pc"), BigInt(add));
    await vm.ask("reverse-continue", /hit Breakpoint 1, 0x/);
    assert.equal(await vm.value("$x0"), 3n);
    assert.equal(await vm.value("*(long *)0x40300000"), 2n, "memory is as it was");
    await vm.ask("set var $x0 = 7", /Could not write register/);
    await vm.gdb.type("delete");
    await vm.ask("watch *(long *)0x40300000", /Hardware watchpoint 2/);
    await vm.ask("reverse-continue", /Hardware watchpoint 2: [^]*Old value = 2[^]*New value = 1/);
    await vm.gdb.type("delete");
    await vm.ask("reverse-continue", /No more reverse-execution history|Reached end of recorded history/);
    assert.equal(await vm.value("$pc"), BigInt(ENTRY));
    await vm.ask("continue", /No more reverse-execution history|Reached end of recorded history/);
    assert.equal(await vm.value("$x0"), 4n, "where it really is");
    assert.equal(await vm.value("$pc"), BigInt(store));

    await vm.ask("monitor space ipa", /intermediate physical addresses of the VM/);
    assert.equal(await vm.value("*(long *)0x40300000"), 3n);
    await vm.ask("monitor space pa", /physical addresses of the machine/);
    assert.equal(await vm.value("*(long *)0x40300000"), 3n, "the primary VM is mapped one to one");
    await vm.ask("monitor space moon", /use one of va, ipa, pa/);
    await vm.ask("monitor space va", /virtual addresses/);
    await vm.ask("monitor symbols", /name one file/);
    // Another user can connect to the port, and must not replace files of this one.
    const before = await Deno.readFile(file);
    for (const name of [file, "/nowhere/a.elf", "../a.elf", ".bash_login", "-.elf", "a.elf/../x.elf", "sitecustomize.py"]) {
      await vm.ask(
        `monitor symbols ${name}`,
        /is not a name like kernel\.elf; through a port, which other users can connect to, only new \.elf files/,
      );
    }
    assert.deepEqual(await Deno.readFile(file), before);
    await vm.ask("monitor fly", /no such command; there are:/);
    await vm.gdb.type("set var *(long *)0x40300000 = 9");
    await vm.ask("reverse-stepi", /cannot go back: the debugger wrote memory or registers since/);
    await vm.ask("detach", /detached/);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

longTest("gdb stops a running Debian kernel, at its interrupt vector and after steps, and lets it go", async () => {
  const { folder } = await catalogEntry("debian-bookworm");
  const image = ["boot", `${folder}/Image`, "--initrd", `${folder}/initrd`, "--append", "console=ttyAMA0"];
  await using vm = await Debugged.start(...image, "--cpus", "2", "--memory", "512MiB", "--turbo", "--stdio");
  await vm.gdb.type("continue &");
  await vm.el2.expect(/Booting Linux on physical CPU/, PATIENCE);
  await vm.ask("interrupt", /received signal SIGINT/);
  const vector = await vm.value("$VBAR_EL1") + 0x280n;
  assert.ok(vector > 0xffff_0000_0000_0000n, "the MMU is on, and addresses are the kernel's");
  const before = await vm.value(`*(unsigned int *)${vector}`);
  await vm.ask(`hbreak *${vector}`, /Hardware assisted breakpoint 1/);
  for (let round = 0; round < 10; round++) await vm.ask("continue", /Thread \d hit Breakpoint 1, 0x/);
  assert.equal(await vm.value("$pc"), vector);
  assert.equal(await vm.value("$cpsr & 0x3cf"), 0x3c5n, "an exception was taken to EL1h, with interrupts masked");
  assert.equal(await vm.value(`*(unsigned int *)${vector}`), before);
  for (let step = 1n; step <= 3n; step++) {
    await vm.ask("stepi", /0x[0-9a-f]{16} in/);
    assert.equal(await vm.value("$pc"), vector + 4n * step);
  }
  await vm.ask("detach", /detached/);
  await vm.el2.expect(/^EL2-READY/m, PATIENCE);
});

/** A symbol file for gdb: names of the kernel, as absolute symbols. */
async function symbolFile(folder: string, symbols: Readonly<Record<string, bigint>>): Promise<string> {
  const source = Object.entries(symbols).map(([name, address]) => `.globl ${name}\n.set ${name}, 0x${address.toString(16)}\n`);
  await Deno.writeTextFile(`${folder}/symbols.s`, source.join(""));
  const file = `${folder}/symbols.o`;
  const { code, stderr } = await runNative("aarch64-linux-gnu-as", ["-o", file, `${folder}/symbols.s`]);
  assert.equal(code, 0, stderr);
  return file;
}

// kernel-stack_test.ts has gdb in a Debian kernel in every run of the tests.
longTest("gdb breaks in a running Debian kernel by symbol and address, watches its stack, steps, and detaches", async () => {
  const { folder } = await catalogEntry("debian-bookworm");
  const temporary = await Deno.makeTempDir({ prefix: "el2-gdb-" });
  try {
    const image = ["boot", `${folder}/Image`, "--initrd", `${folder}/initrd`, "--append", "console=ttyAMA0 quiet"];
    await using vm = await Debugged.start(...image, "--memory", "512MiB", "--turbo", "--stdio");
    await vm.gdb.type("continue &");
    await vm.el2.expect(/EL2-READY/, PATIENCE);
    await vm.el2.type("grep -wE '__arm64_sys_(newuname|getppid)' /proc/kallsyms; echo that is all");
    const [, listing] = await vm.el2.expect(/\n([0-9a-f]{16} [^]*?)that is all\n/, PATIENCE);
    const symbols = Object.fromEntries(
      [...listing.matchAll(/^([0-9a-f]{16}) \w (\w+)$/gm)].map(([, address, name]) => [name, BigInt(`0x${address}`)]),
    );
    const uname = symbols.__arm64_sys_newuname, getppid = symbols.__arm64_sys_getppid;
    assert.ok(uname > 0xffff_0000_0000_0000n && getppid > 0xffff_0000_0000_0000n, listing);

    await vm.ask("interrupt", /received signal SIGINT/);
    await vm.gdb.type(`symbol-file ${await symbolFile(temporary, symbols)}`);
    await vm.ask("break *(long)&__arm64_sys_newuname", /Breakpoint 1 at 0x/);
    await vm.ask(`hbreak *${getppid}`, /Hardware assisted breakpoint 2 at 0x/);
    await vm.gdb.type("continue &");
    await vm.el2.type("uname -r");
    await vm.gdb.expect(/Breakpoint 1, 0x/, PATIENCE);
    assert.equal(await vm.value("$pc"), uname);
    assert.equal(await vm.value("$cpsr & 0xf"), 5n, "EL1h");

    // Writes near a stack pointer come soon: the watchpoint stops after one, when the value has
    // changed.
    const sp = await vm.value("$sp");
    const place = `*(unsigned long *)${sp - 48n}`;
    await vm.gdb.type("disable");
    await vm.gdb.type(`set var ${place} = 0x1122334455667788`);
    await vm.ask(`watch ${place}`, /Hardware watchpoint 3/);
    await vm.ask("continue", /Hardware watchpoint 3: [^]*Old value = 1234605616436508552\nNew value = \d+\n/);
    assert.notEqual(await vm.value(place), 0x1122_3344_5566_7788n);
    const after = await vm.value("$pc");
    await vm.ask("delete 3", /\(gdb\) $/);
    await vm.ask(`awatch ${place}`, /Hardware access \(read\/write\) watchpoint 4/);
    await vm.ask("continue", /Hardware access \(read\/write\) watchpoint 4: [^]*alue = /);
    await vm.ask("delete 4", /\(gdb\) $/);
    for (let step = 0; step < 3; step++) await vm.ask("stepi", /0x[0-9a-f]{16} in/);
    assert.ok(after > 0xffff_0000_0000_0000n);

    await vm.ask("detach", /detached/);
    await vm.el2.expect(/^6\.1\.\S+-cloud-arm64$/m, PATIENCE);
    await vm.el2.type("echo still $((6 * 7))");
    await vm.el2.expect(/^still 42$/m, PATIENCE);
  } finally {
    await Deno.remove(temporary, { recursive: true });
  }
});

if (LONG) {
  Deno.test("gdb breaks in a Debian kernel by its own symbols, watches, steps, goes back, and detaches, beside another VM", async () => {
    const folder = await Deno.makeTempDir({ prefix: "el2-gdb-debian-" });
    const { folder: debian } = await catalogEntry("debian-trixie");
    const hello = new URL("../../../assets/guests/hello.bin", import.meta.url).pathname;
    await Deno.writeTextFile(
      `${folder}/two.toml`,
      `el2 = 1
[machine]
memory = "768MiB"
[vm.debian]
kernel = "${debian}/Image"
initrd = "${debian}/initrd"
cmdline = "console=ttyAMA0"
memory = "512MiB"
[vm.hello]
image = "${hello}"
memory = "4MiB"
`,
    );
    try {
      await using vm = await Debugged.start("run", `${folder}/two.toml`, "--turbo", "--headless", "--gdb", `debian:${folder}/gdb.sock`);
      await vm.gdb.type("continue &");
      await vm.el2.expect(/debian\| .*Booting Linux on physical CPU/, PATIENCE);
      await vm.el2.expect(/debian\| .*SMP: Total of/, PATIENCE);
      await vm.ask("interrupt", /received signal SIGINT/);
      // Through a socket, which nobody else can connect to, any file may be written.
      await vm.ask(`monitor symbols ${folder}/kernel.elf`, /\d{5,} symbols in/);
      await vm.gdb.type(`symbol-file ${folder}/kernel.elf`);
      await vm.ask("break vfs_open", /Breakpoint 1 at/);
      const files: bigint[] = [];
      for (let round = 0; round < 3; round++) {
        await vm.ask("continue", /Breakpoint 1, 0x[0-9a-f]{16} in vfs_open \(\)/);
        files.push(await vm.value("$x1"));
      }
      await vm.ask("backtrace 2", /#0 .* in vfs_open \(\)[^]*#1 +0x[0-9a-f]{16} in \w+ \(\)/);
      await vm.ask("stepi", /in vfs_open \(\)/);
      await vm.ask("reverse-stepi", /in vfs_open \(\)/);
      await vm.ask("reverse-continue", /Breakpoint 1, 0x[0-9a-f]{16} in vfs_open \(\)/);
      assert.equal(await vm.value("$x1"), files[1]);
      await vm.gdb.type("delete");
      await vm.ask("watch -location *(long *)($sp - 16)", /Hardware watchpoint 2/);
      await vm.ask("continue", /Hardware watchpoint 2: /);
      await vm.gdb.type("delete");
      await vm.ask("detach", /detached/);
      await vm.el2.expect(/^debian\| EL2-READY/m, PATIENCE);
      await vm.el2.expect(/^hello\| tick/m, PATIENCE);
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  });
}
