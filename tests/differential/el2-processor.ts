// Our core as a processor for differential tests: EL1, MMU on with flat tables, so that unaligned
// accesses are to normal memory. Its CPU has all that el2 has built, but authenticates pointers as
// unicorn's does.

import { parseCpu } from "../../src/cpu/isa/cpus/cpus.ts";
import { type CoreOptions, WasmCore } from "../../src/cpu/core/core.ts";
import { CPU, Slot, vAddress, xAddress } from "../../src/cpu/core/state/cpu-state.ts";
import { type Exit, ExitReason, Stage2Flags } from "../../src/cpu/core/interface.ts";
import { CORE_SIZE } from "../../src/cpu/core/state/layout.ts";
import type { VcpuContext } from "../../src/cpu/core/registers/vcpu-context.ts";
import { Layout, PAC_KEYS, TCR } from "./instruction-cases.ts";
import { Registers } from "./unicorn.ts";

const WASM_PAGE = 0x1_0000;
/** Size that a descriptor of level 2 maps. It is `Layout.dataSize`. */
const BLOCK_SIZE = 0x20_0000;
const PSTATE_EL1H_MASKED = 0x3c5;
/** Far more than any case executes before its HVC. */
const MOST_INSTRUCTIONS = 1000;

/** The first level of FEAT_PAuth: a code replaces bits, and addresses of wrong ones fault. */
const FIRST_PAC = "-FEAT_EPAC,-FEAT_PAuth2,-FEAT_FPAC,-FEAT_FPACCOMBINE";
export const QARMA_CPU = parseCpu(`max,+FEAT_PACQARMA5,${FIRST_PAC}`), HASH_CPU = parseCpu(`max,${FIRST_PAC}`);

/** One processor with memory `Layout.size` at `Layout.base`. */
export class El2Processor {
  readonly registers = new Registers();
  /** Its memory, from `Layout.base` on. */
  readonly memory: Uint8Array;
  readonly #core: WasmCore;
  readonly #vcpu: VcpuContext;
  /** The core's memory in words, for the CPU state. */
  readonly #state: Uint32Array;

  /**
   * @param contents what the memory holds at first.
   * @param options what executes instructions.
   */
  constructor(contents: Uint8Array, options: CoreOptions = {}) {
    const pages = (CORE_SIZE + Layout.size) / WASM_PAGE;
    const memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
    this.memory = new Uint8Array(memory.buffer, CORE_SIZE, Layout.size);
    this.#state = new Uint32Array(memory.buffer);
    this.memory.set(contents);
    this.#core = new WasmCore(memory, { base: Layout.base, size: Layout.size, wasmAddress: CORE_SIZE }, {
      cpu: QARMA_CPU,
      ...options,
    });
    this.#vcpu = this.#core.createVcpu();
    const stage2 = this.#core.stage2Pool.create();
    if (!stage2) throw new Error("no stage-2 table is left in a fresh core");
    const rights = Stage2Flags.Read | Stage2Flags.Write | Stage2Flags.ExecuteEl1 | Stage2Flags.ExecuteEl0;
    stage2.map(Layout.base, Layout.base, Layout.size, rights);
    this.#vcpu.stage2 = stage2.id;
    this.#turnMmuOn();
    this.#vcpu.pstate = PSTATE_EL1H_MASKED;
    // Makes the vCPU resident, as `#store` and `#load` need it; it is the only one and stays so.
    this.#core.translate(this.#vcpu, BigInt(Layout.data), "read", 1);
  }

  /** Puts instructions at an address where none has been executed before. */
  writeCode(address: number, words: readonly number[]): void {
    const view = new DataView(this.memory.buffer, this.memory.byteOffset);
    words.forEach((word, index) => view.setUint32(address - Layout.base + 4 * index, word, true));
    this.#core.memoryWritten(address, 4 * words.length);
  }

  /** Zeroes what instructions write beside `registers`. */
  forgetThreadRegisters(): void {
    for (const name of ["SP_EL0", "TPIDR_EL0", "TPIDR_EL1"] as const) this.#vcpu.setRegister(name, 0n);
  }

  /** Regions that the translator has made. */
  get regions(): number {
    return this.#core.counters.translator?.regions ?? 0;
  }

  /**
   * Executes `count` instructions from `registers` on and leaves the result there.
   * @returns undefined, or what stopped it.
   */
  run(count: number): string | undefined {
    const { reason, retired, esr } = this.#run(count);
    const exception = this.#takenException();
    if (exception) return exception;
    if (reason === ExitReason.Budget && retired === count) return undefined;
    return `exit ${reason} after ${retired} instructions, ESR 0x${esr.toString(16)}`;
  }

  /** The same up to an HVC; the answer names it, with the instructions executed. */
  runToHvc(): string {
    const { reason, retired, esr } = this.#run(MOST_INSTRUCTIONS);
    return this.#takenException() ?? `exit ${reason} after ${retired} instructions, ESR 0x${esr.toString(16)}`;
  }

  #run(count: number): Exit {
    this.#store();
    const exit = this.#core.run(this.#vcpu, 0, count, 0);
    this.#load();
    return exit;
  }

  /** The exception that took the run to EL1's vectors, or undefined. */
  #takenException(): string | undefined {
    const esr = this.#vcpu.getRegister("ESR_EL1");
    if (esr === 0n) return undefined;
    this.#vcpu.setRegister("ESR_EL1", 0n);
    return `exception to EL1 with ESR 0x${esr.toString(16)}`;
  }

  /**
   * Registers into the hot CPU state, where the resident vCPU's state is: field by field would
   * take longer than the instruction.
   */
  #store(): void {
    const { halves } = this.registers, state = this.#state;
    state.set(halves.subarray(0, 62), xAddress(0) >> 2);
    const doubleword = (address: number, word: number) => state.set(halves.subarray(2 * word, 2 * word + 2), address >> 2);
    doubleword(xAddress(Slot.SP), Registers.SP);
    doubleword(CPU.PC, Registers.PC);
    state[CPU.FPCR >> 2] = halves[2 * Registers.FPCR];
    state[CPU.FPSR >> 2] = halves[2 * Registers.FPSR];
    const nzcv = halves[2 * Registers.NZCV];
    // See CPU: N and V are signs, Z is set when the doubleword is zero.
    state[(CPU.N >> 2) + 1] = nzcv & 0x8000_0000;
    state[CPU.Z >> 2] = nzcv & 0x4000_0000 ? 0 : 1;
    state[(CPU.Z >> 2) + 1] = 0;
    state[CPU.C >> 2] = nzcv >>> 29 & 1;
    state[(CPU.V >> 2) + 1] = nzcv << 3 & 0x8000_0000;
    state.set(halves.subarray(2 * Registers.V), vAddress(0) >> 2);
  }

  /** The opposite of `#store`. */
  #load(): void {
    const { halves } = this.registers, state = this.#state;
    halves.set(state.subarray(xAddress(0) >> 2, (xAddress(0) >> 2) + 62));
    const doubleword = (address: number, word: number) => {
      halves[2 * word] = state[address >> 2];
      halves[2 * word + 1] = state[(address >> 2) + 1];
    };
    doubleword(xAddress(Slot.SP), Registers.SP);
    doubleword(CPU.PC, Registers.PC);
    halves[2 * Registers.FPCR] = state[CPU.FPCR >> 2];
    halves[2 * Registers.FPSR] = state[CPU.FPSR >> 2];
    const zero = (state[CPU.Z >> 2] | state[(CPU.Z >> 2) + 1]) === 0;
    halves[2 * Registers.NZCV] = state[(CPU.N >> 2) + 1] & 0x8000_0000 | (zero ? 0x4000_0000 : 0) | state[CPU.C >> 2] << 29 |
      state[(CPU.V >> 2) + 1] >>> 3 & 0x1000_0000;
    halves.set(state.subarray(vAddress(0) >> 2, (vAddress(0) >> 2) + 128), 2 * Registers.V);
  }

  /**
   * Flat tables of 2 MiB blocks, normal write-back memory. Data can be reached from EL0, for LDTR
   * and STTR; code cannot, or EL1 might not execute it. With 39-bit addresses, level 1 is the
   * first.
   */
  #turnMmuOn(): void {
    const block = 0x705n; // AF, inner shareable, attribute 1, block
    const unprivileged = 0x40n; // AP[1]
    const view = new DataView(this.memory.buffer, this.memory.byteOffset);
    const levelTwo = Layout.tables + 0x1000;
    view.setBigUint64(Layout.tables - Layout.base + 8, BigInt(levelTwo) | 3n, true);
    for (let at: number = Layout.base; at < Layout.base + Layout.size; at += BLOCK_SIZE) {
      const descriptor = BigInt(at) | block | (at === Layout.data ? unprivileged : 0n);
      view.setBigUint64(levelTwo - Layout.base + 8 * ((at - Layout.base) / BLOCK_SIZE), descriptor, true);
    }
    const vcpu = this.#vcpu;
    vcpu.setRegister("MAIR_EL1", 0xff00n);
    vcpu.setRegister("TTBR0_EL1", BigInt(Layout.tables));
    vcpu.setRegister("TCR_EL1", TCR);
    vcpu.setRegister("CPACR_EL1", 3n << 20n);
    vcpu.setRegister("SCTLR_EL1", 0xf8d0_3805n); // keys on, I, C, M and the bits that are RES1
    vcpu.names.filter((name) => /^AP[ID]?/.test(name)).forEach((name, index) => vcpu.setRegister(name, PAC_KEYS[index]));
  }
}
