// Rows about interrupts that the hypervisor at a vCPU's EL2 gives its guest: those in list
// registers. Arm IHI 0069H 4.8, 12.4 (ICH_LR<n>_EL2, ICH_VMCR_EL2).

import { Hcr, listedIrq, type RegisterName } from "../../../../cpu/core/interface.ts";
import { vmidOf } from "../../../../kit/formats/stage2-tables.ts";
import { hex } from "../../../../kit/support/text/number-text.ts";
import { Intid, LPI_FIRST, type Vcpu } from "../../../../machine/hypervisor/inspect.ts";
import { formatId, irqId, vmId } from "../../../../model/queries/ids.ts";
import type { RowOf } from "../../../../model/queries/table.ts";
import type { IRQS } from "../../../../model/queries/tables.ts";
import type { View } from "../inspected.ts";

/** The list registers of all CPUs that hold an interrupt. */
export function readListedIrqs(view: View): RowOf<typeof IRQS>[] {
  return view.vcpus().filter(({ native, registers }) => !native && registers.hasEl2).flatMap((vcpu) => listsOf(view, vcpu));
}

const kindOf = (intid: number) => intid < Intid.SgiEnd ? "sgi" : intid < Intid.PrivateEnd ? "ppi" : intid < LPI_FIRST ? "spi" : "lpi";

function listsOf(view: View, vcpu: Vcpu): RowOf<typeof IRQS>[] {
  const { registers, index } = vcpu, vm = view.vmNameOf(vcpu.addressSpace), id = view.vcpu(vcpu);
  const value = (name: RegisterName) => registers.getRegister(name), vmcr = value("ICH_VMCR_EL2");
  const guest = value("HCR_EL2") & Hcr.VM ? ` of VMID ${vmidOf(value("VTTBR_EL2"), value("VTCR_EL2"))}` : "";
  return registers.names.filter((name) => name.startsWith("ICH_LR")).flatMap((name) => {
    const irq = listedIrq(value(name), vmcr);
    if (!irq) return [];
    const { intid, pending, active, enabled, priority, physical } = irq;
    return [{
      id: formatId({ kind: "reg", vm, index, name: name.toLowerCase() }),
      vm: vmId(vm),
      vcpu: id,
      intid,
      kind: kindOf(intid),
      source: `${name}${guest}${physical === undefined ? "" : ` for ${irqId(vm, physical, physical < Intid.PrivateEnd ? index : 0)}`}`,
      priority: hex(priority, 2),
      en: enabled,
      pend: pending,
      act: active,
      // A list register has a state, not a line.
      trigger: "edge",
      line: null,
      route: null,
      count: 0,
      rate: 0,
      finding: null,
      fact: null,
    }];
  });
}
