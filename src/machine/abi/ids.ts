// How ids of objects are written: the traces of hypervisor, Resource Manager and host name objects
// by them, and so does everything above the machine, which also reads them
// (src/model/queries/ids.ts; docs/design/workstation.md §2).

import { hex } from "../../kit/support/text/number-text.ts";

/** INTIDs below this one are of one vCPU. */
const PRIVATE_END = 32;

/** `vm:rt`. */
export function vmId(vm: string): string {
  return `vm:${vm}`;
}

/**
 * An id as guests write it that know VMs and interrupts by number: `vm:0x81`, `irq:0x22`,
 * `loan:0x3`, `parcel:0x12`.
 */
export function numberedId(kind: "vm" | "irq" | "loan" | "parcel", number: number): string {
  return `${kind}:${hex(number)}`;
}

/** `rt/0`: a vCPU without its kind, as events have it. */
export function vcpuName(vm: string, index: number): string {
  return `${vm}/${index}`;
}

/** `vcpu:rt/0`, of its name. */
export function vcpuId(name: string): string {
  return `vcpu:${name}`;
}

/** `irq:rt/34`; of a private interrupt with its vCPU, if that is not the first: `irq:rt/27@1`. */
export function irqId(vm: string, intid: number, vcpu = 0): string {
  return `irq:${vm}/${intid}${intid < PRIVATE_END && vcpu > 0 ? `@${vcpu}` : ""}`;
}

/** `cap:rt/0x3`. */
export function capId(vm: string, slot: number | bigint): string {
  return `cap:${vm}/${hex(slot)}`;
}

/** `obj:41`, by the order of creation. */
export function objId(serial: number): string {
  return `obj:${serial}`;
}

/** `mq:7`, a message queue. */
export function mqId(serial: number): string {
  return `mq:${serial}`;
}

/** `db:3`, a doorbell. */
export function dbId(serial: number): string {
  return `db:${serial}`;
}

/** `pa:0x80000000`. */
export function paId(address: number | bigint): string {
  return `pa:${hex(address)}`;
}

/** `ipa:rt/0x80000000`. */
export function ipaId(vm: string, address: number | bigint): string {
  return `ipa:${vm}/${hex(address)}`;
}

/** `parcel:0x12`, by the handle. */
export function parcelId(handle: number): string {
  return numberedId("parcel", handle);
}

/** `ev:37`, `ev:hvc.1204`: of an event's name (`eventName`). */
export function evId(name: string | number): string {
  return `ev:${name}`;
}

/** `why:2`, a reason. */
export function whyId(number: number): string {
  return `why:${number}`;
}

/** `inject:1`, a rule of injected faults. */
export function injectId(number: number): string {
  return `inject:${number}`;
}

/** `rt/blk0`: a device without its kind, as rules for faults have it. */
export function devName(vm: string, device: string): string {
  return `${vm}/${device}`;
}

/** `dev:rt/blk0`. */
export function devId(vm: string, device: string): string {
  return `dev:${devName(vm, device)}`;
}

/**
 * The key that joins the operation of a request's sender to the one of the Resource Manager, by the
 * sender's VMID and the sequence number.
 */
export function requestKey(vmid: number, sequence: number): string {
  return `rpc:${vmid}:${hex(sequence)}`;
}
