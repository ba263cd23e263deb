// The state of a whole system: hypervisor, native guests and parts as fields of an archive, RAM as
// pages.

import { ArchiveError, type FieldListener } from "../../machine/hardware/archive.ts";
import { archiveHypervisor, checkAnew, type Hypervisor, ObjectArchive, Vcpu, violationOf } from "../../machine/hypervisor/boot.ts";
import type { PageMap } from "./page-map.ts";
import { type EarlierPages, type LeftPages, putPages, takePages } from "./pages.ts";
import type { KeptOutside, SavedPart } from "./parts.ts";
import { PAGE_SIZE } from "../../kit/support/values/sizes.ts";

/** A system's state. */
export interface SystemState {
  /** Fields, as `archive.ts` encodes them. */
  readonly fields: Uint8Array;
  readonly pages: PageMap;
  /**
   * The content of the vCPUs' TLBs (cpu/core/memory/tlb-images.ts), which follows from the run and
   * not
   * from the rest of the state; undefined: they are empty.
   */
  readonly tlbs?: Uint8Array | undefined;
  /** Bytes of disks, which lie elsewhere in this thread. */
  readonly outside?: readonly KeptOutside[] | undefined;
}

/** A system with a state. */
interface Savable {
  readonly hypervisor: Hypervisor;
  readonly parts: readonly SavedPart[];
}

/**
 * Saves a system. `before`: an earlier state, with which it shares pages.
 * @throws UnsavableError
 */
export function saveSystem(system: Savable, before?: EarlierPages): SystemState {
  const archive = new ObjectArchive();
  archiveSystem(system, archive);
  const { hypervisor } = system, tlbs = hypervisor.core.residency?.tlbImage(registersOf(hypervisor));
  return { fields: archive.saved, pages: takePages(hypervisor.machine, before), tlbs };
}

/**
 * Loads a state into a system of the same plan that was just assembled without images (`assemble`).
 * The system is unusable if that fails.
 * @param trusted the state was saved by this process and need not be checked
 * @param loaded is called for each field of the state
 * @param left the content of RAM, unless that is all zero
 * @throws ArchiveError that names the defect of the state.
 */
export function loadSystem(
  system: Savable,
  { fields, pages, tlbs }: SystemState,
  trusted: boolean,
  loaded?: FieldListener,
  left?: LeftPages,
): void {
  const { machine } = system.hypervisor;
  const archive = new ObjectArchive(fields, loaded);
  archiveSystem(system, archive);
  for (const [page] of pages) {
    if (!machine.ram.contains(page * PAGE_SIZE, PAGE_SIZE)) {
      throw new ArchiveError(`page 0x${page.toString(16)} is not in this machine's RAM`);
    }
  }
  putPages(machine, pages, left);
  archive.finish();
  checkAnew(system.hypervisor);
  system.hypervisor.foreignPrograms = !trusted;
  const violation = trusted ? undefined : violationOf(system.hypervisor);
  if (violation !== undefined) throw new ArchiveError(violation);
  const { core } = system.hypervisor, defect = tlbs && core.residency?.setTlbImage(registersOf(system.hypervisor), tlbs, trusted);
  if (defect !== undefined) throw new ArchiveError(defect);
}

/** The registers of all vCPUs, in the order in which they were made. */
function registersOf({ objects }: Hypervisor) {
  return [...objects].flatMap((object) => object instanceof Vcpu ? object.registers : []);
}

function archiveSystem({ hypervisor, parts }: Savable, archive: ObjectArchive): void {
  archive.within("hypervisor", () => archiveHypervisor(hypervisor, archive));
  for (const part of parts) {
    const state = archive.plain(part.name, archive.loading ? undefined : part.save());
    if (archive.loading) archive.later(() => archive.takeUp(part.name, () => part.restore(state)));
  }
}
