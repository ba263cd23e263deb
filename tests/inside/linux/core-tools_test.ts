// Core files of VMs are read by tools that know nothing of el2, with Debian's debug information:
// drgn, on this computer. Packages are fetched: EL2_LONG.

import assert from "node:assert/strict";
import { inFolder } from "../../support/temporary-folder.ts";
import { debugKernel, dmesgOf, Drgn, functionOf, isWithin, linesOf, threeInstants } from "./core-tools.ts";
import { Debian, RELEASES } from "./debian.ts";
import { writtenCore } from "./written-core.ts";
import { LONG } from "../../support/long.ts";

/** Bytes of `task_struct.comm` before its zero. */
const COMM_MAX = 15;

/** Functions of a sleeping task's stack in the kernel. */
function stackOf(debian: Debian, pid: number): string[] {
  const { rows } = debian.ask("linux.stack", { pid });
  return [...rows].filter(({ mode }) => mode === "kernel").map(({ symbol }) => functionOf(String(symbol)));
}

async function compareWithDrgn(debian: Debian, drgn: Drgn, vmlinux: string, core: string): Promise<void> {
  await Deno.writeFile(core, writtenCore(debian));
  const view = await drgn.read(core, vmlinux), tasks = debian.rows("linux.ps", { threads: true });
  await Deno.remove(core);
  assert.deepEqual(linesOf(view.log), linesOf(dmesgOf(debian).join("\n")));
  assert.deepEqual(view.tasks.map(({ pid, state, ppid }) => [pid, state, ppid]), tasks.map(({ pid, state, ppid }) => [pid, state, ppid]));
  let compared = 0;
  for (const [index, { pid, comm, stack }] of view.tasks.entries()) {
    const { name, kernel } = tasks[index], frames = stackOf(debian, pid);
    // el2 shows a kernel thread's whole name, and what a worker does.
    assert.ok(kernel ? name.startsWith(comm.slice(0, COMM_MAX)) : name === comm, `${name}, ${comm}`);
    if (frames.length === 0) continue;
    compared++;
    assert.ok(isWithin(frames, stack), `${pid} ${name}: ${frames.join(" ")}; drgn: ${stack.join(" ")}`);
  }
  assert.ok(compared > tasks.length / 2, `${compared} stacks of ${tasks.length}`);
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
    Deno.test(`drgn reads the log, the threads and their stacks from core files as el2 shows them: ${release}`, () =>
      inFolder(async (folder) => {
        const drgn = await Drgn.fetched(release, folder), kernel = await debugKernel(release, folder);
        const instants = threeInstants(Debian.of(kernel.image, { initrd: kernel.initrd, cpus: 2 }));
        for (const [name, debian] of instants) await compareWithDrgn(debian, drgn, kernel.vmlinux, `${folder}/${name}`);
      }));
  }
}
