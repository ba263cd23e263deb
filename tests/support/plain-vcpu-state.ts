// The registers of a vCPU in plain fields, for tests whose core executes no instructions.

import { DebugComparators } from "../../src/cpu/core/debug/self-hosted-debug.ts";
import { registerNames } from "../../src/cpu/core/registers/vcpu-state.ts";
import { Pstate, type RegisterName, Sctlr, type VcpuState } from "../../src/cpu/core/interface.ts";
import { addressKey } from "../../src/kit/support/values/address-key.ts";

/** A vCPU's state. Vector registers are zero and stay so. */
export class PlainVcpuState implements VcpuState {
  /** X0..X30. */
  readonly x = new Array<bigint>(31).fill(0n);
  readonly #registers = new Map<RegisterName, bigint>();
  pc = 0n;
  irq = false;
  fiq = false;
  event = false;
  pmuLine = false;
  maintenanceLine = false;
  stage2 = 0;
  defaultCacheable = false;
  semihosting = false;
  readonly elrLow = 0;
  readonly hasEl2 = false;
  chain = { length: 0, same: 0, interrupts: 0, esr: 0n, elr: 0n, far: 0n };
  entered = undefined;
  deviceAtomic = undefined;
  staleUse = undefined;
  guests = { latest: 0, entries: [] };
  readonly debug = new DebugComparators();
  readonly names = registerNames(new Set());

  /** @param pstate what it starts with */
  constructor(public pstate: number) {}

  reset(): void {
    this.pstate = Pstate.EL1h | Pstate.Daif;
    this.setRegister("SCTLR_EL1", BigInt(Sctlr.Reset));
    this.setRegister("CPACR_EL1", 0n);
  }

  getX(index: number): bigint {
    return this.x[index] ?? 0n;
  }

  setX(index: number, value: bigint): void {
    if (index < 31) this.x[index] = BigInt.asUintN(64, value);
  }

  advance(): void {
    this.pc = BigInt.asUintN(64, this.pc + 4n);
  }

  getLow(index: number): number {
    return Number(this.getX(index) & 0xffff_ffffn);
  }

  getHigh(index: number): number {
    return Number(this.getX(index) >> 32n);
  }

  setLow(index: number, value: number): void {
    this.setX(index, BigInt(value >>> 0));
  }

  areHalves(first: number, last: number, half: number): boolean {
    return this.x.slice(first, last + 1).every((value) => value === BigInt.asUintN(64, BigInt(half)));
  }

  setHalves(halves: Int32Array): void {
    for (const [index, value] of new BigUint64Array(halves.buffer, halves.byteOffset, halves.length / 2).entries()) this.setX(index, value);
  }

  clearX(first: number, last: number): void {
    for (let index = first; index <= last; index++) this.setX(index, 0n);
  }

  getV(): readonly [bigint, bigint] {
    return [0n, 0n];
  }

  setV(): void {}

  keyOf(name: "PC" | RegisterName): number {
    return addressKey(name === "PC" ? this.pc : this.getRegister(name));
  }

  getRegister(name: RegisterName): bigint {
    return this.#registers.get(name) ?? 0n;
  }

  setRegister(name: RegisterName, value: bigint): void {
    this.#registers.set(name, value);
  }
}
