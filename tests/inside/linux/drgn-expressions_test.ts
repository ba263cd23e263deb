// Expressions have the values that drgn has for them, by Debian's debug information. Packages are
// fetched: EL2_LONG.

import assert from "node:assert/strict";
import { inFolder } from "../../support/temporary-folder.ts";
import { LONG } from "../../support/long.ts";
import { debugKernel, Drgn, threeInstants } from "./core-tools.ts";
import { Debian, RELEASES } from "./debian.ts";
import { compareExpressions } from "./drgn-expressions.ts";

if (LONG) {
  for (const release of RELEASES) {
    Deno.test(`el2 print and drgn agree on expressions about one core file: ${release}`, () =>
      inFolder(async (folder) => {
        const drgn = await Drgn.fetched(release, folder), kernel = await debugKernel(release, folder);
        const instants = threeInstants(Debian.of(kernel.image, { initrd: kernel.initrd, cpus: 2 }));
        for (const [name, debian] of instants) {
          assert.ok(await compareExpressions(debian, drgn, kernel.vmlinux, `${folder}/${name}`) >= 60);
        }
      }));
  }
}
