// Names of VMs by VMID, and what a vCPU does in the words of the screens
// (docs/design/workstation.md §4).

import type { Vcpu } from "../../../machine/hypervisor/inspect.ts";
import { Block } from "../../../machine/hypervisor/interface.ts";
import type { VcpuWord } from "../../../model/protocol/protocol.ts";

/** VMIDs that always mean the same VM. */
export const Vmid = { Primary: 3, ResourceManager: 255 } as const;

/** The word for what a vCPU does. `running`: it is on its physical CPU now. */
export function vcpuWord(vcpu: Vcpu): VcpuWord {
  if (vcpu.life.stage !== "ready") return vcpu.life.stage === "exited" ? "EXITED" : "KILLED";
  const is = (reason: number) => vcpu.life.isBlockedBy(reason);
  if (is(Block.Lifecycle)) return "NEW";
  if (is(Block.Fault)) return "FAULT";
  if (is(Block.Off)) return "OFF";
  if (is(Block.Vmmio)) return "VMMIO";
  if (is(Block.Suspend)) return "SUSPEND";
  if (is(Block.Wfi)) return "WFI";
  if (vcpu.native && !vcpu.native.hasWork()) return vcpu.native.insideRun ? "RUN" : "WFI";
  if (is(Block.Run)) return "PROXY";
  return "RUN";
}
