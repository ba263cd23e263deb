// A machine with a program under a debugger. It stops before its first instruction.

import { assemble } from "../../../src/session/assembly/assemble.ts";
import type { DebugStop } from "../../../src/machine/hypervisor/debug/debug-control.ts";
import { oneVm } from "../../../src/model/queries/debugged-vms.ts";

/** Virtual time (ns) in which the machine stops. */
const STOPS_WITHIN = 1e9;

/** The machine; `stop` runs it to its next stop. */
export function debuggedMachine(image: Uint8Array<ArrayBuffer>) {
  const system = assemble({
    cpus: 1,
    memory: 64 * 0x10_0000,
    turbo: true,
    seed: 1,
    debug: oneVm("host"),
    what: { kind: "boot", image, initrd: undefined, dtb: undefined, append: undefined },
  });
  const { machine, debugger: { control } } = system;
  if (!control) throw new Error("the machine has no debugger");
  const stop = (): DebugStop => {
    for (const end = machine.time + STOPS_WITHIN; machine.time < end;) {
      const result = machine.run(end);
      if (result.kind === "idle") machine.skipTo(Math.min(end, result.next));
      else if (result.kind !== "suspended") break;
      const found = control.takeStop();
      if (found) return found;
    }
    throw new Error("the machine does not stop");
  };
  return { system, control, stop };
}
