// Virtual interrupt controllers: configuration, attachment of vCPUs and sources, register frames
// (docs/spec/hypervisor.md §4.5, §6.1, §6.3). The interrupts themselves are in vgic.ts.

import { ErrorCode } from "../../abi/errors.ts";
import { VdeviceFlags, VicOption } from "../../abi/words.ts";
import type { Machine } from "../../hardware/machine.ts";
import { MAX_CPUS } from "../../hardware/memory-map.ts";
import type { ObjectArchive } from "../archive/archive.ts";
import { type Heap, HypervisorObject } from "../capabilities/object.ts";
import type { ObjectOf } from "../capabilities/object-types.ts";
import type { AddressSpace } from "../memory/addrspace.ts";
import type { Services } from "../services/services.ts";
import { DEFAULT_MPIDR_MAPPING, type MpidrMapping } from "./affinity.ts";
import { Intid } from "./gic-registers.ts";
import { Irq } from "./irq-bank.ts";
import { LPI_BITS_MAX, LPI_BITS_MIN, LPI_FIRST } from "./its/its-registers.ts";
import type { ItsEvents } from "./its/its.ts";
import type { MsiSource } from "./msi-source.ts";
import { SpaceMemory, type TableMemory } from "./its/table-memory.ts";
import { Vgic } from "./vgic.ts";
import type { VgicCpu } from "./vgic-cpu-interface.ts";
import { VicFrames } from "./vic-frames.ts";
import type { VirqSource } from "./vic-source.ts";

declare module "../capabilities/object-types.ts" {
  interface ObjectTypes {
    vic: Vic;
  }
}

type Vcpu = ObjectOf<"thread">;

/** Requirements of VICs on the hypervisor. */
interface VicServices extends Services {
  readonly machine: Machine;
}

/** A physical PPI that is forwarded to the vCPUs of a VIC. */
interface ForwardedPpi {
  /** It goes to one more vCPU. */
  forwardTo(index: number): ErrorCode;
  /** The vCPU is gone. */
  withdrawFrom(index: number): void;
  unbind(): ErrorCode;
}

/** SPIs that a VIC can have. */
const MAXIMUM_VIRQS = Intid.SpiEnd - Intid.PrivateEnd;
/** Heap bytes of what an active VIC keeps of a vCPU, and of a shared vIRQ. */
const VCPU_STATE_SIZE = 2048;
const SOURCE_STATE_SIZE = 32;
/** LPIs that a VIC can have, and heap bytes of what it keeps of one for each vCPU. */
const MAXIMUM_MSIS = 2 ** LPI_BITS_MAX - LPI_FIRST;
const LPI_STATE_SIZE = 1;
/** MPIDR_EL1: bit 31 reads as one; U means a uniprocessor, MT that Aff0 is a thread. */
const MPIDR_RES1 = 1n << 31n;
const MPIDR_U = 1n << 30n;
const MPIDR_MT = 1n << 24n;

export class Vic extends HypervisorObject {
  static readonly SIZE = 2048;
  declare readonly services: VicServices;
  readonly type = "vic";
  #vcpus = 1;
  #virqs = 0;
  #msis = 0;
  #defaultAddress = true;
  #mapping = DEFAULT_MPIDR_MAPPING;
  #gic: Vgic | undefined;
  readonly #attached: (Vcpu | undefined)[] = [];
  readonly #sources = new Set<VirqSource>();
  readonly #msiSources = new Set<MsiSource>();
  /** Physical PPIs that are forwarded to its vCPUs. */
  readonly #ppis = new Set<ForwardedPpi>();
  readonly #frames = new VicFrames(this);

  constructor(services: VicServices, partition: Heap) {
    super(services, partition, Vic.SIZE);
  }

  /** The interrupts. The VIC is or was active. */
  get gic(): Vgic {
    if (!this.#gic) throw new Error(`${this.name} has not been activated`);
    return this.#gic;
  }

  /** vCPUs that can attach, and shared vIRQs that sources can be bound to. */
  get maxVcpus(): number {
    return this.#vcpus;
  }
  get maxVirqs(): number {
    return this.#virqs;
  }

  /** Sets the sizes, while in state INIT. */
  configure(vcpus: number, virqs: number, options: bigint, msis: number): ErrorCode {
    const invalid = (rule: string) => this.refuse(ErrorCode.ARGUMENT_INVALID, rule, { vcpus, virqs, options, msis });
    if (options & ~VicOption.Defined) return invalid("unknown options");
    if (vcpus === 0 || vcpus > MAX_CPUS) return invalid("1 to 8 vCPUs");
    if (virqs > MAXIMUM_VIRQS) return invalid("at most 988 shared vIRQs");
    const lpis = options & VicOption.MaxMsisValid ? msis : 0;
    if (lpis !== 0 && !this.services.hasLpis) return invalid("there are no message-signaled interrupts");
    if (lpis > MAXIMUM_MSIS) return invalid(`at most ${MAXIMUM_MSIS} message-signaled interrupts`);
    this.#vcpus = vcpus;
    this.#virqs = virqs;
    this.#msis = lpis;
    this.#defaultAddress = (options & VicOption.DisableDefaultAddress) === 0n;
    return ErrorCode.OK;
  }

  /** Sets how MPIDRs follow from indices, while in state INIT. `mask` is in MPIDR layout. */
  setMpidrMapping(mask: bigint, shift: readonly [number, number, number, number], mt: boolean): ErrorCode {
    const masks = [mask & 0xffn, mask >> 8n & 0xffn, mask >> 16n & 0xffn, mask >> 32n & 0xffn].map(Number) as [
      number,
      number,
      number,
      number,
    ];
    const invalid = (rule: string) => this.refuse(ErrorCode.ARGUMENT_INVALID, rule, { mask, shift });
    if (shift.some((one) => one >= 32)) return invalid("shifts are below 32");
    let union = 0n;
    for (let level = 0; level < 4; level++) {
      const field = BigInt(masks[level]) << BigInt(shift[level]);
      if (union & field) return invalid("the fields of the index overlap");
      union |= field;
    }
    if (union & union + 1n || union >= 0xffffn) return invalid("the index is not 2^k - 1 values without a gap");
    this.#mapping = { mask: masks, shift: [...shift], mt };
    return ErrorCode.OK;
  }

  /** MPIDR_EL1 of the vCPU with this index. */
  mpidr(index: number): bigint {
    const { mask, shift, mt } = this.#mapping;
    let affinity = 0n;
    for (let level = 0; level < 4; level++) {
      affinity |= BigInt(index >> shift[level] & mask[level]) << BigInt(level === 3 ? 32 : 8 * level);
    }
    const single = mask.every((one) => one === 0);
    return MPIDR_RES1 | affinity | (single ? MPIDR_U : 0n) | (mt ? MPIDR_MT : 0n);
  }

  /** Whether `index` can be a vCPU's. */
  hasIndex(index: number): boolean {
    return index < this.#vcpus;
  }

  /** A physical PPI is forwarded to every vCPU, or no more. */
  addPpi(hwirq: ForwardedPpi): void {
    this.#ppis.add(hwirq);
  }
  removePpi(hwirq: ForwardedPpi): void {
    this.#ppis.delete(hwirq);
  }

  /** Indices of the active vCPUs. */
  *indices(): Generator<number> {
    for (let index = 0; index < this.#vcpus; index++) if (this.#attached[index]) yield index;
  }

  /** The highest of them; -1 for none. */
  get lastIndex(): number {
    return this.#attached.findLastIndex((vcpu) => vcpu !== undefined);
  }

  /** A vCPU's activation takes its index; BUSY where another has it. */
  occupy(vcpu: Vcpu, index: number): ErrorCode {
    if (this.#attached[index]) {
      return this.refuse(ErrorCode.BUSY, "another vCPU has this index", { index, holder: this.#attached[index].name });
    }
    this.#attached[index] = vcpu;
    return ErrorCode.OK;
  }

  /** The vCPU is active: per-vCPU interrupts are forwarded to it, if it is pinned. */
  forwardPpis(vcpu: Vcpu, index: number): void {
    if (vcpu.settings.isPinned) { for (const hwirq of this.#ppis) hwirq.forwardTo(index); }
  }

  /** The vCPU is gone. */
  vacate(vcpu: Vcpu, index: number): void {
    if (this.#attached[index] !== vcpu) return;
    for (const hwirq of this.#ppis) hwirq.withdrawFrom(index);
    this.#attached[index] = undefined;
    this.#frames.vacate(index);
    this.gic.vacate(index);
  }

  /** Whether all active vCPUs are pinned. */
  everyVcpuPinned(): boolean {
    return this.#attached.every((vcpu) => vcpu === undefined || vcpu.settings.isPinned);
  }

  /** The active vCPU with this index. */
  vcpu(index: number): Vcpu | undefined {
    return this.#attached[index];
  }

  /** Binds a source to a shared vIRQ. */
  bindShared(source: VirqSource, virq: number): ErrorCode {
    if (source.intid !== undefined) return this.refuse(ErrorCode.VIRQ_BOUND, "the source is bound already", { virq: source.intid });
    if (virq < Intid.PrivateEnd || virq - Intid.PrivateEnd >= this.#virqs) {
      return this.refuse(ErrorCode.ARGUMENT_INVALID, "not a shared vIRQ of this VIC", { virq, limit: Intid.PrivateEnd + this.#virqs });
    }
    return this.#bind(source, this.gic.cpus[0], virq);
  }

  /** Binds a source to a PPI of one vCPU. */
  bindPrivate(source: VirqSource, index: number, virq: number): ErrorCode {
    if (source.intid !== undefined) return this.refuse(ErrorCode.VIRQ_BOUND, "the source is bound already", { virq: source.intid });
    if (virq < Intid.SgiEnd || virq >= Intid.PrivateEnd) return this.refuse(ErrorCode.ARGUMENT_INVALID, "not a PPI", { virq });
    return this.#bind(source, this.gic.cpus[index], virq);
  }

  /** Called by the source: it is no longer bound. */
  unbound(source: VirqSource, cpu: VgicCpu, intid: number): void {
    this.gic.bank(cpu, intid).sources.delete(intid);
    this.#sources.delete(source);
  }

  /**
   * Attaches a register frame to a free range of an address space. Bytes.
   * @param index 0 for the distributor, n + 1 for the redistributor of vCPU n, and after the last
   * of these the ITS, where the VIC has one
   */
  attachVdevice(addressSpace: AddressSpace, index: number, flags: bigint, ipa: number, size: number): ErrorCode {
    const isIts = index === this.#vcpus + 1 && this.#msis > 0;
    if (index > this.#vcpus && !isIts) return this.refuse(ErrorCode.ARGUMENT_INVALID, "no such frame", { index });
    const defined = index === 0 || isIts ? 0n : VdeviceFlags.Defined;
    if (flags & ~defined) return this.refuse(ErrorCode.ARGUMENT_INVALID, "unknown flags", { flags });
    if (index > 0 && !isIts && !this.#attached[index - 1]) return this.refuse(ErrorCode.IDLE, "no active vCPU has this index", { index });
    if (this.#frames.has(index)) return this.refuse(ErrorCode.BUSY, "the frame is attached already", { index });
    const last = flags & VdeviceFlags.LastValid ? (flags & VdeviceFlags.Last) !== 0n : index === this.#vcpus;
    this.#frames.attach(index, addressSpace, ipa, size, last);
    return ErrorCode.OK;
  }

  /** A vCPU's frames appear at the platform's own addresses, unless configured not to. */
  attachDefaultFrames(addressSpace: AddressSpace, index: number): void {
    if (this.#defaultAddress) this.#frames.attachDefaults(addressSpace, index);
  }

  /** Binds a source of messages to the VIC's ITS. */
  bindMsis(source: MsiSource): ErrorCode {
    if (source.vic) return this.refuse(ErrorCode.VIRQ_BOUND, "the source is bound already", { vic: source.vic.name });
    if (this.#msis === 0) return this.refuse(ErrorCode.DENIED, "the VIC has no message-signaled interrupts");
    this.#msiSources.add(source);
    source.bound(this);
    return ErrorCode.OK;
  }

  /** Called by the source: it is no longer bound. */
  unboundMsis(source: MsiSource): void {
    this.#msiSources.delete(source);
  }

  /** A source that is loaded is bound again. */
  rebindMsis(archive: ObjectArchive, source: MsiSource): void {
    archive.check(this.state === "active" && this.#msis > 0, "a source of messages is bound to a VIC with an ITS");
    this.#msiSources.add(source);
    source.bound(this);
  }

  tablesIn(addressSpace: AddressSpace): TableMemory {
    return new SpaceMemory(addressSpace, this.services.machine.ram);
  }

  /** Sources that are bound to it. */
  get sources(): ReadonlySet<VirqSource> {
    return this.#sources;
  }

  /** A source that is loaded is bound again; its line is in the state of the interrupt. */
  rebind(archive: ObjectArchive, source: VirqSource, index: number, intid: number): void {
    archive.check(this.state === "active" && index < this.#vcpus, "a source is bound to a VIC's interrupt");
    const cpu = this.gic.cpus[index], { sources } = this.gic.bank(cpu, intid);
    const shared = intid < Intid.PrivateEnd || index === 0 && intid - Intid.PrivateEnd < this.#virqs;
    archive.check(shared && !sources.has(intid), "an interrupt of a VIC has one source");
    sources.set(intid, source);
    this.#sources.add(source);
    source.bound(this, cpu, intid);
  }

  protected archiveFields(archive: ObjectArchive): void {
    this.#vcpus = archive.integer("vcpus", this.#vcpus, 1, MAX_CPUS);
    this.#virqs = archive.integer("virqs", this.#virqs, 0, MAXIMUM_VIRQS);
    this.#msis = archive.integer("msis", this.#msis, 0, this.services.hasLpis ? MAXIMUM_MSIS : 0);
    this.#defaultAddress = archive.bool("defaultAddress", this.#defaultAddress);
    this.#mapping = archive.within("mapping", () => archiveMapping(archive, this.#mapping));
    this.#gic = archive.maybe("gic", this.#gic, (gic) => {
      const result = gic ?? this.#createGic();
      result.archive(archive);
      return result;
    });
    archive.check((this.#gic !== undefined) === (this.state === "active"), "an active VIC has interrupts");
    archive.within("frames", () => this.#frames.archive(archive));
  }

  protected onActivate(): ErrorCode {
    const lpis = this.#vcpus * this.#msis * LPI_STATE_SIZE;
    const tables = this.charge(this.#vcpus * VCPU_STATE_SIZE + this.#virqs * SOURCE_STATE_SIZE + lpis);
    if (tables !== ErrorCode.OK) return tables;
    this.#gic = this.#createGic();
    return ErrorCode.OK;
  }

  protected onDestroy(): void {
    for (const hwirq of [...this.#ppis]) hwirq.unbind();
    for (const source of [...this.#sources]) source.unbind();
    for (const source of [...this.#msiSources]) source.unbind();
    this.#frames.release();
  }

  /** The interrupts, as configured. */
  #createGic(): Vgic {
    const bits = this.#msis === 0 ? 0 : Math.max(LPI_BITS_MIN, Math.ceil(Math.log2(LPI_FIRST + this.#msis)));
    const gic = new Vgic(this.#vcpus, (index) => this.#attached[index] !== undefined, this.#mapping, bits);
    gic.its?.report(this.#itsEvents());
    return gic;
  }

  #itsEvents(): ItsEvents {
    const { trace, names } = this.services;
    return {
      get wanted() {
        return trace.isWanted("virq");
      },
      command: (name, fields, error) => {
        const irq = fields.intid === undefined ? undefined : names.irq(this, fields.intid);
        trace.event("virq", `ITS ${name}`, { vic: this.name, ...fields, irq, error });
      },
    };
  }

  #bind(source: VirqSource, cpu: VgicCpu, intid: number): ErrorCode {
    const { sources } = this.gic.bank(cpu, intid);
    if (sources.has(intid)) return this.refuse(ErrorCode.BUSY, "another source has this vIRQ", { virq: intid });
    sources.set(intid, source);
    this.#sources.add(source);
    source.bound(this, cpu, intid);
    if (source.edgeOnly) this.gic.update(cpu, intid, Irq.Edge, 0);
    return ErrorCode.OK;
  }
}

function archiveMapping(archive: ObjectArchive, { mask, shift, mt }: MpidrMapping): MpidrMapping {
  const levels = (name: string, values: readonly number[], max: number) => {
    const [a0, a1, a2, a3] = values.map((value, level) => archive.integer(`${name}${level}`, value, 0, max));
    return [a0, a1, a2, a3] as const;
  };
  return { mask: levels("mask", mask, 0xff), shift: levels("shift", shift, 31), mt: archive.bool("mt", mt) };
}
