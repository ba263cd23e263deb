// An external abort on a walk of stage 1 has the level of the walk, whoever finds that nothing
// answers: the bus, or EL2 by its stage 2 (docs/spec/hypervisor.md §6.8). QEMU's machine has the
// same RAM and UART as the primary VM's. Arm ARM D13.2.37 (DFSC).

import assert from "node:assert/strict";
import { runOnEl2, runOnQemu, withGuest } from "./bare-metal.ts";

/** Levels 0 to 3: data abort of EL1, synchronous external abort on a walk. */
const EXPECTED = [0, 1, 2, 3].map((level) => `960000${(0x14 + level).toString(16)}\n`).join("") + ".";

const withTablesAt = (address: number, use: (elf: string) => Promise<void>) =>
  withGuest("table-walks", [`-DADDRESS=0x${address.toString(16)}`], use);

const BEHIND_RAM = 0x5000_0000;

Deno.test("an external abort on a walk has its level, as on QEMU", async () => {
  await withTablesAt(BEHIND_RAM, async (elf) => {
    const { stdout, stderr } = await runOnQemu(elf);
    assert.equal(stdout, EXPECTED, stderr);
    assert.equal(await runOnEl2(elf), EXPECTED);
  });
});

Deno.test("tables in the GIC, in the hypervisor's memory and in a device are external aborts on the walk", async () => {
  for (const address of [0x800_0000, 0x8000_0000, 0x900_0000]) {
    await withTablesAt(address, async (elf) => assert.equal(await runOnEl2(elf), EXPECTED, `0x${address.toString(16)}`));
  }
});
