// Invariants of each object, by its type: capabilities, queues, interrupts and their sources, vCPUs
// and their places (docs/spec/hypervisor.md §3, §4.3, §5, §6.3).

import { allRights } from "../../abi/rights.ts";
import { CPU_INVALID } from "../../abi/words.ts";
import { Cspace } from "../capabilities/cspace.ts";
import type { HypervisorObject } from "../capabilities/object.ts";
import { Intid } from "../gic/gic-registers.ts";
import { Vic } from "../gic/vic.ts";
import { virqSourcesOf } from "../gic/vic-source.ts";
import { Msgqueue } from "../ipc/msgqueue.ts";
import { AddressSpace } from "../memory/addrspace.ts";
import { Memextent } from "../memory/memextent.ts";
import { Vcpu } from "../scheduling/vcpu.ts";
import type { CheckedScheduler, CheckedServices, Violation } from "./violation.ts";

/**
 * Checks one object; `whole` also what takes long and changes only with what is touched as well.
 */
export function* checkObject(object: HypervisorObject, hypervisor: CheckedServices, extent: "touched" | "whole"): Generator<Violation> {
  const broken = violationsOf(object);
  if (object.state === "destroying") yield broken("a destroyed object is in no list", {});
  yield* checkHolders(object);
  yield* checkSources(object);
  if (object instanceof Cspace) yield* checkCspace(object, extent);
  else if (object instanceof Msgqueue) yield* checkQueue(object);
  else if (object instanceof Vic) yield* checkVic(object, hypervisor.objects, extent);
  else if (object instanceof Vcpu) yield* checkVcpu(object, hypervisor.scheduler);
  else if (object instanceof Memextent) yield* checkExtent(object);
}

/** The tables by which the hypervisor finds objects. */
export function* checkRegistries(hypervisor: CheckedServices): Generator<Violation> {
  for (const [vmid, space] of hypervisor.addressSpaces) {
    const broken = violationsOf(space);
    if (space.vmid !== vmid || space.state !== "active") yield broken("an active address space has its VMID", { vmid, state: space.state });
    const threads = [...hypervisor.objects].filter((object) => object instanceof Vcpu && object.addressSpace === space).length;
    if (threads !== space.threads) yield broken("attached threads are counted", { counted: space.threads, threads });
  }
  for (const object of hypervisor.objects) {
    if (object instanceof AddressSpace && object.state === "active" && hypervisor.addressSpaces.get(object.vmid) !== object) {
      yield violationsOf(object)("an active address space is found by its VMID", { vmid: object.vmid });
    }
  }
  for (const [intid, hwirq] of hypervisor.hwirqs) {
    if (!hypervisor.objects.has(hwirq)) yield violationsOf(hwirq)("a registered hardware interrupt exists", { intid });
  }
  for (const [pa, device] of hypervisor.virtioPages) {
    if (!hypervisor.objects.has(device)) yield violationsOf(device)("a registered virtio device exists", { pa });
  }
  for (const vcpu of hypervisor.scheduler.vcpus) {
    if (!hypervisor.objects.has(vcpu)) yield violationsOf(vcpu)("a scheduled vCPU exists", {});
  }
}

const violationsOf = (object: HypervisorObject) => (rule: string, values: Violation["values"]): Violation => ({
  object: object.name,
  rule,
  values,
});

/** Capabilities and their object know each other; the master comes first. */
function* checkHolders(object: HypervisorObject): Generator<Violation> {
  const broken = violationsOf(object);
  for (const [index, holder] of object.holders.entries()) {
    const values = { cspace: holder.cspace.name, slot: holder.slot };
    if (holder.object !== object) yield broken("a capability that holds it names it", values);
    if (holder.cspace.occupant(holder.slot) !== holder) yield broken("a capability that holds it is in its slot", values);
    if (holder.rights === 0 || (holder.rights & ~allRights(object.type, true)) >>> 0) {
      yield broken("a capability has rights, and only its type's", { ...values, rights: holder.rights });
    }
    if (holder.master && index > 0) yield broken("the master capability is the first", { ...values, index });
  }
}

function* checkCspace(cspace: Cspace, extent: "touched" | "whole"): Generator<Violation> {
  const broken = violationsOf(cspace);
  if (cspace.used > cspace.maximum) {
    yield broken("no more slots are used than there may be", { used: cspace.used, maximum: cspace.maximum });
  }
  if (extent === "touched") return;
  let count = 0;
  for (const [, capability] of cspace.capabilities()) {
    count++;
    const { object, slot } = capability;
    if (object && !object.holders.includes(capability)) {
      yield broken("the object of a capability is held by it", { slot, object: object.name });
    }
  }
  if (count !== cspace.used) yield broken("used slots are counted", { used: cspace.used, count });
}

function* checkQueue(queue: Msgqueue): Generator<Violation> {
  const broken = violationsOf(queue);
  const { count, depth, maximumSize, notFullThreshold, notEmptyThreshold } = queue;
  if (count > depth) yield broken("a queue holds at most its depth", { count, depth });
  const big = queue.messages.find((message) => message.length === 0 || message.length > maximumSize);
  if (big) yield broken("a message has 1 to the maximum size", { size: big.length, maximumSize });
  if (queue.state !== "active") return;
  if (notFullThreshold >= depth) yield broken("the sender's threshold is below the depth", { notFullThreshold, depth });
  if (notEmptyThreshold < 1 || notEmptyThreshold > depth) {
    yield broken("the receiver's threshold is 1 to the depth", { notEmptyThreshold, depth });
  }
}

/** A source and the VIC that it is bound to know each other. */
function* checkSources(object: HypervisorObject): Generator<Violation> {
  for (const source of virqSourcesOf(object)) {
    const { vic, intid, cpu } = source;
    if (!vic || intid === undefined || !cpu) continue;
    const values = { source: source.what, vic: vic.name, intid };
    const broken = violationsOf(object);
    if (!vic.sources.has(source)) yield broken("the VIC that a source is bound to knows it", values);
    if (vic.gic.bank(cpu, intid).sources.get(intid) !== source) yield broken("the vIRQ that a source is bound to is its own", values);
  }
}

function* checkVic(vic: Vic, objects: CheckedServices["objects"], extent: "touched" | "whole"): Generator<Violation> {
  if (vic.state !== "active") return;
  const broken = violationsOf(vic);
  for (const source of vic.sources) {
    if (source.vic !== vic) yield broken("a source that the VIC knows is bound to it", { source: source.what, object: source.object.name });
    if (!objects.has(source.object)) yield broken("the object of a source exists", { object: source.object.name });
  }
  if (extent === "touched") return;
  const { gic } = vic;
  for (const cpu of gic.cpus) {
    for (let intid = 0; intid < Intid.SpiEnd; intid++) {
      const offered = cpu.isOffered(intid);
      if (offered === gic.isReadyFor(cpu, intid)) continue;
      yield broken("what is pending, enabled and not active is offered to its vCPU, and nothing else", { vcpu: cpu.index, intid, offered });
    }
  }
}

function* checkVcpu(vcpu: Vcpu, scheduler: CheckedScheduler): Generator<Violation> {
  const broken = violationsOf(vcpu);
  const { donor, yieldTo } = vcpu.turn;
  if (donor && donor.turn.yieldTo !== vcpu) yield broken("a vCPU that lends it time yields to it", { donor: donor.name });
  if (yieldTo && yieldTo.turn.donor !== vcpu) yield broken("the vCPU that it yields to has it as donor", { yieldTo: yieldTo.name });
  if (vcpu.turn.insideRun && !yieldTo) yield broken("a vCPU inside vcpu_run runs another", {});
  const { queued, current } = scheduler.placesOf(vcpu);
  if (queued !== Number(vcpu.turn.queued)) yield broken("a vCPU that is queued is in one queue, once", { queued, flag: vcpu.turn.queued });
  if (current && vcpu.turn.queued) yield broken("the vCPU whose turn it is does not wait in the queue", {});
  if (vcpu.state !== "active") {
    if (vcpu.turn.queued || current) yield broken("only active vCPUs are scheduled", { state: vcpu.state });
    return;
  }
  if (!scheduler.vcpus.has(vcpu)) yield broken("an active vCPU is known to the scheduler", {});
  if (vcpu.life.isRunnable && vcpu.settings.affinity !== CPU_INVALID && !donor?.turn.insideRun && !vcpu.turn.queued && !current) {
    yield broken("a vCPU that can run has the turn, or waits for it", { affinity: vcpu.settings.affinity });
  }
  const { vic, vpmGroup, addressSpace, index } = vcpu.attachments;
  if (vic?.vcpu(index) !== vcpu) yield broken("an active vCPU has its index in its VIC", { index });
  if (vpmGroup && !vpmGroup.vcpus.includes(vcpu)) yield broken("an active vCPU is in its VPM group", { group: vpmGroup.name });
  if (addressSpace?.state === "active" && vcpu.registers.stage2 !== addressSpace.stage2.id) {
    yield broken("a vCPU translates by its address space", { stage2: vcpu.registers.stage2, id: addressSpace.stage2.id });
  }
}

function* checkExtent(extent: Memextent): Generator<Violation> {
  const broken = violationsOf(extent);
  const { parent, base, extentSize } = extent;
  if (parent && (base < parent.base || base + extentSize > parent.base + parent.extentSize)) {
    yield broken("a derived extent lies in its parent", { base, size: extentSize, parent: parent.name });
  }
  if (parent && extent.access & ~parent.access) yield broken("a derived extent allows no more than its parent", { access: extent.access });
  for (const { addressSpace, range } of extent.mappings.within(0, extentSize)) {
    const values = { addrspace: addressSpace.name, ipa: range.ipa, attributes: range.attributes };
    if (addressSpace.state !== "active") yield broken("an extent is mapped in active address spaces", values);
    if (!extent.allows(range.attributes)) yield broken("a mapping allows no more than its extent", values);
  }
}
