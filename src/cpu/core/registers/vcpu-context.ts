// The architectural state of one vCPU as the layers above read and write it: a view of its context
// in the Wasm memory, or in the hot CPU state while it is the resident one. `interface.ts` has the
// contract, `state/cpu-state.ts` the layout.

import { addressKeyOf } from "../../../kit/support/values/address-key.ts";
import { ExceptionClass, exceptionClass, Pstate, Sctlr } from "../architecture/exceptions.ts";
import { Cptr, Hcr, Vtcr } from "../architecture/hypervisor-control.ts";
import { RESET_VMCR } from "../architecture/virtual-gic.ts";
import { decodeLoadStore } from "../architecture/load-store-syndrome.ts";
import { type ArmedDebug, DebugComparators, type Stepped } from "../debug/self-hosted-debug.ts";
import {
  CONTEXT_SIZE,
  CPU,
  CPU_STATE,
  DeviceAtomic,
  EL2_CONTEXT_SIZE,
  Entry,
  NOTED_GUESTS,
  NotedGuest as GuestField,
  Slot,
  vAddress,
  xAddress,
} from "../state/cpu-state.ts";
import { WRITTEN_REGISTERS } from "../state/layout.ts";
import { Miss } from "../state/tlb-layout.ts";
import { WRITE_BITS } from "./register-writes.ts";
import {
  DEVICE_BECAUSE,
  type DeviceAtomicAccess,
  type Entered,
  ENTERED_BY,
  type ExceptionChain,
  MISSED,
  type NotedGuests,
  type RegisterName,
  type StaleUse,
  type VcpuState,
} from "./vcpu-state.ts";

/** Registers that are 32 bits wide in the CPU state. */
const WORD_REGISTERS: ReadonlySet<RegisterName> = new Set<RegisterName>(["FPCR", "FPSR"]);

/** Registers that cached translations depend on. */
const TRANSLATION_REGISTERS: ReadonlySet<RegisterName> = new Set<RegisterName>([
  "SCTLR_EL1",
  "TCR_EL1",
  "TTBR0_EL1",
  "TTBR1_EL1",
  "MAIR_EL1",
  ...["SCTLR_EL2", "TCR_EL2", "TTBR0_EL2", "TTBR1_EL2", "MAIR_EL2", "HCR_EL2", "VTTBR_EL2", "VTCR_EL2"] as const,
]);

/** Registers that decide what the performance monitors count. */
const COUNTER_REGISTERS: ReadonlySet<RegisterName> = new Set<RegisterName>([
  ...["PMCR_EL0", "PMCNTENSET_EL0", "PMINTENSET_EL1", "PMOVSSET_EL0", "PMCCFILTR_EL0"] as const,
  ...["PMEVTYPER0_EL0", "PMEVTYPER1_EL0", "PMEVTYPER2_EL0", "PMEVTYPER3_EL0", "PMEVTYPER4_EL0", "PMEVTYPER5_EL0"] as const,
]);

/** The bank of the stack pointer that is in use. */
const stackOf = (pstate: number) => pstate & Pstate.SP ? pstate & Pstate.EL2 ? "SP_EL2" : "SP_EL1" : "SP_EL0";

const SIGN_64 = 1n << 63n;
const INSTRUCTION_SIZE = 4;

/** Registers of EL2 that do not begin with zero: bits that are one. */
const EL2_RESET: readonly (readonly [RegisterName, bigint])[] = [
  ["SCTLR_EL2", BigInt(Sctlr.ResetEl2)],
  ["HCR_EL2", Hcr.RW],
  ["CPTR_EL2", Cptr.Res1],
  ["VTCR_EL2", Vtcr.Res1],
  ["ICH_HCR_EL2", 0n],
  ["ICH_VMCR_EL2", RESET_VMCR],
];

/** The address of an entry of `CPU.NOTED_GUESTS`. */
const guestAddress = (index: number) => CPU.NOTED_GUESTS + index * GuestField.Size;
const NO_GUESTS: NotedGuests = { latest: 0, entries: [] };

/** A vCPU's context. `Core` makes them, and moves them in and out of the CPU state. */
export class VcpuContext implements VcpuState {
  /** The context is in the CPU state, not at `address`. Only `Core` changes it. */
  resident = false;
  /**
   * The state that the core derives from registers (regime, FP trap, stage-2 root) is stale. `Core`
   * clears it.
   */
  derivedStale = true;
  /** Cached translations are stale. `Core` clears it. */
  translationsStale = true;
  readonly debug = new DebugComparators();
  /**
   * With EL2, the owners of more translations: of another stage 2 of EL1&0, and of EL2's regime.
   */
  readonly ofOther = {};
  readonly ofEl2 = {};
  /** The stops that the core has derived from them, while MDSCR_EL1.MDE is set. */
  armed: ArmedDebug | undefined;
  /** The instruction that a software step exception is due after. */
  stepped: Stepped = "none";
  // The memory as doublewords and as words. Fields are aligned; computers that run this are
  // little-endian.
  readonly #doublewords: BigUint64Array;
  readonly #words: Uint32Array;
  /** As doubles: zero is cheapest to store that way. */
  readonly #doubles: Float64Array;
  readonly #stage2Root: (id: number) => number;

  /**
   * A context with the reset state: registers zero but SCTLR_EL1, EL1h with DAIF masked.
   * @param address of `CONTEXT_SIZE` bytes in the memory, or `EL2_CONTEXT_SIZE`.
   * @param stage2Root address of the tables of an address space (`Stage2Pool.root`).
   */
  constructor(
    memory: WebAssembly.Memory,
    readonly address: number,
    readonly names: readonly RegisterName[],
    stage2Root: (id: number) => number,
  ) {
    this.#doublewords = new BigUint64Array(memory.buffer);
    this.#words = new Uint32Array(memory.buffer);
    this.#doubles = new Float64Array(memory.buffer);
    this.#stage2Root = stage2Root;
    new Uint8Array(memory.buffer, address, this.hasEl2 ? EL2_CONTEXT_SIZE : CONTEXT_SIZE).fill(0);
    this.reset();
    this.stage2 = 0;
  }

  get hasEl2(): boolean {
    return this.names.includes("HCR_EL2");
  }

  reset(): void {
    this.pstate = (this.hasEl2 ? Pstate.EL2h : Pstate.EL1h) | Pstate.Daif;
    this.setRegister("SCTLR_EL1", BigInt(Sctlr.Reset));
    this.setRegister("CPACR_EL1", 0n);
    if (!this.hasEl2) return;
    for (const [name, value] of EL2_RESET) this.setRegister(name, value);
    this.setRegister("VPIDR_EL2", this.getRegister("MIDR_EL1"));
    this.setRegister("VMPIDR_EL2", this.getRegister("MPIDR_EL1"));
  }

  getX(index: number): bigint {
    return index === 31 ? 0n : this.#get(xAddress(index));
  }

  setX(index: number, value: bigint): void {
    if (index !== 31) this.#set(xAddress(index), value);
  }

  getLow(index: number): number {
    return index === 31 ? 0 : this.#words[this.#at(xAddress(index)) >>> 2];
  }

  getHigh(index: number): number {
    return index === 31 ? 0 : this.#words[(this.#at(xAddress(index)) >>> 2) + 1];
  }

  setLow(index: number, value: number): void {
    if (index === 31) return;
    const at = this.#at(xAddress(index)) >>> 2;
    this.#words[at] = value;
    this.#words[at + 1] = 0;
  }

  areHalves(first: number, last: number, half: number): boolean {
    const words = this.#words;
    const at = this.#at(xAddress(first)) >>> 2;
    let differences = 0;
    for (let index = at + 2 * (last - first) + 1; index >= at; index--) differences |= words[index] ^ half;
    return differences === 0;
  }

  setHalves(halves: Int32Array): void {
    const words = this.#words;
    const at = this.#at(xAddress(0)) >>> 2;
    for (let index = 0; index < halves.length; index++) words[at + index] = halves[index];
  }

  clearX(first: number, last: number): void {
    const doubles = this.#doubles;
    const at = this.#at(xAddress(first)) >>> 3;
    for (let index = at + last - first; index >= at; index--) doubles[index] = 0;
  }

  getV(index: number): readonly [bigint, bigint] {
    return [this.#get(vAddress(index)), this.#get(vAddress(index) + 8)];
  }

  setV(index: number, low: bigint, high: bigint): void {
    this.#set(vAddress(index), low);
    this.#set(vAddress(index) + 8, high);
  }

  get pc(): bigint {
    return this.#get(CPU.PC);
  }

  set pc(value: bigint) {
    this.#set(CPU.PC, value);
  }

  advance(): void {
    const words = this.#words;
    words[this.#at(CPU.PSTATE) >>> 2] &= ~Pstate.SS;
    const at = this.#at(CPU.PC) >>> 2;
    const low = words[at] + INSTRUCTION_SIZE;
    words[at] = low;
    if (low > 0xffff_ffff) words[at + 1]++;
  }

  get pstate(): number {
    const flag = (set: boolean, mask: number) => set ? mask : 0;
    return (this.#getWord(CPU.PSTATE) | flag((this.#get(CPU.N) & SIGN_64) !== 0n, Pstate.N) | flag(this.#get(CPU.Z) === 0n, Pstate.Z) |
      flag(this.#getWord(CPU.C) !== 0, Pstate.C) | flag((this.#get(CPU.V) & SIGN_64) !== 0n, Pstate.V)) >>> 0;
  }

  set pstate(value: number) {
    const old = this.#getWord(CPU.PSTATE);
    this.#set(CPU.N, value & Pstate.N ? SIGN_64 : 0n);
    this.#set(CPU.Z, value & Pstate.Z ? 0n : 1n);
    this.#setWord(CPU.C, value & Pstate.C ? 1 : 0);
    this.#set(CPU.V, value & Pstate.V ? SIGN_64 : 0n);
    const from = stackOf(old), to = stackOf(value);
    if (from !== to) {
      this.#set(CPU[from], this.#get(xAddress(Slot.SP)));
      this.#set(xAddress(Slot.SP), this.#get(CPU[to]));
    }
    this.#setWord(CPU.PSTATE, value & ~Pstate.Nzcv);
    this.derivedStale = true;
  }

  getRegister(name: RegisterName): bigint {
    return WORD_REGISTERS.has(name) ? BigInt(this.#getWord(CPU[name])) : this.#get(this.#slot(name));
  }

  setRegister(name: RegisterName, value: bigint): void {
    const bit = WRITE_BITS.get(name);
    if (bit !== undefined) this.#doublewords[WRITTEN_REGISTERS >>> 3] |= bit;
    if (WORD_REGISTERS.has(name)) this.#setWord(CPU[name], Number(BigInt.asUintN(32, value)));
    else this.#set(this.#slot(name), value);
    if (TRANSLATION_REGISTERS.has(name)) this.translationsStale = true;
    if (name === "CPACR_EL1" || name === "CPTR_EL2" || name === "HCR_EL2" || COUNTER_REGISTERS.has(name) || name.startsWith("ICH_")) {
      this.derivedStale = true;
    }
  }

  get elrLow(): number {
    return this.#getWord(CPU.ELR_EL1);
  }

  keyOf(name: "PC" | RegisterName): number {
    const words = this.#words, at = this.#at(name === "PC" ? CPU.PC : this.#slot(name)) >>> 2;
    return addressKeyOf(words[at], words[at + 1]);
  }

  get chain(): ExceptionChain {
    return {
      length: this.#getWord(CPU.CHAIN_LENGTH),
      same: this.#getWord(CPU.CHAIN_SAME),
      interrupts: this.#getWord(CPU.CHAIN_INTERRUPTS),
      esr: this.#get(CPU.CHAIN_ESR),
      elr: this.#get(CPU.CHAIN_ELR),
      far: this.#get(CPU.CHAIN_FAR),
    };
  }

  set chain(chain: ExceptionChain) {
    this.#setWord(CPU.CHAIN_LENGTH, chain.length);
    this.#setWord(CPU.CHAIN_SAME, chain.same);
    this.#setWord(CPU.CHAIN_INTERRUPTS, chain.interrupts);
    this.#set(CPU.CHAIN_ESR, chain.esr);
    this.#set(CPU.CHAIN_ELR, chain.elr);
    this.#set(CPU.CHAIN_FAR, chain.far);
  }

  get entered(): Entered | undefined {
    const by = this.#getWord(CPU.ENTRY);
    return by === Entry.None ? undefined : { by: ENTERED_BY[by - 1], at: this.#get(CPU.ENTRY_PC), spsr: this.#getWord(CPU.ENTRY_SPSR) };
  }

  set entered(entered: Entered | undefined) {
    this.#setWord(CPU.ENTRY, entered ? ENTERED_BY.indexOf(entered.by) + 1 : Entry.None);
    this.#setWord(CPU.ENTRY_SPSR, entered?.spsr ?? 0);
    this.#set(CPU.ENTRY_PC, entered?.at ?? 0n);
  }

  get deviceAtomic(): DeviceAtomicAccess | undefined {
    const kind = this.#getWord(CPU.DEVICE_ATOMIC);
    if (kind === DeviceAtomic.None) return undefined;
    return { because: DEVICE_BECAUSE[kind - 1], va: this.#get(CPU.DEVICE_ATOMIC_VA), pc: this.#get(CPU.DEVICE_ATOMIC_PC) };
  }

  set deviceAtomic(access: DeviceAtomicAccess | undefined) {
    this.#setWord(CPU.DEVICE_ATOMIC, access ? DEVICE_BECAUSE.indexOf(access.because) + 1 : DeviceAtomic.None);
    this.#set(CPU.DEVICE_ATOMIC_VA, access?.va ?? 0n);
    this.#set(CPU.DEVICE_ATOMIC_PC, access?.pc ?? 0n);
    // `CPU.ATOMICS_TLB` follows from it.
    this.derivedStale = true;
  }

  get staleUse(): StaleUse | undefined {
    const missed = this.#getWord(CPU.STALE);
    if (missed === Miss.None) return undefined;
    const operand = this.#get(CPU.STALE_TLBI_OPERAND), cpu = this.#get(CPU.STALE_TLBI_CPU);
    const tlbi = { missed: MISSED[(missed & ~Miss.ForGood) - 1], pc: this.#get(CPU.STALE_TLBI_PC), operand, cpu };
    const place = { va: this.#get(CPU.STALE_VA), pc: this.#get(CPU.STALE_PC), time: this.#get(CPU.STALE_TIME) };
    return { ...place, tlbi, forGood: missed !== Miss.Cpu && missed !== Miss.Store };
  }

  set staleUse(use: StaleUse | undefined) {
    const missed = use ? MISSED.indexOf(use.tlbi.missed) + 1 : Miss.None;
    this.#setWord(CPU.STALE, use?.forGood && (missed === Miss.Cpu || missed === Miss.Store) ? missed | Miss.ForGood : missed);
    this.#set(CPU.STALE_TIME, use?.time ?? 0n);
    this.#set(CPU.STALE_VA, use?.va ?? 0n);
    this.#set(CPU.STALE_PC, use?.pc ?? 0n);
    this.#set(CPU.STALE_TLBI_PC, use?.tlbi.pc ?? 0n);
    this.#set(CPU.STALE_TLBI_OPERAND, use?.tlbi.operand ?? 0n);
    this.#set(CPU.STALE_TLBI_CPU, use?.tlbi.cpu ?? 0n);
  }

  get guests(): NotedGuests {
    if (!this.hasEl2) return NO_GUESTS;
    const entries = Array.from({ length: NOTED_GUESTS }, (_, index) => {
      const at = guestAddress(index);
      return {
        vttbr: this.#get(at + GuestField.Vttbr),
        vmpidr: this.#get(at + GuestField.Vmpidr),
        vtcr: this.#get(at + GuestField.Vtcr),
      };
    }).filter(({ vttbr }) => vttbr !== 0n);
    return { latest: this.#getWord(CPU.NOTED_GUEST) / GuestField.Size, entries };
  }

  set guests({ latest, entries }: NotedGuests) {
    if (!this.hasEl2) return;
    this.#setWord(CPU.NOTED_GUEST, latest * GuestField.Size);
    for (let index = 0; index < NOTED_GUESTS; index++) {
      const at = guestAddress(index), { vttbr = 0n, vmpidr = 0n, vtcr = 0n } = entries[index] ?? {};
      this.#set(at + GuestField.Vttbr, vttbr);
      this.#set(at + GuestField.Vmpidr, vmpidr);
      this.#set(at + GuestField.Vtcr, vtcr);
    }
  }

  get irq(): boolean {
    return this.#getWord(CPU.IRQ) !== 0;
  }

  set irq(level: boolean) {
    this.#setWord(CPU.IRQ, level ? 1 : 0);
  }

  get fiq(): boolean {
    return this.#getWord(CPU.FIQ) !== 0;
  }

  set fiq(level: boolean) {
    this.#setWord(CPU.FIQ, level ? 1 : 0);
  }

  get event(): boolean {
    return this.#getWord(CPU.EVENT) !== 0;
  }

  set event(set: boolean) {
    this.#setWord(CPU.EVENT, set ? 1 : 0);
  }

  get pmuLine(): boolean {
    return this.#getWord(CPU.PMU_LINE) !== 0;
  }

  set pmuLine(level: boolean) {
    this.#setWord(CPU.PMU_LINE, level ? 1 : 0);
    this.derivedStale = true;
  }

  get maintenanceLine(): boolean {
    return this.#getWord(CPU.MAINTENANCE_LINE) !== 0;
  }

  set maintenanceLine(level: boolean) {
    this.#setWord(CPU.MAINTENANCE_LINE, level ? 1 : 0);
  }

  get stage2(): number {
    return this.#getWord(CPU.STAGE2_ID);
  }

  set stage2(id: number) {
    this.#setWord(CPU.STAGE2_ID, id);
    this.#setWord(CPU.STAGE2, this.#stage2Root(id));
    this.derivedStale = true;
  }

  get defaultCacheable(): boolean {
    return this.#getWord(CPU.DEFAULT_CACHEABLE) !== 0;
  }

  set defaultCacheable(on: boolean) {
    // A state that is saved sets what there is: a TLB that went then would change the run.
    if (on === this.defaultCacheable) return;
    this.#setWord(CPU.DEFAULT_CACHEABLE, on ? 1 : 0);
    this.translationsStale = true;
  }

  get semihosting(): boolean {
    return this.#getWord(CPU.SEMIHOSTING) !== 0;
  }

  set semihosting(on: boolean) {
    this.#setWord(CPU.SEMIHOSTING, on ? 1 : 0);
  }

  /** The address of a register: the stack pointer in use is in `Slot.SP`, not in its bank. */
  #slot(name: RegisterName): number {
    return name === stackOf(this.#getWord(CPU.PSTATE)) ? xAddress(Slot.SP) : CPU[name];
  }

  /** The present address of a field of the context. */
  #at(field: number): number {
    return this.resident ? field : this.address + field - CPU_STATE;
  }

  #get(field: number): bigint {
    return this.#doublewords[this.#at(field) >>> 3];
  }

  #set(field: number, value: bigint): void {
    this.#doublewords[this.#at(field) >>> 3] = value;
  }

  #getWord(field: number): number {
    return this.#words[this.#at(field) >>> 2];
  }

  #setWord(field: number, value: number): void {
    this.#words[this.#at(field) >>> 2] = value;
  }
}

/** Rt of a trapped MSR or MRS. */
const systemRegisterRt = (esr: number) => esr >>> 5 & 31;

/**
 * `Core.completeRead`: the register of a data abort's syndrome, or of a trapped MRS's, gets
 * `value`. Throws a RangeError when the syndrome names none: callers check ISV before they emulate
 * an access.
 */
export function completeRead(vcpu: VcpuState, esr: number, value: bigint): void {
  if (exceptionClass(esr) === ExceptionClass.SystemRegister) {
    vcpu.setX(systemRegisterRt(esr), BigInt.asUintN(64, value));
  } else {
    const load = decodeLoadStore(esr);
    if (!load || load.write) throw new RangeError(`syndrome 0x${esr.toString(16)} names no register to load`);
    const bits = 8 * load.size;
    const extended = load.signExtends ? BigInt.asIntN(bits, value) : BigInt.asUintN(bits, value);
    vcpu.setX(load.register, BigInt.asUintN(load.wide ? 64 : 32, extended));
  }
  vcpu.advance();
}

/**
 * `Core.storeValue`: the register that a data abort's syndrome or a trapped MSR's names, cut to the
 * access. Throws as `completeRead` does.
 */
export function storeValue(vcpu: VcpuState, esr: number): bigint {
  if (exceptionClass(esr) === ExceptionClass.SystemRegister) return vcpu.getX(systemRegisterRt(esr));
  const store = decodeLoadStore(esr);
  if (!store || !store.write) throw new RangeError(`syndrome 0x${esr.toString(16)} names no register to store`);
  return BigInt.asUintN(8 * store.size, vcpu.getX(store.register));
}
