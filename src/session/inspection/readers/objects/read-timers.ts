// Rows about the architectural timers of a vCPU (docs/spec/hypervisor.md §6.4).

import { TimerControl, type Vcpu } from "../../../../machine/hypervisor/inspect.ts";
import type { View } from "../inspected.ts";
import { formatId, irqId } from "../../../../model/queries/ids.ts";
import type { RowOf } from "../../../../model/queries/table.ts";
import type { TIMERS } from "../../../../model/queries/tables.ts";
import { hex } from "../../../../kit/support/text/number-text.ts";

/** Bits of CNTx_CTL_EL0 by their names. */
const BITS: readonly (readonly [bit: bigint, name: string])[] = [
  [TimerControl.Enable, "ENABLE"],
  [TimerControl.Imask, "IMASK"],
  [TimerControl.Istatus, "ISTATUS"],
];

/** The timers of a vCPU. */
export function readTimers(view: View, vcpu: Vcpu): RowOf<typeof TIMERS>[] {
  const vm = view.vmNameOf(vcpu.addressSpace);
  return vcpu.timers.all.map(({ registers, due, kind: { name, ppi, control, comparator } }): RowOf<typeof TIMERS> => {
    const written = registers.getRegister(control);
    // The register file has no ISTATUS: it depends on the time.
    const read = written | (due <= view.now ? TimerControl.Istatus : 0n);
    return {
      id: formatId({ kind: "timer", vm, index: vcpu.index, name }),
      name,
      due: due === Infinity ? null : String(Math.max(0, Math.round(due - view.now))),
      control: BITS.filter(([bit]) => read & bit).map(([, bit]) => bit),
      compare: hex(registers.getRegister(comparator), 16),
      irq: irqId(vm, ppi, vcpu.index),
    };
  });
}
