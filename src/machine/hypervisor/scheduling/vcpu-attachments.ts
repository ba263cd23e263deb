// Attachments of a vCPU, from before its activation until its end (docs/spec/hypervisor.md §3.6):
// its cspace and address space, and its places in a VIC and in a VPM group.

import { MAX_CPUS } from "../../hardware/memory-map.ts";
import type { ObjectArchive } from "../archive/archive.ts";
import type { Cspace } from "../capabilities/cspace.ts";
import type { HypervisorObject } from "../capabilities/object.ts";
import type { Vic } from "../gic/vic.ts";
import type { AddressSpace } from "../memory/addrspace.ts";
import type { VpmGroup } from "./vpm-group.ts";

/** The attachments of one vCPU; each holds a reference, and replaces an earlier one. */
export class VcpuAttachments {
  #cspace: Cspace | undefined;
  #addressSpace: AddressSpace | undefined;
  #vic: Vic | undefined;
  #index = 0;
  #vpmGroup: VpmGroup | undefined;
  #vpmIndex = 0;

  get cspace(): Cspace | undefined {
    return this.#cspace;
  }

  get addressSpace(): AddressSpace | undefined {
    return this.#addressSpace;
  }

  get vic(): Vic | undefined {
    return this.#vic;
  }

  /** VIC index, and index of the vCPU in its VM. */
  get index(): number {
    return this.#index;
  }

  get vpmGroup(): VpmGroup | undefined {
    return this.#vpmGroup;
  }

  get vpmIndex(): number {
    return this.#vpmIndex;
  }

  attachCspace(cspace: Cspace): void {
    cspace.retain();
    this.#cspace?.release();
    this.#cspace = cspace;
  }

  /** The address space counts its threads, and has counted this one. */
  attachAddressSpace(addressSpace: AddressSpace): void {
    this.#addressSpace?.detachThread();
    this.#addressSpace = addressSpace;
  }

  attachVic(vic: Vic, index: number): void {
    vic.retain();
    this.#vic?.release();
    this.#vic = vic;
    this.#index = index;
  }

  attachVpmGroup(group: VpmGroup, index: number): void {
    group.retain();
    this.#vpmGroup?.release();
    this.#vpmGroup = group;
    this.#vpmIndex = index;
  }

  held(): HypervisorObject[] {
    return [this.#cspace, this.#addressSpace, this.#vic, this.#vpmGroup].filter((object) => object !== undefined);
  }

  /** The vCPU is gone: all are let go. */
  release(): void {
    this.#vic?.release();
    this.#vpmGroup?.release();
    this.#addressSpace?.detachThread();
    this.#cspace?.release();
  }

  archive(archive: ObjectArchive): void {
    this.#index = archive.integer("index", this.#index, 0, MAX_CPUS - 1);
    this.#vpmIndex = archive.integer("vpmIndex", this.#vpmIndex, 0, MAX_CPUS - 1);
    this.#cspace = archive.objectOrNone("cspace", this.#cspace, "cspace");
    this.#addressSpace = archive.objectOrNone("addressSpace", this.#addressSpace, "addrspace");
    this.#vic = archive.objectOrNone("vic", this.#vic, "vic");
    this.#vpmGroup = archive.objectOrNone("vpmGroup", this.#vpmGroup, "vpm_group");
  }
}
