// An external abort on a walk of stage 1 has the level of the walk, whoever finds that nothing
// answers: the bus, or EL2 by its stage 2 (docs/spec/hypervisor.md §6.8). QEMU's machine has the
// same RAM and UART as the primary VM's. Arm ARM D13.2.37 (DFSC).

import assert from "node:assert/strict";
import { assemble } from "../../src/assembly/assemble.ts";
import type { SessionPlan } from "../../src/plans/plan.ts";
import { runNative } from "../support/oracles.ts";

/** Levels 0 to 3: data abort of EL1, synchronous external abort on a walk. */
const EXPECTED = [0, 1, 2, 3].map((level) => `960000${(0x14 + level).toString(16)}\n`).join("") + ".";

async function withGuest(address: number, use: (elf: string) => Promise<void>): Promise<void> {
  const folder = new URL("./table-walks/", import.meta.url).pathname;
  const linker = new URL("../differential/exceptions/guest.ld", import.meta.url).pathname;
  const elf = await Deno.makeTempFile({ suffix: ".elf" });
  try {
    const flags = `-nostdlib -static -Wl,--build-id=none -DADDRESS=0x${address.toString(16)} -T ${linker}`;
    const { code, stderr } = await runNative("aarch64-linux-gnu-gcc", [...flags.split(" "), "-o", elf, `${folder}guest.S`]);
    assert.equal(code, 0, stderr);
    await use(elf);
  } finally {
    await Deno.remove(elf);
  }
}

async function runOnEl2(elf: string): Promise<string> {
  const image = await Deno.readFile(elf);
  const what = { kind: "boot", image, initrd: undefined, dtb: undefined, append: undefined } as const;
  const plan: SessionPlan = { cpus: 1, memory: 64 << 20, turbo: true, seed: 1, what };
  const system = assemble(plan);
  system.machine.run(1_000_000);
  return system.consoles.take().map(({ bytes }) => new TextDecoder().decode(bytes)).join("");
}

const BEHIND_RAM = 0x5000_0000;

Deno.test("an external abort on a walk has its level, as on QEMU", async () => {
  await withGuest(BEHIND_RAM, async (elf) => {
    const machine = "-M virt,gic-version=3 -m 128 -cpu neoverse-n1 -nic none -display none -monitor none -serial stdio -no-reboot";
    const { stdout, stderr } = await runNative("qemu-system-aarch64", [...machine.split(" "), "-kernel", elf]);
    assert.equal(stdout, EXPECTED, stderr);
    assert.equal(await runOnEl2(elf), EXPECTED);
  });
});

Deno.test("tables in the GIC, in the hypervisor's memory and in a device are external aborts on the walk", async () => {
  for (const address of [0x800_0000, 0x8000_0000, 0x900_0000]) {
    await withGuest(address, async (elf) => assert.equal(await runOnEl2(elf), EXPECTED, `0x${address.toString(16)}`));
  }
});
