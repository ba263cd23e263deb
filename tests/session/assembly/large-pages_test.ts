// Pages of 16 and 64 KiB, and tables with addresses of 52 bits: a guest with such tables, on el2
// and on QEMU, whose CPU has the same sizes. Arm ARM D8.2.

import assert from "node:assert/strict";
import { planCpu } from "../../../src/cpu/isa/cpus/cpus.ts";
import { runOnEl2, runOnQemu, withGuest } from "./bare-metal.ts";
import { LONG } from "../../support/long.ts";

/** log2 of a page, the bits of an address, and whether that is TCR_EL1.DS: two to five levels. */
const SIZES = [
  ...[[14, 48, false], [16, 48, false], [12, 52, true]] as const,
  ...[[14, 52, true], [14, 47, false], [14, 36, false], [16, 42, false], [12, 49, true], [14, 48, true]] as const,
] as const;

for (const [shift, bits, wide] of SIZES.slice(0, LONG ? undefined : 3)) {
  Deno.test(`pages of ${2 ** shift >> 10} KiB, with addresses of ${bits} bits${wide ? " and FEAT_LPA2" : ""}, are as on QEMU`, () =>
    withGuest("large-pages", [`-DSHIFT=${shift}`, `-DBITS=${bits}`, ...wide ? ["-DWIDE"] : [], "-march=armv8.2-a"], async (elf) => {
      const qemu = await runOnQemu(elf, wide ? "max" : undefined);
      assert.match(qemu.stdout, /^11223344\n55667788\n[^]*\n\.$/, qemu.stderr);
      for (const tier of LONG ? ["interp", "jit"] as const : ["jit"] as const) {
        assert.equal(await runOnEl2(elf, { cpu: planCpu(wide ? "max" : "v8.2"), tier }), qemu.stdout, tier);
      }
    }));
}
