// The state of the hypervisor as plain data, made by its archive: two dumps are equal exactly if no
// field that is saved has changed in between. Guests' registers are in it; the contents of RAM are
// not.

import { ObjectArchive } from "../../../src/machine/hypervisor/archive/archive.ts";
import type { Hypervisor } from "../../../src/machine/hypervisor/hypervisor.ts";
import { archiveState } from "../../../src/machine/hypervisor/hypervisor-archive.ts";

/** Value of a field. Objects are their serial numbers, choices their indices. */
export type DumpValue = number | bigint | Uint8Array;

/** Fields by their path in the archive. */
export type Dump = Readonly<Record<string, DumpValue>>;

/** The fields that an archive of something has. */
export function dumpFields(save: (archive: ObjectArchive) => void): Dump {
  const fields: Record<string, DumpValue> = {};
  save(
    new ObjectArchive(undefined, (path, value) => {
      fields[path] = value instanceof Uint8Array ? value.slice() : value;
    }),
  );
  return fields;
}

/**
 * All state of the hypervisor: each object under its name (`vic#12`), and `memory`, `scheduler` and
 * its other parts. Unused page tables are not archived; they are under `machine`, with whether the
 * machine has stopped.
 */
export function dumpHypervisor(hypervisor: Hypervisor): Readonly<Record<string, Dump>> {
  const { options: { stage2 }, machine } = hypervisor;
  const parts: Record<string, Record<string, DumpValue>> = {
    machine: { stage2Tables: stage2.available, stopped: Number(machine.stopReason !== undefined) },
  };
  const fields = dumpFields((archive) => {
    for (const object of hypervisor.objects) archive.objects.set(object.serial, object);
    archiveState(hypervisor, archive, hypervisor.objects);
  });
  for (const [path, value] of Object.entries(fields)) {
    const dot = path.indexOf(".");
    (parts[path.slice(0, dot)] ??= {})[path.slice(dot + 1)] = value;
  }
  return parts;
}
