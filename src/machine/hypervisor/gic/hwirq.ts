// Hardware interrupts: one object for each physical PPI and SPI, forwarded to a vIRQ
// (docs/spec/hypervisor.md §4.5, §6.3).

import { ErrorCode } from "../../abi/errors.ts";
import { MAX_CPUS } from "../../hardware/memory-map.ts";
import type { ObjectArchive } from "../archive/archive.ts";
import { type Heap, HypervisorObject } from "../capabilities/object.ts";
import type { Services } from "../services/services.ts";
import { Intid } from "./gic-registers.ts";
import type { Vic } from "./vic.ts";
import { VirqSource } from "./vic-source.ts";

declare module "../capabilities/object-types.ts" {
  interface ObjectTypes {
    hwirq: Hwirq;
  }
}

/** Requirements of hardware interrupts on the hypervisor. */
export interface HwirqServices extends Services {
  /** Physical interrupts that guests can have, by INTID. */
  readonly hwirqs: Map<number, Hwirq>;
}

/**
 * A PPI's forwarding: the virtual PPI, and a source for each vCPU of the VIC, by index. The vCPUs
 * are pinned, each to the physical CPU of its index.
 */
interface Forwarding {
  readonly vic: Vic;
  readonly virq: number;
  readonly sources: Map<number, VirqSource>;
}

/** A hardware interrupt. Created at boot only, and active from then on. */
export class Hwirq extends HypervisorObject {
  static readonly SIZE = 128;
  declare readonly services: HwirqServices;
  readonly type = "hwirq";
  /** Level of the physical line. */
  #level = false;
  /** An SPI's forwarding. */
  readonly #source = new VirqSource(this, "line", () => this.#level);
  #ppi: Forwarding | undefined;

  /** @param intid physical INTID, 16..1019 */
  constructor(services: HwirqServices, partition: Heap, readonly intid: number) {
    super(services, partition, Hwirq.SIZE);
    this.beginActive();
  }

  /** The vIRQ that it is forwarded to, or undefined. */
  get virq(): number | undefined {
    return this.#ppi?.virq ?? this.#source.intid;
  }

  /** The physical line changed. */
  setLevel(level: boolean): void {
    this.#level = level;
    if (level) this.#source.assertLevel();
    else this.#source.clear();
  }

  /** A pulse of the line that a PPI has at a physical CPU. */
  pulse(cpu: number): void {
    this.#ppi?.sources.get(cpu)?.assertEdge();
  }

  /** Forwards it to `virq` of `vic`. A PPI is bound for every vCPU of the VIC, now and later. */
  bind(vic: Vic, virq: number): ErrorCode {
    if (this.intid >= Intid.PrivateEnd) {
      const error = vic.bindShared(this.#source, virq);
      if (error === ErrorCode.OK && this.#level) this.#source.assertLevel();
      return error;
    }
    if (this.#ppi) return this.refuse(ErrorCode.DENIED, "the PPI is forwarded already", { virq: this.#ppi.virq });
    if (virq < Intid.SgiEnd || virq >= Intid.PrivateEnd) {
      return this.refuse(ErrorCode.ARGUMENT_INVALID, "a PPI is forwarded to a PPI", { virq });
    }
    if (!vic.everyVcpuPinned()) return this.refuse(ErrorCode.DENIED, "PPIs go to pinned vCPUs only", { vic: vic.name });
    this.#ppi = { vic, virq, sources: new Map() };
    for (const index of vic.indices()) {
      const error = this.forwardTo(index);
      if (error === ErrorCode.OK) continue;
      this.unbind();
      return error;
    }
    vic.addPpi(this);
    return ErrorCode.OK;
  }

  /** The PPI comes to one more vCPU of its VIC. BUSY where that has something else there. */
  forwardTo(index: number): ErrorCode {
    const { vic, virq, sources } = this.#forwarding();
    const source = new VirqSource(this, "line", () => this.#level);
    const error = vic.bindPrivate(source, index, virq);
    if (error === ErrorCode.OK) sources.set(index, source);
    return error;
  }

  /** The vCPU is gone. */
  withdrawFrom(index: number): void {
    const { sources } = this.#forwarding();
    sources.get(index)?.unbind();
    sources.delete(index);
  }

  #forwarding(): Forwarding {
    if (!this.#ppi) throw new Error(`${this.name} is not forwarded`);
    return this.#ppi;
  }

  unbind(): ErrorCode {
    if (this.intid < Intid.PrivateEnd) this.#unbindPpi();
    else if (this.#source.intid === undefined) return this.refuse(ErrorCode.VIRQ_NOT_BOUND, "the interrupt is not forwarded");
    else this.#source.unbind();
    return ErrorCode.OK;
  }

  virqSources(): VirqSource[] {
    return [this.#source, ...this.#ppi?.sources.values() ?? []];
  }

  protected archiveFields(archive: ObjectArchive): void {
    this.#level = archive.bool("level", this.#level);
    this.#source.archive("source", archive);
    const ppi = archive.maybe("ppi", this.#ppi, (forwarding) => ({
      vic: archive.object("vic", forwarding?.vic, "vic"),
      virq: archive.integer("virq", forwarding?.virq, Intid.SgiEnd, Intid.PrivateEnd - 1),
      sources: this.#archiveSources(archive, forwarding?.sources ?? []),
    }));
    if (!archive.loading) return;
    archive.check(!this.services.hwirqs.has(this.intid), "a physical interrupt is one object");
    this.services.hwirqs.set(this.intid, this);
    this.#ppi = ppi;
    ppi?.vic.addPpi(this);
  }

  #archiveSources(archive: ObjectArchive, sources: Iterable<[number, VirqSource]>): Map<number, VirqSource> {
    const entries = archive.list("sources", sources, (entry): [number, VirqSource] => {
      const index = archive.integer("index", entry?.[0], 0, MAX_CPUS - 1);
      const source = entry?.[1] ?? new VirqSource(this, "line", () => this.#level);
      source.archive("source", archive);
      return [index, source];
    }, MAX_CPUS);
    const loaded = new Map(entries);
    archive.check(loaded.size === entries.length, "a vCPU has one source");
    return loaded;
  }

  protected onActivate(): ErrorCode {
    return this.refuse(ErrorCode.OBJECT_STATE, "hardware interrupts are active from the start");
  }

  #unbindPpi(): void {
    if (!this.#ppi) return;
    for (const source of this.#ppi.sources.values()) source.unbind();
    this.#ppi.vic.removePpi(this);
    this.#ppi = undefined;
  }

  protected onDestroy(): void {
    this.#source.unbind();
    this.#unbindPpi();
    this.services.hwirqs.delete(this.intid);
  }
}
