// A producer of a virtual interrupt and its binding to a VIC (docs/spec/hypervisor.md §6.3).

import type { ObjectArchive } from "../archive/archive.ts";
import { Intid } from "./gic-registers.ts";
import { MAX_CPUS } from "../../hardware/memory-map.ts";
import type { HypervisorObject } from "../capabilities/object.ts";
import type { Vic } from "./vic.ts";
import type { LevelSource } from "./irq-bank.ts";
import type { VgicCpu } from "./vgic-cpu-interface.ts";
import { vcpuName } from "../../abi/ids.ts";

/** Binding of a source: shared vIRQs have no vCPU. */
interface Binding {
  readonly vic: Vic;
  readonly cpu: VgicCpu;
  readonly intid: number;
}

/**
 * Virtual time (ns) from an interrupt that is doubled to the second one: its handler has run by
 * then.
 */
const SECOND_AFTER = 100_000;

/** An object that raises virtual interrupts. */
interface VirqProducer extends HypervisorObject {
  virqSources(): readonly VirqSource[];
}

/** The sources by which an object raises virtual interrupts. */
export function virqSourcesOf(object: HypervisorObject): readonly VirqSource[] {
  return "virqSources" in object ? (object as VirqProducer).virqSources() : [];
}

/** One source. Asserting an unbound source has no effect. */
export class VirqSource implements LevelSource {
  #binding: Binding | undefined;
  /**
   * PPIs, as those of timers are, that the VM had taken when a rule of faults dropped a raise;
   * undefined if another one has come since, or the receiver has looked.
   */
  #lost: number | undefined;
  /** While a rule can drop raises: what the VM had taken when the receiver looked last. */
  #own = 0;
  #ppis = 0;
  /** `isAwaited`, while a rule can drop raises. */
  #isAwaited = false;

  /**
   * @param object whose source it is
   * @param what condition it stands for, for display: `not empty`
   * @param stillPending asked at the guest's EOI of a level interrupt: whether its condition still
   * holds
   * @param edgeOnly the source fixes its interrupt's mode to edge (the halt vIRQ)
   */
  constructor(
    readonly object: HypervisorObject,
    readonly what: string,
    readonly stillPending: () => boolean,
    readonly edgeOnly = false,
  ) {}

  /** The INTID it is bound to, or undefined. */
  get intid(): number | undefined {
    return this.#binding?.intid;
  }

  /**
   * The CPU interface whose private interrupt it is, or the one of vCPU 0 for shared ones;
   * undefined while it is unbound.
   */
  get cpu(): VgicCpu | undefined {
    return this.#binding?.cpu;
  }

  /** The VIC it is bound to, or undefined. */
  get vic(): Vic | undefined {
    return this.#binding?.vic;
  }

  /** Whether the guest has configured its interrupt as edge-triggered. */
  get isEdge(): boolean {
    return this.#binding !== undefined && this.#binding.vic.gic.isEdge(this.#binding.cpu, this.#binding.intid);
  }

  /** Whether a raise was dropped, none has come since, and the receiver has not looked. */
  get isLost(): boolean {
    return this.#lost !== undefined;
  }

  /** An interrupt of this source, and none of a timer, made the receiver look last. */
  get isAwaited(): boolean {
    return this.#isAwaited;
  }

  /**
   * A raise was dropped, and the receiver does not look by itself: an interrupt of this source made
   * it look last, or a timer has interrupted it since without making it look.
   */
  get isMissed(): boolean {
    if (this.#lost === undefined || !this.#binding) return false;
    return this.#isAwaited || this.#binding.vic.gic.ppisTaken > this.#lost;
  }

  /** Raises the line: seen as an edge or as a level, as the guest has configured it. */
  assertLevel(): void {
    if (!this.#binding || this.#goesWrong("raise")) return;
    this.#deliver("raise");
  }

  /** Gives a pulse, which only an edge-triggered interrupt sees. */
  assertEdge(): void {
    if (!this.#binding || this.#goesWrong("pulse")) return;
    this.#deliver("pulse");
  }

  #deliver(how: "raise" | "pulse"): void {
    const binding = this.#binding;
    // It may have been unbound since it was delayed.
    if (!binding) return;
    this.#lost = undefined;
    this.#trace(how);
    if (how === "raise") binding.vic.gic.assertLevel(binding.cpu, binding.intid);
    else binding.vic.gic.assertEdge(binding.cpu, binding.intid);
  }

  /**
   * Whether a fault rule applies to this interrupt: it is lost, or comes later. A doubled one comes
   * now and again later.
   */
  #goesWrong(how: "raise" | "pulse"): boolean {
    const { faults, names } = this.object.services;
    const binding = this.#binding;
    if (!faults.armed.virq || !binding) return false;
    const { vic, cpu, intid } = binding;
    const vm = names.vmOfVic(vic);
    const hit = faults.hit("virq", { vm, intid, vcpu: vcpuName(vm, cpu.index), source: names.object(this.object), why: this.what });
    if (!hit) return false;
    if (hit.effect.kind === "lose" && (how === "raise" || this.isEdge)) this.#lost ??= vic.gic.ppisTaken;
    // A level that has gone meanwhile is late for good.
    if (hit.effect.kind === "delay") faults.later(hit.effect.ns, () => (how === "pulse" || this.stillPending()) && this.#deliver(how));
    if (hit.effect.kind === "double") faults.later(SECOND_AFTER, () => this.#deliver(how));
    return hit.effect.kind !== "double";
  }

  /**
   * The guest has taken something from its source, or set it anew.
   * @param isNearer whether the line has come nearer to its fall, if it is not low by now
   */
  served(isNearer: boolean): void {
    this.#lost = undefined;
    if (!this.#binding) return;
    const { vic: { gic }, cpu, intid } = this.#binding;
    if (isNearer) gic.served(cpu, intid);
    if (!this.object.services.faults.armed.virq) return;
    const own = gic.bank(cpu, intid).taken[intid], ppis = gic.ppisTaken;
    // If both have come, either of them may have made it look.
    if ((own === this.#own) !== (ppis === this.#ppis)) this.#isAwaited = own !== this.#own;
    this.#own = own;
    this.#ppis = ppis;
  }

  /** Lowers the line. */
  clear(): void {
    this.#lost = undefined;
    if (this.#binding) this.#binding.vic.gic.lower(this.#binding.cpu, this.#binding.intid);
  }

  /** The binding and the evidence of losses, saved or loaded. */
  archive(name: string, archive: ObjectArchive): void {
    const place = archive.maybe(name, this.#binding, (binding) => {
      const vic = archive.object("vic", binding?.vic, "vic");
      const cpu = archive.integer("cpu", binding?.cpu.index, 0, MAX_CPUS - 1);
      const intid = archive.integer("intid", binding?.intid, Intid.SgiEnd, Intid.SpiEnd - 1);
      this.#lost = archive.maybe("lost", this.#lost, (ppis) => archive.integer("ppis", ppis));
      this.#own = archive.integer("own", this.#own);
      this.#ppis = archive.integer("ppis", this.#ppis);
      this.#isAwaited = archive.bool("awaited", this.#isAwaited);
      return { vic, cpu, intid };
    });
    // The VIC's interrupts are loaded by then, and with them the state of the line.
    if (place) archive.later(() => place.vic.rebind(archive, this, place.cpu, place.intid));
  }

  /** Called by the VIC. */
  bound(vic: Vic, cpu: VgicCpu, intid: number): void {
    this.#binding = { vic, cpu, intid };
    this.#touch(vic);
  }

  /** Ends the binding, if any; the line is low from then on. */
  unbind(): void {
    const binding = this.#binding;
    if (!binding) return;
    this.clear();
    this.#binding = undefined;
    binding.vic.unbound(this, binding.cpu, binding.intid);
    this.#touch(binding.vic);
  }

  #touch(vic: Vic): void {
    const { checker } = this.object.services;
    checker?.touch(this.object);
    checker?.touch(vic);
  }

  #trace(name: string): void {
    const { trace, names } = this.object.services;
    if (!this.#binding || !trace.isWanted("virq")) return;
    const { vic, cpu, intid } = this.#binding;
    const irq = names.irq(vic, intid);
    trace.event("virq", name, {
      irq,
      vcpu: intid < Intid.PrivateEnd ? cpu.index : undefined,
      source: names.object(this.object),
      why: this.what,
    });
  }
}
