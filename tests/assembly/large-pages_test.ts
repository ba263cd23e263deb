// Pages of 16 and 64 KiB: a guest with such tables, on el2 and on QEMU, whose CPU has the same
// sizes. Arm ARM D8.2.

import assert from "node:assert/strict";
import { planCpu } from "../../src/isa/cpus.ts";
import { runOnEl2, runOnQemu, withGuest } from "./bare-metal.ts";
import { LONG } from "../support/long.ts";

/** log2 of a page, and the bits of an address: tables of four, three, three, two and two levels. */
const SIZES = [[14, 48], [16, 48], [14, 47], [14, 36], [16, 42]] as const;

for (const [shift, bits] of SIZES.slice(0, LONG ? undefined : 2)) {
  Deno.test(`pages of ${2 ** shift >> 10} KiB, with addresses of ${bits} bits, are as on QEMU`, () =>
    withGuest("large-pages", [`-DSHIFT=${shift}`, `-DBITS=${bits}`, "-march=armv8.2-a"], async (elf) => {
      const qemu = await runOnQemu(elf);
      assert.match(qemu.stdout, /^11223344\n55667788\n[^]*\n\.$/, qemu.stderr);
      for (const tier of LONG ? ["interp", "jit"] as const : ["jit"] as const) {
        assert.equal(await runOnEl2(elf, { cpu: planCpu("v8.2"), tier }), qemu.stdout, tier);
      }
    }));
}
