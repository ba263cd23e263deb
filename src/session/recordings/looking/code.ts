// Looking at code of a kernel's modules by its name: the machine stops wherever a kernel has the
// module at that time, which it loads anywhere, again elsewhere, and unloads.

import type { BreakPlace } from "../../../model/queries/stop-rule.ts";
import { oneVm } from "../../../model/queries/debugged-vms.ts";
import { vcpuId } from "../../../model/queries/ids.ts";
import type { DebugStop } from "../../../machine/hypervisor/interface.ts";
import type { System } from "../../assembly/system/system.ts";
import { instructionOf, type Looking, type Noted, type PastAccess } from "./looking.ts";

const NOTHING = new Uint8Array(0);

export function lookAtCode(system: System, at: string, place: BreakPlace, noted: Noted): Looking {
  const control = system.debugger.give(oneVm(place.vm), false), accesses: PastAccess[] = [];
  const followed = system.stops.follow(at, place, control);
  for (const address of place.addresses) control.insertAhead(address);
  const stopped = ({ cause, vcpu }: DebugStop) => {
    const { pc } = vcpu.registers;
    if (cause === "step") control.goOn(undefined);
    else if (followed.isAt(pc)) {
      const instruction = instructionOf(system, vcpu, vcpuId(control.services.names.vcpu(vcpu)));
      const access = { at: system.instructions(), time: system.machine.time, instruction, before: NOTHING, after: NOTHING };
      accesses.push(access);
      if (noted(access)) return true;
      control.goOn(vcpu);
    }
    return false;
  };
  return { stopped, turns: () => followed.turns(), end: () => ({ accesses, first: NOTHING }) };
}
