// A dump of raw memory in a file: how long its Linux takes to be found and to answer, in this
// process. Nothing in the file says where the kernel is.

import { Dump } from "../src/inside/dumps/dump.ts";
import { whole } from "../src/kit/support/values/work.ts";
import { RAM_BASE } from "../src/machine/hardware/memory-map.ts";
import type { GuestSystem } from "../src/session/assembly/system/guest-system.ts";
import { DumpInspector } from "../src/session/inspection/dumps/dump-inspector.ts";
import { DumpSystem } from "../src/session/inspection/dumps/dump-system.ts";
import { openDumps } from "../src/session/worker/dump-files.ts";

/**
 * Milliseconds from a file with the machine's memory to a list of its threads.
 * @param bytes of the file: what follows the machine's memory is zero
 */
export function millisecondsToOpen({ hypervisor: { machine: { ram } } }: GuestSystem, bytes: number): number {
  const path = Deno.makeTempFileSync({ prefix: "el2-dump-" });
  try {
    Deno.writeFileSync(path, ram.bytes(RAM_BASE, ram.map.primarySize));
    Deno.truncateSync(path, bytes);
    const began = performance.now(), files = openDumps([{ path, address: RAM_BASE }]);
    const { rows, error } = new DumpInspector(whole(DumpSystem.of(Dump.open(files)))).answer({
      table: "linux.ps",
      args: { threads: true },
    });
    const milliseconds = performance.now() - began;
    if (error !== undefined || rows.length === 0) throw new Error(`the dump has no threads: ${error}`);
    return milliseconds;
  } finally {
    Deno.removeSync(path);
  }
}
