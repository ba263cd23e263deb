// Maps interrupts to the sources that raise them: those of all objects, by the object that the VIC
// holds for each.

import type { LevelSource, VirqSource } from "../../../../machine/hypervisor/inspect.ts";
import type { View } from "../inspected.ts";

/** Names of a look. */
const known = new WeakMap<View, ReadonlyMap<LevelSource, string>>();

/** Names of vIRQ sources for display: `mq:7 rx`, `db:3`, `vtimer`, `vcpu:rt/0 halted`. */
export function sourceNames(view: View): ReadonlyMap<LevelSource, string> {
  const names = known.get(view) ?? readNames(view);
  known.set(view, names);
  return names;
}

function readNames(view: View): ReadonlyMap<LevelSource, string> {
  const names = new Map<LevelSource, string>();
  for (const queue of view.objects("msgqueue")) {
    names.set(queue.sendVirq, `${view.object(queue)} tx`);
    names.set(queue.receiveVirq, `${view.object(queue)} rx`);
  }
  for (const doorbell of view.objects("doorbell")) names.set(doorbell.virq, view.object(doorbell));
  for (const vcpu of view.objects("thread")) {
    for (const timer of vcpu.timers.all) names.set(timer.source, timer.kind.source);
    for (const { source, name } of vcpu.coreInterrupts.all) names.set(source, name);
    names.set(vcpu.haltVirq, `${view.vcpu(vcpu)} halted`);
    names.set(vcpu.wakeupVirq, `${view.vcpu(vcpu)} wants to run`);
  }
  for (const group of view.objects("vpm_group")) names.set(group.virq, `${view.object(group)} power`);
  for (const device of view.objects("virtio_mmio")) {
    names.set(device.backendVirq, `${view.object(device)} backend`);
    names.set(device.frontendVirq, `${view.object(device)} frontend`);
  }
  return names;
}

/** `irq:VM/INTID` of the interrupt that a source is bound to, or null. */
export function virqOf(view: View, source: VirqSource): string | null {
  return source.vic === undefined || source.intid === undefined ? null : view.hypervisor.names.irq(source.vic, source.intid);
}
