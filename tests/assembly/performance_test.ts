// The registers of the performance monitors, and their interrupt through the GIC, as a bare-metal
// guest sees them on el2 and on QEMU.

import assert from "node:assert/strict";
import { assemble } from "../../src/assembly/assemble.ts";
import { planCpu } from "../../src/isa/cpus.ts";
import { runNative } from "../support/oracles.ts";
import { inFolder } from "../support/temporary-folder.ts";

/** Turns in which the guest ends. */
const TURNS = 1_000_000;

Deno.test("registers of the performance monitors read as on QEMU, and an overflow interrupts after its instruction", () =>
  inFolder(async (folder) => {
    const elf = `${folder}/guest.elf`, source = new URL("performance/guest.S", import.meta.url).pathname;
    const linker = new URL("../differential/exceptions/guest.ld", import.meta.url).pathname;
    const flags = ["-nostdlib", "-static", "-march=armv8.2-a", "-Wl,--build-id=none", "-T", linker];
    const { code, stderr } = await runNative("aarch64-linux-gnu-gcc", [...flags, "-o", elf, source]);
    assert.equal(code, 0, stderr);
    const board = "-M virt,gic-version=3 -m 128 -cpu neoverse-n1 -nic none -display none -monitor none -serial stdio -no-reboot";
    const qemu = await runNative("qemu-system-aarch64", [...board.split(" "), "-kernel", elf]);
    assert.match(qemu.stdout, /\n00000017\n00000004\n00000002\n00000001\n00000000\n\.$/, `PPI 23 after the overflow: ${qemu.stderr}`);
    const image = await Deno.readFile(elf);
    const what = { kind: "boot", image, initrd: undefined, dtb: undefined, append: undefined } as const;
    for (const [cpu, tier] of [["v8.2", "interp"], ["v8.2", "jit"], ["max", "auto"]] as const) {
      const system = assemble({ cpus: 1, memory: 64 << 20, turbo: true, seed: 1, tier, cpu: planCpu(cpu), what });
      system.machine.run(TURNS);
      const text = system.consoles.take().map(({ bytes }) => new TextDecoder().decode(bytes)).join("");
      assert.equal(text, qemu.stdout, `${cpu}, ${tier}`);
    }
  }));
