// The VMs of a session whose semihosting calls are served: their consoles, command lines and ends.

import * as v from "valibot";
import { SemihostedVm, type Vcpu } from "../../../machine/hypervisor/boot.ts";
import type { GuestSystem } from "./guest-system.ts";

const count = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const SAVED = v.array(v.strictObject({
  vm: v.string(),
  handles: v.array(v.tuple([count, v.strictObject({ kind: v.picklist(["input", "output", "features"]), at: count })])),
  errno: count,
}));

/**
 * Serves the semihosting calls of VMs.
 * @param commandLines of those VMs, by name
 */
export function serveSemihosting(system: GuestSystem, commandLines: ReadonlyMap<string, string>): void {
  if (commandLines.size === 0) return;
  const { consoles, vms, hypervisor } = system;
  const served = new Map<string, SemihostedVm>();
  for (const [vm, commandLine] of commandLines) {
    served.set(
      vm,
      new SemihostedVm({
        commandLine,
        write: (bytes) => consoles.transmitAll(vm, bytes),
        read: (limit) => consoles.take(vm, limit),
        exit: (exit) => vms.endsItself(vm, exit),
      }),
    );
  }
  const nameOf = ({ addressSpace }: Vcpu) => addressSpace && vms.nameOf(addressSpace.vmid);
  hypervisor.semihosted = (vcpu) => served.get(nameOf(vcpu) ?? "");
  consoles.onTyped = (vm) => {
    if (served.has(vm)) { for (const vcpu of system.symbols.vcpus(vm)) vcpu.endSuspend(); }
  };
  system.ends.onChange((vm, now) => {
    if (now === "begins") served.get(vm)?.reset();
  });
  system.parts.push({
    name: "semihosting",
    save: () => v.parse(SAVED, [...served].map(([vm, one]) => ({ vm, ...one.save() }))),
    restore(state) {
      for (const { vm, ...saved } of v.parse(SAVED, state)) served.get(vm)?.restore(saved);
    },
  });
}
