// Guests of one file in assembly, without an operating system: built, and run on QEMU and el2.

import assert from "node:assert/strict";
import { assemble } from "../../../src/session/assembly/assemble.ts";
import type { SessionPlan } from "../../../src/model/plans/plan.ts";
import { runNative } from "../../support/oracles.ts";
import { inFolder } from "../../support/temporary-folder.ts";

/** Turns in which each guest ends. */
const TURNS = 1_000_000;
const BOARD = "-M virt,gic-version=3 -m 128 -nic none -display none -monitor none -serial stdio -no-reboot";

/** Builds `NAME/guest.S` beside this file, and calls `use` with its ELF file. */
export function withGuest(name: string, options: readonly string[], use: (elf: string) => Promise<void>): Promise<void> {
  return inFolder(async (folder) => {
    const elf = `${folder}/guest.elf`, source = new URL(`${name}/guest.S`, import.meta.url).pathname;
    const linker = new URL("../../differential/exceptions/guest.ld", import.meta.url).pathname;
    const flags = ["-nostdlib", "-static", ...options, "-Wl,--build-id=none", "-T", linker];
    const { code, stderr } = await runNative("aarch64-linux-gnu-gcc", [...flags, "-o", elf, source]);
    assert.equal(code, 0, stderr);
    await use(elf);
  });
}

/** Runs it on QEMU's board; its output, and QEMU's errors. */
export function runOnQemu(elf: string, cpu = "neoverse-n1"): Promise<{ readonly stdout: string; readonly stderr: string }> {
  return runNative("qemu-system-aarch64", [...BOARD.split(" "), "-cpu", cpu, "-kernel", elf]);
}

/** Runs it as the primary VM; its output. */
export async function runOnEl2(elf: string, options: Pick<SessionPlan, "cpu" | "tier"> = {}): Promise<string> {
  const image = await Deno.readFile(elf);
  const what = { kind: "boot", image, initrd: undefined, dtb: undefined, append: undefined } as const;
  const system = assemble({ cpus: 1, memory: 64 << 20, turbo: true, seed: 1, ...options, what });
  system.machine.run(TURNS);
  return system.consoles.drain().map(({ bytes }) => new TextDecoder().decode(bytes)).join("");
}
