// gdb with a module that is built against the headers of Debian's kernels, in a VM with KASLR:
// stops by line and by function, its stack, its variables, and steps by line, over reloads and
// back. gdb has the kernel's names from `monitor symbols`, and lines from the module's own file,
// which is placed by the names that both have. Everything is fetched: EL2_LONG.

import assert from "node:assert/strict";
import { PROMPT } from "../../support/console.ts";
import { longTest } from "../../support/long.ts";
import {
  lineOf,
  SCRIBE,
  SCRIBE_KERNELS,
  SCRIBE_VM as VM,
  type ScribeGuest,
  scribeGuest,
  type ScribeKernelName,
} from "../../inside/linux/scribe.ts";
import { Debugged, PATIENCE } from "./gdb-program.ts";
import { native } from "./programs.ts";

const LOADS = 5;
/** Its twin is loaded where the module was, so that the module has another place each time. */
const RELOADED = "for n in 1 2 3 4 5; do insmod /drivers/scribe.ko; echo 1$n > /proc/scribe; case $n in 2|4) rmmod twin;; esac; " +
  "rmmod scribe; case $n in 1|3) insmod /drivers/twin.ko;; esac; done";
/** The kernel calls it when a module is in its place, before anything in it is executed. */
const LOADED = "do_init_module";
/** Seconds of wall time in which all code of the kernel is read, for its frames. */
const ALL_CODE = 600;
/** Where `struct module` has its name. */
const NAME = 24;
/** A symbol of each section of the module that the test needs. */
const PLACED = {
  ".text": "scribe_note",
  ".init.text": "scribe_init",
  ".exit.text": "scribe_exit",
  ".data": "scribe_factor",
  ".bss": "scribe_total",
};

/** A gdb, the kernel's names in which are of this moment. */
class ModuleGdb {
  private constructor(
    readonly vm: Debugged,
    readonly folder: string,
    /** The module's file. */
    readonly file: string,
    /** Of its symbols in their sections. */
    readonly offsets: ReadonlyMap<string, bigint>,
  ) {}

  /**
   * Where the linker has left an address in a section, gdb takes all code of the file for one
   * section's: it gets a copy without addresses.
   */
  static async of(vm: Debugged, { folder }: ScribeGuest): Promise<ModuleGdb> {
    const file = `${folder}/scribe.gdb.ko`;
    await native("aarch64-linux-gnu-objcopy", "--change-section-vma", "*=0", `${folder}/scribe.ko`, file);
    const listed = (await native("aarch64-linux-gnu-nm", file)).matchAll(/^([0-9a-f]+) \w (\w+)$/gm);
    return new ModuleGdb(vm, folder, file, new Map(Array.from(listed, ([, at, name]) => [name, BigInt(`0x${at}`)])));
  }

  /** Writes the names that the VM has now, and reads them. */
  async names(): Promise<void> {
    const file = `${this.folder}/kernel.elf`;
    await this.vm.gdb.type(`monitor symbols ${file}`);
    await this.vm.gdb.expect(/\d{5,} symbols in[^]*\(gdb\) $/, ALL_CODE);
    await this.vm.ask(`symbol-file ${file}`, /Reading symbols from[^]*\(gdb\) $/);
  }

  /** Reads the module's file for the place that it has now: the first address of its code. */
  async place(): Promise<bigint> {
    await this.names();
    const sections: string[] = [], starts: bigint[] = [];
    for (const [section, name] of Object.entries(PLACED)) {
      const offset = this.offsets.get(name) ?? assert.fail(name), start = await this.vm.value(`(long)&${name}`) - offset;
      starts.push(start);
      sections.push(`-s ${section} 0x${start.toString(16)}`);
    }
    await this.vm.ask(`add-symbol-file ${this.file} ${sections.join(" ")}`, /Reading symbols from[^]*\(gdb\) $/);
    return starts[0];
  }

  /** Sets a breakpoint: its number. */
  async break(place: string): Promise<string> {
    return (await this.vm.ask(`break ${place}`, /Breakpoint (\d+) at 0x[^]*\(gdb\) $/))[1];
  }

  /** Runs by a command until the next prompt, which shows why it stopped. */
  async run(command: string): Promise<string> {
    return (await this.vm.ask(command, /([^]+)\n\(gdb\) $/))[1];
  }

  /** The frames of the vCPU: functions, with their lines in the module. */
  async stack(): Promise<readonly string[]> {
    const [, text] = await this.vm.ask("backtrace", /(#0 [^]*?)\n\(gdb\) $/);
    return [...text.matchAll(/^#\d+ +(?:0x[0-9a-f]+ in )?(\w+) \([^)]*\)(?: at .*?(scribe\.c:\d+))?/gm)].map(([, name, line]) =>
      line ? `${name} ${line}` : name
    );
  }

  async number(expression: string): Promise<number> {
    return Number(await this.vm.value(expression));
  }
}

for (const kernel of Object.keys(SCRIBE_KERNELS) as ScribeKernelName[]) {
  longTest(`gdb steps by line through a module that is built for Linux ${kernel}, over five loads, and back`, async () => {
    await using guest = await scribeGuest(kernel);
    const { folder } = guest,
      source = (await Deno.readTextFile(SCRIBE)).split("\n"),
      call = lineOf(source, "scribe_total += weigh(value);");
    const debugged = ["--gdb", `${VM}:${folder}/gdb.sock`, "--symbols", `${VM}=${folder}/scribe.ko`];
    await using vm = await Debugged.start("run", `${folder}/vm.toml`, "--turbo", "--stdio", "--allow-host", "all", ...debugged);
    await vm.gdb.type("continue &");
    await vm.el2.expect(PROMPT, PATIENCE);
    await vm.ask("interrupt", /received signal SIGINT/);
    const gdb = await ModuleGdb.of(vm, guest);
    await gdb.names();
    await gdb.break(`*${LOADED} if *(char *)($x0 + ${NAME}) == 's'`);
    await vm.el2.type(RELOADED);
    const places = new Set<bigint>();
    for (let load = 1; load <= LOADS; load++) {
      assert.match(await gdb.run("continue"), new RegExp(`Breakpoint 1, .*${LOADED}`));
      places.add(await gdb.place());
      const inNote = await gdb.break(`scribe.c:${call}`), inExit = await gdb.break("scribe_exit");
      for (const caller of ["scribe_init", "scribe_write"]) {
        assert.match(await gdb.run("continue"), new RegExp(`Breakpoint ${inNote}, scribe_note \\(`));
        const stack = await gdb.stack();
        assert.equal(stack[0], `scribe_note scribe.c:${call}`);
        assert.match(stack[1], new RegExp(`^${caller} scribe\\.c:\\d+$`));
        assert.ok(stack.some((name) => name === "do_one_initcall" || name === "vfs_write"), stack.join());
        // The parameter, and a variable of the module.
        assert.equal(await gdb.number("value"), caller === "scribe_init" ? 3 : 10 + load);
        assert.equal(await gdb.number("scribe_factor"), 3);
      }
      // Into a call, out of it, and over the next line.
      assert.match(await gdb.run("step"), /^(?:\(gdb\) )?weigh \(/m);
      assert.match((await gdb.stack()).slice(0, 2).join(), /^weigh scribe\.c:\d+,scribe_note scribe\.c:\d+$/);
      assert.match(await gdb.run("finish"), new RegExp(`Value returned is \\$\\d+ = ${3 * (10 + load) + 1}$`));
      const [before] = await gdb.stack();
      await gdb.run("next");
      const [after] = await gdb.stack();
      assert.notEqual(after, before);
      assert.match(after, /^scribe_(note|write) scribe\.c:\d+$/);
      assert.match(await gdb.run("continue"), new RegExp(`Breakpoint ${inExit}, scribe_exit \\(`));
      if (load === LOADS) break;
      await vm.ask(`delete ${inNote} ${inExit}`, /\(gdb\) $/);
      await vm.ask(`remove-symbol-file ${gdb.file}`, /\(gdb\) $/);
    }
    assert.ok(places.size > 1, `it was at ${[...places].join()}`);

    // Back in the last load.
    assert.match(await gdb.run("reverse-continue"), /scribe_note \(/);
    assert.equal(await gdb.number("value"), 10 + LOADS);
    assert.match((await gdb.stack())[1], /^scribe_write /);
  });
}
