// Semihosting: bare-metal programs that make the calls, as a VM and as the primary VM, and what a
// call says where nobody serves it.

import assert from "node:assert/strict";
import { assemble } from "../../../src/session/assembly/assemble.ts";
import { runNative } from "../../support/oracles.ts";
import { inFolder } from "../../support/temporary-folder.ts";
import { el2 } from "../../app/cli/program.ts";

/** Addresses at which programs run as the primary VM, and as a VM. */
const PRIMARY = "0x40200000", VM = "0x80100000";

/** Builds `semihosting/NAME.S` for an address, as an ELF file. */
async function build(name: string, address: string, folder: string): Promise<string> {
  const elf = `${folder}/${name}.elf`, source = new URL(`semihosting/${name}.S`, import.meta.url).pathname;
  const args = ["-nostdlib", "-static", "-Wl,--build-id=none", `-Wl,-Ttext=${address}`, "-o", elf, source];
  const { code, stderr } = await runNative("aarch64-linux-gnu-gcc", args);
  assert.equal(code, 0, stderr);
  return elf;
}

Deno.test("each semihosting call of a VM has its answer, hostile arguments included, and its code is the run's end", async () => {
  await inFolder(async (folder) => {
    await build("calls", VM, folder);
    const run = async (cmdline: string, keys = "") => {
      await Deno.writeTextFile(`${folder}/el2.toml`, `el2 = 1\n[vm.a]\nimage = "calls.elf"\ncmdline = "${cmdline}"\n${keys}`);
      return await el2("run", `${folder}/el2.toml`, "--headless", "--turbo", "--for", "5s");
    };
    const well = await run("0 and more", "vcpus = 2\n");
    assert.deepEqual([well.code, well.stdout], [0, "a| written!0 and more\n"], well.stderr);
    const failed = await run("7");
    assert.equal(failed.code, 1);
    assert.match(failed.stderr, /a: the guest ended itself with code 7 \(semihosting SYS_EXIT_EXTENDED\)/);

    const off = await run("0", "semihosting = false\n");
    assert.equal(off.code, 1);
    assert.match(off.stderr, /it is a semihosting call \(SYS_WRITE\), which nobody serves here/);
    assert.match(off.stderr, /way out {2}serve it with semihosting = true/);
  });
});

Deno.test("a primary VM's semihosting calls have the same answers", async () => {
  await inFolder(async (folder) => {
    const elf = await build("calls", PRIMARY, folder);
    for (const [append, code] of [["0", 0], ["5", 1]] as const) {
      const outcome = await el2("boot", elf, "--append", append, "--turbo", "--memory", "64MiB");
      assert.equal(outcome.code, code, outcome.stderr);
      assert.match(outcome.stderr, new RegExp(String.raw`the guest ended itself with code ${append} \(semihosting SYS_EXIT_EXTENDED\)`));
    }
  });
});

Deno.test("a VM that reads its console by semihosting waits for input, and is not stuck", async () => {
  await inFolder(async (folder) => {
    const elf = await build("echo", VM, folder);
    const outcome = await el2("run", elf, "--headless", "--turbo", "--for", "2s");
    assert.equal(outcome.code, 0, outcome.stderr);
  });
});

/** More than the guests need. */
const TURNS = 1_000_000;

Deno.test("SYS_READ waits for input, also in a machine whose state was saved meanwhile", async () => {
  await inFolder(async (folder) => {
    const image = await Deno.readFile(await build("echo", PRIMARY, folder));
    const what = { kind: "boot", image, initrd: undefined, dtb: undefined, append: undefined } as const;
    const make = () => assemble({ cpus: 1, memory: 64 << 20, turbo: true, seed: 1, what });
    const first = make();
    assert.deepEqual(first.machine.run(TURNS), { kind: "idle", next: Infinity });
    first.consoles.type("host", new TextEncoder().encode("a"));
    assert.deepEqual(first.machine.run(TURNS), { kind: "idle", next: Infinity });
    const second = make();
    second.load(first.save(), true);
    for (const system of [first, second]) {
      system.consoles.type("host", new TextEncoder().encode("bcd"));
      assert.equal(system.machine.run(TURNS).kind, "stopped");
      assert.equal(system.consoles.drain().map(({ bytes }) => new TextDecoder().decode(bytes)).join(""), "abc");
      assert.deepEqual(system.ended(), { code: 0, message: "the guest ended itself with code 0 (semihosting SYS_EXIT)" });
    }
  });
});
