// The whole hypervisor, with the machine below it, saved or loaded (docs/design/decisions.md §4).
// RAM is the caller's. Derived state is not saved: ready interrupts, deadlines, registries of
// objects. State for display alone (traces, reasons, last uses of capabilities) begins empty.

import { AddressSpace } from "./memory/addrspace.ts";
import type { ObjectArchive } from "./archive/archive.ts";
import { Checker } from "./check/check.ts";
import { describeViolation } from "./check/violation.ts";
import { Cspace } from "./capabilities/cspace.ts";
import { Doorbell } from "./ipc/doorbell.ts";
import { Hwirq } from "./gic/hwirq.ts";
import type { Hypervisor } from "./hypervisor.ts";
import { Memextent } from "./memory/memextent.ts";
import { Msgqueue } from "./ipc/msgqueue.ts";
import type { HypervisorObject } from "./capabilities/object.ts";
import { Partition } from "./memory/partition.ts";
import { Vcpu } from "./scheduling/vcpu.ts";
import { Vic } from "./gic/vic.ts";
import { VirtioMmio } from "./virtio/virtio-mmio.ts";
import { VpmGroup } from "./scheduling/vpm-group.ts";

/** The part of an object's state that its constructor needs. */
interface Header {
  readonly type: HypervisorObject["type"];
  readonly serial: number;
  readonly partition: number;
  /** Of a hardware interrupt. */
  readonly intid: number;
}

type Maker = (hypervisor: Hypervisor, partition: Partition, header: Header) => HypervisorObject;

/** How objects are made, by type; the order is the file's. */
const MAKERS = new Map<Header["type"], Maker>([
  ["cspace", (hypervisor, partition) => new Cspace(hypervisor, partition)],
  ["addrspace", (hypervisor, partition) => new AddressSpace(hypervisor, partition)],
  ["memextent", (hypervisor, partition) => new Memextent(hypervisor, partition)],
  ["thread", (hypervisor, partition) => new Vcpu(hypervisor, partition)],
  ["doorbell", (hypervisor, partition) => new Doorbell(hypervisor, partition)],
  ["msgqueue", (hypervisor, partition) => new Msgqueue(hypervisor, partition)],
  ["vic", (hypervisor, partition) => new Vic(hypervisor, partition)],
  ["vpm_group", (hypervisor, partition) => new VpmGroup(hypervisor, partition)],
  ["hwirq", (hypervisor, partition, { intid }) => new Hwirq(hypervisor, partition, intid)],
  ["virtio_mmio", (hypervisor, partition) => new VirtioMmio(hypervisor, partition)],
]);
const TYPES = [...MAKERS.keys()];
const INTID_END = 1020;

/**
 * Saves the hypervisor and its machine, or loads them into a hypervisor of the same plan that has
 * not run.
 * @throws ArchiveError that names the field which cannot be loaded. The hypervisor is of no use
 * then.
 */
export function archiveHypervisor(hypervisor: Hypervisor, archive: ObjectArchive): void {
  if (archive.loading) hypervisor.clear();
  archive.within("machine", () => hypervisor.machine.archive(archive));
  archiveState(hypervisor, archive, archiveObjects(hypervisor, archive));
}

/** The state of existing objects, and of the hypervisor's other parts. */
export function archiveState(hypervisor: Hypervisor, archive: ObjectArchive, objects: Iterable<HypervisorObject>): void {
  for (const object of objects) archive.within(label(object), () => object.archive(archive));
  for (const bank of hypervisor.flash) archive.within(bank.name, () => bank.archive(archive));
  archive.within("memory", () => hypervisor.memory.archive(archive, (serial) => ownerOf(archive, serial)));
  archive.within("scheduler", () => hypervisor.scheduler.archive(archive));
  archive.within("natives", () => hypervisor.natives.archive(archive));
  for (const object of objects) if (object instanceof Vcpu) archive.within(label(object), () => object.archiveNative(archive));
  const { geniezone } = hypervisor;
  if (geniezone) archive.within("geniezone", () => geniezone.archive(archive));
  archive.within("traceClasses", () => hypervisor.trace.classes.archive(archive));
  archive.within("random", () => hypervisor.random.archive(archive));
}

/** The checker knows the objects before a load, which are gone: it starts again. */
export function checkAnew(hypervisor: Hypervisor): void {
  if (hypervisor.checker) hypervisor.checker = new Checker(hypervisor);
}

/**
 * Whether what was loaded is a state that a hypervisor can be in: every invariant holds.
 * @returns the first that does not, in words
 */
export function violationOf(hypervisor: Hypervisor): string | undefined {
  for (const object of hypervisor.objects) {
    if (Array.from(object.holders).some((holder) => holder === undefined)) return `${object.name}: a place among its holders is empty`;
  }
  const [violation] = new Checker(hypervisor).sweep();
  return violation && describeViolation(violation);
}

/**
 * Every object, made before any has its state, so that they can name each other.
 */
function archiveObjects(hypervisor: Hypervisor, archive: ObjectArchive): HypervisorObject[] {
  const { privatePartition, rootPartition } = hypervisor;
  const partitions: readonly HypervisorObject[] = [privatePartition, rootPartition];
  for (const partition of partitions) archive.objects.set(partition.serial, partition);
  const others = [...hypervisor.objects].filter((object) => !partitions.includes(object));
  for (const object of others) archive.objects.set(object.serial, object);
  const made = archive.list("objects", others, (object) => {
    const header = archiveHeader(archive, object);
    return object ?? make(hypervisor, archive, header);
  });
  hypervisor.archiveSerial(archive);
  return [...partitions, ...made];
}

const label = (object: HypervisorObject) => `${object.type}#${object.serial}`;

function archiveHeader(archive: ObjectArchive, object: HypervisorObject | undefined): Header {
  return {
    type: archive.choice("type", object?.type, TYPES),
    serial: archive.integer("serial", object?.serial, 1),
    partition: archive.object("partition", object?.partition, "partition").serial,
    intid: archive.integer("intid", object && (object instanceof Hwirq ? object.intid : 0), 0, INTID_END - 1),
  };
}

function make(hypervisor: Hypervisor, archive: ObjectArchive, header: Header): HypervisorObject {
  const { type, serial, partition } = header;
  const last = [...archive.objects.keys()].at(-1) ?? 0;
  archive.check(serial > last, "objects are in the order of their numbers");
  archive.check(type === "hwirq" || header.intid === 0, "only hardware interrupts have a number");
  const room = type !== "thread" ||
    [...archive.objects.values()].filter((object) => object.type === "thread").length < hypervisor.vcpuLimit;
  archive.check(room, "there are no more vCPUs than contexts for them");
  const maker = MAKERS.get(type) ?? archive.fail("there is no such type of object");
  const object = hypervisor.numbered(serial, () => maker(hypervisor, archive.objects.get(partition) as Partition, header));
  archive.objects.set(serial, object);
  return object;
}

function ownerOf(archive: ObjectArchive, serial: number): Partition | Memextent | undefined {
  const object = archive.objects.get(serial);
  return object instanceof Partition || object instanceof Memextent ? object : undefined;
}
