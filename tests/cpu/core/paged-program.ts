// A vCPU that runs a short program, and pages for its accesses that follow each other in virtual
// memory only.

import { type CoreOptions, WasmCore } from "../../../src/cpu/core/core.ts";
import { ExitReason, Stage2Flags } from "../../../src/cpu/core/interface.ts";
import { CORE_SIZE } from "../../../src/cpu/core/state/layout.ts";

export const RAM_BASE = 0x4000_0000;
const RAM_SIZE = 0x10_0000, CODE = RAM_BASE + 0x1000;
/**
 * Consecutive virtual memory: two pages that are apart physically, a read-only one, and an unmapped
 * one.
 */
export const PAGES = 0x5000_0000;
/** Where they are in RAM. */
export const PAGE_RAM = [0x8000, 0x3_0000, 0x1_0000] as const;
const EXECUTABLE = Stage2Flags.Read | Stage2Flags.Write | Stage2Flags.ExecuteEl1;
/** Registers that have the address of a turn, as SP has. */
export const BASE = 20, COPY = 22;

/** The processor with its program. */
export class PagedProgram {
  readonly core: WasmCore;
  readonly vcpu;
  readonly ram: Uint8Array;
  readonly stage2;

  /** @param sctlr bits of SCTLR_EL1. */
  constructor(program: readonly number[], sctlr: number, options: CoreOptions) {
    const pages = (CORE_SIZE + RAM_SIZE) / 0x1_0000;
    const memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
    this.ram = new Uint8Array(memory.buffer, CORE_SIZE, RAM_SIZE);
    for (let i = 0x8000; i < RAM_SIZE; i++) this.ram[i] = i * 7 + (i >> 8);
    this.core = new WasmCore(memory, { base: RAM_BASE, size: RAM_SIZE, wasmAddress: CORE_SIZE }, options);
    const stage2 = this.stage2 = this.core.stage2Pool.create()!;
    stage2.map(RAM_BASE, RAM_BASE, RAM_SIZE, EXECUTABLE);
    PAGE_RAM.forEach((at, i) => stage2.map(PAGES + 0x1000 * i, RAM_BASE + at, 0x1000, i < 2 ? EXECUTABLE : Stage2Flags.Read));
    this.vcpu = this.core.createVcpu();
    this.vcpu.stage2 = stage2.id;
    this.vcpu.defaultCacheable = true;
    this.vcpu.setRegister("CPACR_EL1", 3n << 20n);
    this.vcpu.setRegister("SCTLR_EL1", BigInt(sctlr));
    new Uint32Array(memory.buffer, CORE_SIZE + CODE - RAM_BASE, program.length).set(program);
  }

  /**
   * `length` instructions from the first, with the bases at an address. Returns the observable
   * state.
   */
  turn(address: number, length: number): string {
    const { vcpu, core } = this;
    for (const register of [BASE, COPY]) vcpu.setX(register, BigInt(address));
    vcpu.setRegister("SP_EL1", BigInt(address));
    vcpu.pc = BigInt(CODE);
    const { reason, retired, esr } = core.run(vcpu, 0, length, 0);
    const x = Array.from({ length: 31 }, (_, i) => vcpu.getX(i).toString(16));
    return [reason, retired, reason === ExitReason.Trap ? esr : 0, vcpu.pc, vcpu.getRegister("SP_EL1"), ...x].join(" ");
  }
}
