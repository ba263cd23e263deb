// The parts of a machine that `Latencies` asks and observes: interrupts, timers and disks.

import { type VirtioDevice, VirtioId } from "../../../machine/virtio/device.ts";
import type { Latencies } from "./latencies.ts";
import type { Hypervisor } from "../../../machine/hypervisor/inspect.ts";
import { parseAs, vmOfName } from "../../../model/queries/ids.ts";

/** Of a machine: asks of an interrupt of a VM, and of a private one by the index of its vCPU. */
export function pendingIn(hypervisor: Hypervisor): (irq: string, index: number | undefined) => boolean {
  return (irq, index) => {
    const { vcpu, intid } = receiverOf(hypervisor, irq, index) ?? {};
    return vcpu?.attachments.vic !== undefined && intid !== undefined && vcpu.attachments.vic.gic.bank(vcpu.gic, intid).isPending(intid);
  };
}

/** The same: virtual time (ns) from which the timer of an interrupt is due, if it is on. */
export function timersDueIn(hypervisor: Hypervisor): (irq: string, index: number | undefined) => number | undefined {
  return (irq, index) => {
    const { vcpu, intid } = receiverOf(hypervisor, irq, index) ?? {};
    const timer = intid === undefined ? undefined : vcpu?.timers.of(intid);
    return timer && Number.isFinite(timer.due) ? timer.due : undefined;
  };
}

/** A machine with its virtio devices. */
interface WithDisks {
  readonly hypervisor: Hypervisor;
  readonly virtio: readonly { readonly vm: string; readonly id: string; readonly device: VirtioDevice }[];
}

/** Measures the requests of a machine's disks from now on. */
export function observeDisks({ hypervisor, virtio }: WithDisks, latencies: Latencies): void {
  const here = () => ({ time: hypervisor.trace.now(), at: hypervisor.point().retired });
  for (const { device: { id: kind, transport }, vm, id } of virtio) {
    if (kind === VirtioId.Block && transport) transport.queues[0].observer = latencies.disk(vm, id, here);
  }
}

/** The vCPU that an interrupt goes to, or one that may get it. */
function receiverOf({ scheduler, names }: Hypervisor, irq: string, index: number | undefined) {
  const id = parseAs("irq", irq);
  if (!id) return undefined;
  for (const vcpu of scheduler.vcpus) {
    const isReceiver = vcpu.attachments.vic && vmOfName(names.vcpu(vcpu)) === id.vm && (index === undefined || vcpu.index === index);
    if (isReceiver) return { vcpu, intid: id.intid };
  }
  return undefined;
}
