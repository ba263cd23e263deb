// A producer of a virtual interrupt and its binding to a VIC (spec/hypervisor.md section 6.3).

import type { Vic } from "./vic.ts";
import type { LevelSource } from "./vgic.ts";
import type { VgicCpu } from "./vgic-cpu-interface.ts";

/** Where a source is bound: shared vIRQs have no vCPU of their own. */
interface Binding {
  readonly vic: Vic;
  readonly cpu: VgicCpu;
  readonly intid: number;
}

/** One source. An unbound one may be asserted; nothing comes of it. */
export class VirqSource implements LevelSource {
  #binding: Binding | undefined;

  /**
   * @param stillPending asked at the guest's EOI of a level interrupt: whether its condition holds on
   * @param edgeOnly the source fixes its interrupt's mode to edge (the halt vIRQ)
   */
  constructor(readonly stillPending: () => boolean, readonly edgeOnly = false) {}

  /** The INTID it is bound to, or undefined. */
  get intid(): number | undefined {
    return this.#binding?.intid;
  }

  /** The VIC it is bound to, or undefined. */
  get vic(): Vic | undefined {
    return this.#binding?.vic;
  }

  /** Raises the line: seen as an edge or as a level, as the guest has configured it. */
  assertLevel(): void {
    if (this.#binding) this.#binding.vic.gic.assertLevel(this.#binding.cpu, this.#binding.intid);
  }

  /** Gives a pulse, which only an edge-triggered interrupt sees. */
  assertEdge(): void {
    if (this.#binding) this.#binding.vic.gic.assertEdge(this.#binding.cpu, this.#binding.intid);
  }

  /** Lowers the line. */
  clear(): void {
    if (this.#binding) this.#binding.vic.gic.lower(this.#binding.cpu, this.#binding.intid);
  }

  /** Called by the VIC. */
  bound(vic: Vic, cpu: VgicCpu, intid: number): void {
    this.#binding = { vic, cpu, intid };
  }

  /** Ends the binding, if there is one; the line is low from then on. */
  unbind(): void {
    const binding = this.#binding;
    if (!binding) return;
    this.clear();
    this.#binding = undefined;
    binding.vic.unbound(this, binding.cpu, binding.intid);
  }
}
