// Uses of translations that an invalidation had missed. One that missed a CPU is evidence after a
// while: an interprocessor interrupt may make that CPU invalidate by itself until then. So is a use
// after a store to a descriptor, which an invalidation may follow. After the end of its VM neither
// comes.

import * as v from "valibot";
import type { DebugCore } from "../../../cpu/core/interface.ts";
import type { Vcpu } from "../../../machine/hypervisor/boot.ts";
import type { Machine } from "../../../machine/hardware/machine.ts";
import type { SavedPart } from "../../state/parts.ts";
import { SavedEvent } from "../../state/saved-event.ts";

/** Virtual time (ns) within which an interprocessor interrupt is taken. */
const PATIENCE = 10e6;

const SAVED = v.strictObject({ waits: v.optional(v.strictObject({ at: v.number(), order: v.number() })) });

/** Requirements on the system. */
interface UsingSystem {
  readonly machine: Machine;
  readonly vcpus: () => readonly Vcpu[];
  readonly core: Pick<DebugCore, "residency">;
  /** The use of a vCPU is evidence from now on. */
  readonly tell: (vcpu: Vcpu) => void;
}

export class StaleUses implements SavedPart {
  readonly name = "stale uses";
  readonly #event: SavedEvent;
  #waits = false;

  constructor(readonly system: UsingSystem) {
    this.#event = new SavedEvent(system.machine.events);
  }

  /** The core has kept a use of this vCPU. */
  kept(vcpu: Vcpu): void {
    const { registers } = vcpu, use = registers.staleUse, { time } = this.system.machine;
    if (!use || use.forGood) return this.system.tell(vcpu);
    registers.staleUse = { ...use, time: BigInt(Math.floor(time)) };
    if (!this.#waits) this.#wait(time + PATIENCE);
  }

  save() {
    return v.parse(SAVED, { waits: this.#waits ? this.#event.place : undefined });
  }

  restore(state: unknown): void {
    const { waits } = v.parse(SAVED, state);
    this.#waits = waits !== undefined;
    this.#event.load(waits, this.#waits, () => waits && this.#wait(waits.at));
  }

  #wait(until: number): void {
    this.#waits = true;
    this.#event.schedule(until, () => this.#judge());
  }

  /** A VM ends, whose vCPUs these are. */
  ends(vcpus: readonly Vcpu[]): void {
    for (const vcpu of vcpus) this.#settle(vcpu);
  }

  /** No invalidation comes any more, if none has come. */
  #settle(vcpu: Vcpu): void {
    const { registers } = vcpu, use = registers.staleUse;
    if (!use || use.forGood) return;
    const isAnswered = use.tlbi.missed === "store" && !this.system.core.residency.isUnanswered(registers);
    registers.staleUse = isAnswered ? undefined : { ...use, forGood: true };
    if (!isAnswered) this.system.tell(vcpu);
  }

  #judge(): void {
    const { machine, vcpus } = this.system;
    let next = Infinity;
    for (const vcpu of vcpus()) {
      const use = vcpu.registers.staleUse;
      if (!use || use.forGood) continue;
      const until = Number(use.time) + PATIENCE;
      if (until > machine.time) next = Math.min(next, until);
      else this.#settle(vcpu);
    }
    this.#waits = false;
    if (next < Infinity) this.#wait(next);
  }
}
