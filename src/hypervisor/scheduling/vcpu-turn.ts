// What the scheduler notes of a vCPU: its slice, its place in the queue, and who runs in whose
// place (docs/spec/hypervisor.md §5.1 to §5.5).

import type { ObjectArchive } from "../archive/archive.ts";
import type { ObjectOf } from "../capabilities/object-types.ts";
import { DEFAULT_TIMESLICE } from "./vcpu-settings.ts";

type Vcpu = ObjectOf<"thread">;

/** The turn of one vCPU. */
export class VcpuTurn {
  /** What is left of its timeslice, ns. */
  sliceLeft = DEFAULT_TIMESLICE;
  /** Whether it waits in a run queue. */
  queued = false;
  /** The vCPU that runs in its place (directed yield, vcpu_run), and whose place it runs in. */
  yieldTo: Vcpu | undefined;
  donor: Vcpu | undefined;
  /** Whether the yield in progress is a vcpu_run, which has results. */
  insideRun = false;

  /** Saved or loaded. */
  archive(archive: ObjectArchive): void {
    this.sliceLeft = archive.float("sliceLeft", this.sliceLeft);
    this.queued = archive.bool("queued", this.queued);
    this.yieldTo = archive.objectOrNone("yieldTo", this.yieldTo, "thread");
    this.donor = archive.objectOrNone("donor", this.donor, "thread");
    this.insideRun = archive.bool("insideRun", this.insideRun);
  }
}
