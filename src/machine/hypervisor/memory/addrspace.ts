// Address spaces: a VM's stage 2, its info area, its virtual devices and the ranges that its VMM
// emulates (docs/spec/hypervisor.md §4.6, §4.7).

import { asIpa, asPa, type Ipa, type Pa } from "../../abi/numbers.ts";
import { Access, ExtentMemoryType, ExtentType, VmmioOperation } from "../../abi/words.ts";
import { ErrorCode } from "../../abi/errors.ts";
import { type Core, type MappedRun, Stage2Flags, type Stage2Table } from "../../../cpu/core/interface.ts";
import type { Machine } from "../../hardware/machine.ts";
import { MAX_CPUS, PHYSICAL_END } from "../../hardware/memory-map.ts";
import type { ObjectArchive } from "../archive/archive.ts";
import { type Heap, HypervisorObject } from "../capabilities/object.ts";
import type { ObjectOf } from "../capabilities/object-types.ts";
import type { Behaviour } from "../services/behaviour.ts";
import type { Services } from "../services/services.ts";
import { InfoArea } from "./info-area.ts";
import { KeptBlocks } from "./kept-blocks.ts";
import type { MemoryDatabase } from "./memdb.ts";
import type { Memextent } from "./memextent.ts";
import type { PageTables } from "./page-tables.ts";
import { ALL_STAGE2_FLAGS, continues, stage2Flags, TABLE_REACH, tablesOf } from "./stage2.ts";
import { GiB, KiB, PAGE_SIZE } from "../../../kit/support/values/sizes.ts";
import { ipaId, paId } from "../../abi/ids.ts";

declare module "../capabilities/object-types.ts" {
  interface ObjectTypes {
    addrspace: AddressSpace;
  }
  interface EveryService extends MemoryServices {}
}

/** Requirements of the memory objects on the hypervisor. */
export interface MemoryServices extends Services {
  readonly machine: Machine;
  readonly core: Core;
  readonly behaviour: Behaviour;
  /** The owners of pages. */
  readonly memory: MemoryDatabase;
  /** The partition of the hypervisor's own pages. */
  readonly privatePartition: ObjectOf<"partition">;
  readonly pageTables: PageTables;
  /** IPAs are below this (PLATFORM_VM_ADDRESS_SPACE_BITS). */
  readonly addressSpaceSize: number;
  /** Active address spaces by VMID. */
  readonly addressSpaces: Map<number, AddressSpace>;
  /** Called with an address space that becomes active, for the platform's own devices in it. */
  onAddressSpace(space: AddressSpace): void;
}

/** VMIDs are 1..255; 255 is the root VM's. */
const VMID_END = 256;
const VMMIO_RANGES = 128;
const RANGE_OPERATIONS: ReadonlySet<number> = new Set(Object.values(VmmioOperation));
/**
 * Heap bytes of a page table. The table itself is in the machine's pool, where the core walks it.
 */
const TABLE_SIZE = 16 * KiB;

/** The 32 interrupts whose pending or active state a word of a GIC shows. */
export interface ToldInterrupts {
  /** Index of the vCPU whose private interrupts they are, if they are private. */
  readonly owner: number;
  readonly first: number;
  readonly what: "pending" | "active";
}

/** A device that answers a VM's accesses instead of memory: a GIC frame. */
export interface VirtualDevice {
  readonly name: string;
  /** A load of 1, 2, 4 or 8 bytes at a byte offset; undefined is a synchronous external abort. */
  read(vcpu: ObjectOf<"thread">, offset: number, size: number): bigint | undefined;
  /**
   * `read` of 4 bytes as an unsigned number, where the device has that; undefined if `read` has
   * to answer.
   */
  readWord?(vcpu: ObjectOf<"thread">, offset: number): number | undefined;
  /**
   * Whether `readWord` of this offset changes nothing, and gives the same until a vCPU leaves to
   * EL2 for something else; absent: never.
   */
  isSteady?(offset: number): boolean;
  /**
   * The interrupts whose pending or active state the word at this offset shows; undefined for
   * other words. `readWord` gives the word.
   */
  interruptsAt?(vcpu: ObjectOf<"thread">, offset: number): ToldInterrupts | undefined;
  /** A store; false is a synchronous external abort. */
  write(vcpu: ObjectOf<"thread">, offset: number, size: number, value: bigint): boolean;
  /** The address space is destroyed. */
  detach?(): void;
}

/** A virtual device at its place. Bytes. */
export interface PlacedDevice {
  readonly ipa: number;
  readonly size: number;
  readonly device: VirtualDevice;
}

/**
 * A range whose accesses leave vcpu_run: IPAs of its first byte, and of the byte after its last.
 */
interface VmmioRange {
  readonly base: number;
  readonly end: number;
  /** Missing pages are page faults there; otherwise the VMM emulates its accesses. */
  readonly paged: boolean;
}

export class AddressSpace extends HypervisorObject {
  static readonly SIZE = 1024;
  declare readonly services: MemoryServices;
  readonly type = "addrspace";
  #vmid = 0;
  readonly devices: PlacedDevice[] = [];
  readonly vmmioRanges: VmmioRange[] = [];
  #threads = 0;
  #stage2: Stage2Table | undefined;
  #infoArea: InfoArea<Memextent> | undefined;
  /** Extents with recorded mappings in this address space. */
  readonly #extents = new Set<Memextent>();
  /**
   * How many recorded mappings reach into each part of the address space that one page table maps:
   * those that are paid for.
   */
  readonly #tables = new Map<number, number>();
  /** Only with the quirks of the recorded build; their page tables are paid for to the end. */
  readonly #blocks: KeptBlocks | undefined;

  constructor(services: MemoryServices, partition: Heap) {
    super(services, partition, AddressSpace.SIZE);
    if (services.hasQuirks) this.#blocks = new KeptBlocks();
  }

  /** 0 until configured. */
  get vmid(): number {
    return this.#vmid;
  }

  /** Attached threads, whether they are active or not. */
  get threads(): number {
    return this.#threads;
  }

  /** The page tables. The address space is or was active. */
  get stage2(): Stage2Table {
    if (!this.#stage2) throw new Error(`${this.name} has no page tables`);
    return this.#stage2;
  }

  get infoArea(): InfoArea<Memextent> | undefined {
    return this.#infoArea;
  }

  /** Sets the VMID, while in state INIT. */
  configure(vmid: number): ErrorCode {
    if (vmid === 0 || vmid >= VMID_END) return this.refuse(ErrorCode.ARGUMENT_INVALID, "VMIDs are 1 to 255", { vmid });
    this.#vmid = vmid;
    return ErrorCode.OK;
  }

  /** Sets the extent that is the info area and its IPA, while in state INIT. */
  configureInfoArea(extent: Memextent, ipa: bigint): ErrorCode {
    const values = { extent: extent.name, ipa };
    if (extent.extentSize > PAGE_SIZE) return this.refuse(ErrorCode.ARGUMENT_INVALID, "an info area is one page", values);
    if (ipa % BigInt(PAGE_SIZE) !== 0n || ipa >= BigInt(this.services.addressSpaceSize)) {
      return this.refuse(ErrorCode.ADDR_INVALID, "an info area lies at a page of the address space", values);
    }
    const fits = extent.kind === ExtentType.Basic && extent.memoryType === ExtentMemoryType.Any &&
      (extent.access & Access.RW) === Access.RW;
    if (!fits) {
      return this.refuse(ErrorCode.ARGUMENT_INVALID, "an info area is a BASIC extent, readable and writable, of any memory type", values);
    }
    extent.attach();
    this.#infoArea?.extent.detach();
    this.#infoArea = new InfoArea(extent, Number(ipa));
    return ErrorCode.OK;
  }

  /** Makes `vcpu` run in this address space. NOMEM beyond as many threads as there can be CPUs. */
  attachThread(vcpu: ObjectOf<"thread">): ErrorCode {
    if (this.#threads >= MAX_CPUS) {
      return this.refuse(ErrorCode.NOMEM, "as many threads are attached as there can be CPUs", { limit: MAX_CPUS });
    }
    this.retain();
    this.#threads++;
    vcpu.attachments.attachAddressSpace(this);
    return ErrorCode.OK;
  }

  /** A thread that was attached is gone or attached elsewhere. */
  detachThread(): void {
    this.#threads--;
    this.release();
  }

  /** Adds or removes a range that the VMM emulates, or a private one that it fills with pages. */
  configureVmmio(base: bigint, size: bigint, operation: number): ErrorCode {
    const values = { base, size };
    if (!RANGE_OPERATIONS.has(operation)) {
      return this.refuse(ErrorCode.UNIMPLEMENTED, "ranges are added or removed", { operation });
    }
    const paged = operation === VmmioOperation.AddPrivate || operation === VmmioOperation.RemovePrivate;
    if (size === 0n) return this.refuse(ErrorCode.ARGUMENT_SIZE, "a range has a size", values);
    if (base + size > 1n << 64n) return this.refuse(ErrorCode.ADDR_OVERFLOW, "the range wraps", values);
    if (base + size > BigInt(this.services.addressSpaceSize)) {
      return this.refuse(ErrorCode.ARGUMENT_SIZE, "the range leaves the address space", values);
    }
    const made = { base: Number(base), end: Number(base + size), paged };
    if (operation === VmmioOperation.Remove || operation === VmmioOperation.RemovePrivate) {
      const index = this.vmmioRanges.findIndex((range) => range.base === made.base && range.end === made.end && range.paged === paged);
      if (index < 0) return this.refuse(ErrorCode.BUSY, "no range is exactly this one", values);
      this.vmmioRanges.splice(index, 1);
      return ErrorCode.OK;
    }
    if (this.vmmioRanges.length === VMMIO_RANGES) return this.refuse(ErrorCode.NORESOURCES, "too many ranges", { limit: VMMIO_RANGES });
    if (this.vmmioRanges.some((range) => made.base < range.end && range.base < made.end)) {
      return this.refuse(ErrorCode.BUSY, "the range overlaps another", values);
    }
    this.vmmioRanges.push(made);
    return ErrorCode.OK;
  }

  /** Whether an access lies wholly inside one range that the VMM emulates. */
  isVmmio(ipa: number, size: number): boolean {
    for (let index = 0; index < this.vmmioRanges.length; index++) {
      const { base, end, paged } = this.vmmioRanges[index];
      if (ipa >= base && ipa + size <= end) return !paged;
    }
    return false;
  }

  /** Whether a missing page at an IPA is a page fault for the VMM that runs the vCPU. */
  isPaged(ipa: number): boolean {
    return this.vmmioRanges.some(({ base, end, paged }) => paged && ipa >= base && ipa < end);
  }

  /**
   * Goes through pages of private ranges, as long as the guest may write them, and zeroes them if
   * asked to. Gives how many bytes are done.
   */
  modifyPrivate(ipa: number, size: number, sanitize: boolean): number {
    let done = 0;
    for (; done < size; done += PAGE_SIZE) {
      const page = this.isPaged(ipa + done) ? this.stage2.lookup(ipa + done) : undefined;
      if (page === undefined || !(page.flags & Stage2Flags.Write)) break;
      if (sanitize) this.services.machine.ram.zero(page.pa, PAGE_SIZE);
    }
    return done;
  }

  /** Whether all of [ipa, ipa + size) lies in one range whose accesses leave vcpu_run. */
  inRange(ipa: number, size: number): boolean {
    return this.vmmioRanges.some(({ base, end }) => ipa >= base && ipa + size <= end);
  }

  /** A virtual device is taken away. */
  removeDevice(attached: PlacedDevice): void {
    const index = this.devices.indexOf(attached);
    if (index >= 0) this.devices.splice(index, 1);
  }

  /** The virtual device at an IPA. */
  deviceAt(ipa: number): PlacedDevice | undefined {
    for (let index = 0; index < this.devices.length; index++) {
      const one = this.devices[index];
      if (ipa >= one.ipa && ipa < one.ipa + one.size) return one;
    }
    return undefined;
  }

  /** Whether a virtual device is in any part of the range. */
  deviceIn(ipa: number, size: number): boolean {
    return this.devices.some((one) => ipa < one.ipa + one.size && one.ipa < ipa + size);
  }

  /**
   * Pays the heap for every page table that a recorded mapping may ever need, even if blocks would
   * do for now: splitting a block, or pages that return to an extent, never lack one. NOMEM, with
   * nothing paid, when the heap is short.
   */
  payTables(ipa: number, size: number): ErrorCode {
    const parts = tablesOf(ipa, size, this.services.addressSpaceSize);
    const fresh = parts.filter((part) => !this.#tables.has(part)).length;
    if (!this.services.pageTables.promise(fresh, this.#vmid)) {
      const { pageTables } = this.services;
      const use = pageTables.useText(this.#vmid), left = pageTables.leftFor(this.#vmid);
      return this.refuseAllocation(`no memory for page tables is left${use}`, { tables: fresh, left });
    }
    const charged = this.charge(fresh * TABLE_SIZE);
    if (charged !== ErrorCode.OK) {
      this.services.pageTables.giveBack(fresh, this.#vmid);
      return charged;
    }
    for (const part of parts) this.#tables.set(part, (this.#tables.get(part) ?? 0) + 1);
    this.services.checker?.touch(this);
    return ErrorCode.OK;
  }

  /** A mapping that was paid for is recorded no more. */
  repayTables(ipa: number, size: number): void {
    let unused = 0;
    for (const part of tablesOf(ipa, size, this.services.addressSpaceSize)) {
      const users = this.#tables.get(part);
      if (!users) throw new Error(`${this.name}: nobody paid for the table of part ${part}`);
      if (users > 1) this.#tables.set(part, users - 1);
      else {
        this.#tables.delete(part);
        unused++;
      }
    }
    this.discharge(unused * TABLE_SIZE);
    this.services.pageTables.giveBack(unused, this.#vmid);
    this.services.checker?.touch(this);
  }

  /** Enters pages into the tables, replacing earlier ones. They are in a range that is paid for. */
  install(ipa: Ipa, pa: Pa, size: number, attributes: number): void {
    if (!this.#map(ipa, pa, size, attributes)) throw new Error(`${this.name}: a page table was not paid for`);
    // Pages that are left of a block outlive the mappings that pay for their tables.
    for (const block of this.#blocks?.enter(ipa, pa, size) ?? []) this.payTables(block, GiB);
  }

  /**
   * Takes the pages out of the tables that map to `pa` onward; others in the range stay, and so do
   * those that the recorded build leaves in a block.
   */
  uninstall(ipa: Ipa, pa: Pa, size: number): void {
    if (!this.#blocks) return this.#takeOut(ipa, pa, size);
    for (const part of this.#blocks.takeOut(ipa, pa, size)) this.#takeOut(part.ipa, part.pa, part.size);
  }

  /** Whether a page is mapped because the recorded build leaves it in a block. */
  keeps(ipa: Ipa, pa: Pa): boolean {
    return this.#blocks?.explains(ipa, pa) ?? false;
  }

  /** Whether a physical page is mapped anywhere because the recorded build leaves it in a block. */
  keepsSomewhere(pa: Pa): boolean {
    return this.#blocks?.ipasOf(pa).some((ipa) => this.stage2.lookup(ipa)?.pa === pa) ?? false;
  }

  #takeOut(ipa: Ipa, pa: Pa, size: number): void {
    this.#eachMapped(ipa, pa, size, (at, _pa, length) => {
      if (!this.stage2.unmap(at, length)) throw new Error(`${this.name}: a page table was not paid for`);
      this.#trace("unmap", at, { size: length });
      this.#invalidate(at, length);
    });
  }

  /** Gives the pages new attributes that map to `pa` onward; others in the range stay. */
  reinstall(ipa: Ipa, pa: Pa, size: number, attributes: number): void {
    this.#eachMapped(ipa, pa, size, (at, to, length) => this.install(at, to, length, attributes));
  }

  /** Extents with recorded mappings here. */
  get extents(): ReadonlySet<Memextent> {
    return this.#extents;
  }

  /** An extent has recorded mappings here. */
  noteExtent(extent: Memextent): void {
    this.#extents.add(extent);
  }

  /** An extent has none any more. */
  forgetExtent(extent: Memextent): void {
    this.#extents.delete(extent);
  }

  override held(): HypervisorObject[] {
    return this.#infoArea ? [...super.held(), this.#infoArea.extent] : super.held();
  }

  protected archiveFields(archive: ObjectArchive): void {
    this.#vmid = archive.integer("vmid", this.#vmid, 0, VMID_END - 1);
    this.#threads = archive.integer("threads", this.#threads, 0, MAX_CPUS);
    const ranges = archive.list("vmmioRanges", this.vmmioRanges, (range) => ({
      base: archive.integer("base", range?.base, 0, this.services.addressSpaceSize),
      end: archive.integer("end", range?.end, 0, this.services.addressSpaceSize),
      paged: archive.bool("paged", range?.paged),
    }), VMMIO_RANGES);
    if (archive.loading) this.vmmioRanges.push(...ranges);
    this.#infoArea = archive.maybe("infoArea", this.#infoArea, (area) => InfoArea.archive(archive, area));
    const extents = archive.list("extents", this.#extents, (one) => archive.object("extent", one, "memextent"));
    for (const extent of extents) this.#extents.add(extent);
    archive.check(this.#extents.size === extents.length, "an extent is in a list once");
    const tables = archive.list("tables", [...this.#tables].sort(([a], [b]) => a - b), (table): [number, number] => [
      archive.integer("part", table?.[0], 0, this.services.addressSpaceSize / TABLE_REACH - 1),
      archive.integer("users", table?.[1], 1),
    ]);
    if (this.state === "active") this.#archiveActive(archive, tables);
    else archive.check(tables.length === 0, "what is not active has no page tables");
  }

  /** The page tables: paid ranges, and mappings. */
  #archiveActive(archive: ObjectArchive, tables: readonly [number, number][]): void {
    if (archive.loading) {
      for (const [part, users] of tables) this.#tables.set(part, users);
      const { addressSpaces, pageTables } = this.services;
      archive.check(tables.every(([part], index) => index === 0 || part > tables[index - 1][0]), "a page table is paid for once, in order");
      archive.check(this.#vmid !== 0 && !addressSpaces.has(this.#vmid), "a VMID is one address space's");
      archive.check(pageTables.promise(pageTables.root + tables.length, this.#vmid), "the machine has enough page tables");
      this.#stage2 = pageTables.create();
      addressSpaces.set(this.#vmid, this);
    }
    const limit = this.services.addressSpaceSize;
    this.#blocks?.archive(archive, limit);
    for (const ipa of this.#blocks?.ipas ?? []) {
      archive.check(tablesOf(ipa, GiB, limit).every((part) => this.#tables.has(part)), "tables of blocks are charged");
    }
    let last: MappedRun | undefined;
    archive.list("mapped", this.stage2.entries(), (run) => {
      const ipa = archive.integer("ipa", run?.ipa, 0, limit);
      const pa = archive.integer("pa", run?.pa, 0, PHYSICAL_END);
      const size = archive.integer("size", run?.size, PAGE_SIZE, PHYSICAL_END);
      const flags = archive.integer("flags", run?.flags, 0, ALL_STAGE2_FLAGS);
      if (run) return run;
      const pages = ipa % PAGE_SIZE === 0 && pa % PAGE_SIZE === 0 && size % PAGE_SIZE === 0;
      archive.check(pages && ipa + size <= limit && pa + size <= PHYSICAL_END, "mappings consist of whole pages");
      archive.check(last === undefined || ipa >= last.ipa + last.size, "mappings ascend");
      archive.check(last === undefined || !continues(last, { ipa, pa, flags }), "a mapping is as long as it can be");
      archive.check(tablesOf(ipa, size, limit).every((part) => this.#tables.has(part)), "tables of mappings are charged");
      if (!this.stage2.map(ipa, pa, size, flags)) archive.fail("there are not as many page tables");
      return last = { ipa, pa, size, flags };
    });
  }

  override discard(): void {
    super.discard();
    if (this.#stage2) this.stage2.release();
  }

  protected onActivate(): ErrorCode {
    if (this.#vmid === 0 || this.services.addressSpaces.has(this.#vmid)) {
      return this.refuse(ErrorCode.BUSY, "the VMID is taken (0 always is)", { vmid: this.#vmid });
    }
    const { pageTables } = this.services;
    const root = this.charge(TABLE_SIZE);
    if (root !== ErrorCode.OK) return root;
    if (!pageTables.promise(pageTables.root, this.#vmid)) return this.refuseAllocation("no memory for page tables is left");
    this.#stage2 = pageTables.create();
    this.services.addressSpaces.set(this.#vmid, this);
    this.#infoArea?.clear();
    this.services.onAddressSpace(this);
    return ErrorCode.OK;
  }

  protected onDestroy(wasActive: boolean): void {
    this.#infoArea?.extent.detach();
    for (const extent of this.#extents) extent.mappings.clear(this);
    for (const ipa of this.#blocks?.ipas ?? []) this.repayTables(ipa, GiB);
    if (!wasActive) return;
    for (const { device } of this.devices) device.detach?.();
    this.services.addressSpaces.delete(this.#vmid);
    this.#invalidate(0, this.services.addressSpaceSize);
    this.stage2.release();
    this.services.pageTables.giveBack(this.services.pageTables.root, this.#vmid);
  }

  /** Calls `act` for each run of pages in the range that are mapped to `pa` onward. */
  #eachMapped(ipa: Ipa, pa: Pa, size: number, act: (ipa: Ipa, pa: Pa, size: number) => void): void {
    for (let done = 0; done < size;) {
      const first = done;
      while (done < size && this.stage2.lookup(ipa + done)?.pa === pa + done) done += PAGE_SIZE;
      if (done > first) act(asIpa(ipa + first), asPa(pa + first), done - first);
      else done += PAGE_SIZE;
    }
  }

  #map(ipa: Ipa, pa: Pa, size: number, attributes: number): boolean {
    if (!this.stage2.map(ipa, pa, size, stage2Flags(attributes))) return false;
    this.#trace("map", ipa, { pa: paId(pa), size, map_attrs: attributes });
    this.#invalidate(ipa, size);
    return true;
  }

  #trace(name: string, ipa: number, fields: Readonly<Record<string, unknown>>): void {
    const { trace, names } = this.services;
    if (trace.isWanted("mem")) trace.event("mem", name, { ipa: ipaId(names.vm(this.#vmid), ipa), ...fields });
  }

  #invalidate(ipa: number, size: number): void {
    this.services.checker?.touchRange(this, ipa, size);
    this.services.core.invalidateStage2(this.stage2.id, ipa, size);
  }
}
