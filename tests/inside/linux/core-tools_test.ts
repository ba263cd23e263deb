// Core files of VMs are read by tools that know nothing of el2, with Debian's debug information:
// drgn, on this computer. Packages are fetched: EL2_LONG.

import assert from "node:assert/strict";
import { inFolder } from "../../support/temporary-folder.ts";
import { debugKernel, Drgn, functionOf, threeInstants } from "./core-tools.ts";
import { compareView, locksOf } from "./drgn-view.ts";
import { Debian, RELEASES } from "./debian.ts";
import { writtenCore } from "./written-core.ts";
import { LONG } from "../../support/long.ts";

async function compareWithDrgn(debian: Debian, drgn: Drgn, vmlinux: string, core: string): Promise<void> {
  await Deno.writeFile(core, writtenCore(debian));
  const view = await drgn.read(core, vmlinux, locksOf(debian));
  await Deno.remove(core);
  compareView(debian, view);
  const { symbols } = debian.system;
  for (const [cpu, { registers }] of symbols.vcpus("host").entries()) {
    const place = symbols.nameOf("host", registers.pc);
    if (place !== undefined) {
      assert.ok(view.cpus[cpu].includes(functionOf(place)), `CPU ${cpu}: ${place}; drgn: ${view.cpus[cpu].join(" ")}`);
    }
  }
}

if (LONG) {
  for (const release of RELEASES) {
    Deno.test(`drgn reads log, threads, stacks, files, interfaces and locks from core files as el2 shows them: ${release}`, () =>
      inFolder(async (folder) => {
        const drgn = await Drgn.fetched(release, folder), kernel = await debugKernel(release, folder);
        const instants = threeInstants(Debian.of(kernel.image, { initrd: kernel.initrd, cpus: 2 }));
        for (const [name, debian] of instants) await compareWithDrgn(debian, drgn, kernel.vmlinux, `${folder}/${name}`);
      }));
  }
}
