// The run queue of a physical CPU: first in, first out, for each of 64 ranks: a vCPU's priority
// most often (docs/spec/hypervisor.md §5.1).

import type { ObjectArchive } from "../archive/archive.ts";
import type { Vcpu } from "./vcpu.ts";
import { PRIORITY_END } from "./vcpu-settings.ts";

/** vCPUs that wait for one physical CPU. The one that runs is not in it. */
export class RunQueue {
  readonly #queues: Vcpu[][] = Array.from({ length: PRIORITY_END }, () => []);
  #size = 0;

  /** Queues a vCPU after the others of its rank, or before them. */
  add(vcpu: Vcpu, where: "head" | "tail"): void {
    const queue = this.#queues[vcpu.rank];
    if (where === "head") queue.unshift(vcpu);
    else queue.push(vcpu);
    vcpu.turn.enterQueue();
    this.#size++;
  }

  /** Takes a vCPU out; it is in this queue. */
  remove(vcpu: Vcpu): void {
    const queue = this.#queues[vcpu.rank];
    queue.splice(queue.indexOf(vcpu), 1);
    vcpu.turn.leaveQueue();
    this.#size--;
  }

  /** The waiting vCPUs in order, saved or loaded. */
  archive(archive: ObjectArchive): void {
    const waiting = archive.list("waiting", this.#queues.flat(), (vcpu) => archive.object("vcpu", vcpu, "thread"));
    if (!archive.loading) return;
    for (const queue of this.#queues) queue.length = 0;
    this.#size = 0;
    for (const [index, vcpu] of waiting.entries()) {
      archive.check(index === 0 || waiting[index - 1].rank <= vcpu.rank, "queues are in the order of their ranks");
      this.add(vcpu, "tail");
    }
  }

  /** How often a vCPU is in the queue. */
  count(vcpu: Vcpu): number {
    return this.#queues.reduce((sum, queue) => sum + queue.filter((one) => one === vcpu).length, 0);
  }

  /** The first vCPU of the highest rank; it stays. */
  get best(): Vcpu | undefined {
    if (this.#size === 0) return undefined;
    for (let priority = PRIORITY_END - 1; priority >= 0; priority--) {
      if (this.#queues[priority].length > 0) return this.#queues[priority][0];
    }
    return undefined;
  }
}
