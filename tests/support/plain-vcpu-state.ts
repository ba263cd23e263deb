// The registers of a vCPU in plain fields, for tests whose core executes no instructions.

import type { RegisterName, VcpuState } from "../../src/core/interface.ts";

/** A vCPU's state. Vector registers are zero and stay so. */
export class PlainVcpuState implements VcpuState {
  /** X0..X30. */
  readonly x = new Array<bigint>(31).fill(0n);
  readonly #registers = new Map<RegisterName, bigint>();
  pc = 0n;
  irq = false;
  fiq = false;
  event = false;
  stage2 = 0;

  /** @param pstate what it starts with */
  constructor(public pstate: number) {}

  getX(index: number): bigint {
    return this.x[index] ?? 0n;
  }

  setX(index: number, value: bigint): void {
    if (index < 31) this.x[index] = BigInt.asUintN(64, value);
  }

  getV(): readonly [bigint, bigint] {
    return [0n, 0n];
  }

  setV(): void {}

  getRegister(name: RegisterName): bigint {
    return this.#registers.get(name) ?? 0n;
  }

  setRegister(name: RegisterName, value: bigint): void {
    this.#registers.set(name, value);
  }
}
