// The kernel of a VM in a machine, as rules of verdicts see it.

import type { Vcpu } from "../../../machine/hypervisor/inspect.ts";
import { conId } from "../../../model/queries/ids.ts";
import { hint } from "../../../kit/support/text/hint.ts";
import { firstOf } from "../../../kit/support/values/in-order.ts";
import { findingsOf, haltedBy, panicOf, showsPanic } from "../kernels/kernels.ts";
import type { View } from "../readers/inspected.ts";
import type { FoundPanic, JudgedKernel } from "./verdict.ts";

/**
 * @param online vCPUs of the VM that are on
 * @param isAsleep whether they all sleep
 */
export function machineKernel(view: View, name: string, online: readonly Vcpu[], isAsleep: boolean): JudgedKernel | undefined {
  const space = online[0]?.addressSpace;
  return space && {
    ...findingsOf(view, space),
    vm: name,
    isSaved: false,
    isAsleep: () => isAsleep,
    panic: () => firstOf(online, (vcpu) => panicIn(view, name, vcpu)),
    haltedBy: () => firstOf(online, (vcpu) => haltedBy(view, vcpu)),
  };
}

function panicIn(view: View, name: string, vcpu: Vcpu): FoundPanic | undefined {
  const panic = panicOf(view, vcpu);
  if (!panic) return undefined;
  const isShown = showsPanic(view.system.consoles.tail(name));
  return {
    ...panic,
    evidence: isShown ? [{ code: "console", console: conId(name) }] : [],
    next: hint("vcpu stack", view.vcpu(vcpu)),
  };
}
