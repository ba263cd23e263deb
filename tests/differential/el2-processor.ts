// Our core as a processor for differential tests: EL1, MMU on with flat tables, so that unaligned accesses are to normal memory.

import { WasmCore } from "../../src/core/core.ts";
import { ExitReason, Stage2Flags, type VcpuState } from "../../src/core/interface.ts";
import { CORE_SIZE } from "../../src/core/layout.ts";
import { Layout } from "./instruction-cases.ts";
import { Registers } from "./unicorn.ts";

const WASM_PAGE = 0x1_0000;
/** What a descriptor of level 2 maps. It is `Layout.dataSize`. */
const BLOCK_SIZE = 0x20_0000;
const PSTATE_EL1H_MASKED = 0x3c5;
const NZCV_MASK = 0xf000_0000;

/** One processor with memory `Layout.size` at `Layout.base`. */
export class El2Processor {
  readonly registers = new Registers();
  /** Its memory, from `Layout.base` on. */
  readonly memory: Uint8Array;
  readonly #core: WasmCore;
  readonly #vcpu: VcpuState;

  /** @param contents what the memory holds at first. */
  constructor(contents: Uint8Array) {
    const pages = (CORE_SIZE + Layout.size) / WASM_PAGE;
    const memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
    this.memory = new Uint8Array(memory.buffer, CORE_SIZE, Layout.size);
    this.memory.set(contents);
    this.#core = new WasmCore(memory, { base: Layout.base, size: Layout.size, host: CORE_SIZE });
    this.#vcpu = this.#core.createVcpu();
    const stage2 = this.#core.stage2Pool.create();
    if (!stage2) throw new Error("no stage-2 table is left in a fresh core");
    const rights = Stage2Flags.Read | Stage2Flags.Write | Stage2Flags.ExecuteEl1 | Stage2Flags.ExecuteEl0;
    stage2.map(Layout.base, Layout.base, Layout.size, rights);
    this.#vcpu.stage2 = stage2.id;
    this.#turnMmuOn();
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

  /**
   * Executes `count` instructions from `registers` on and leaves the result there.
   * @returns undefined, or what stopped it.
   */
  run(count: number): string | undefined {
    const { words } = this.registers;
    const vcpu = this.#vcpu;
    for (let index = 0; index < 31; index++) vcpu.setX(index, words[index]);
    vcpu.setRegister("SP_EL1", words[Registers.SP]);
    vcpu.pc = words[Registers.PC];
    vcpu.pstate = (PSTATE_EL1H_MASKED | Number(words[Registers.NZCV])) >>> 0;
    vcpu.setRegister("FPCR", words[Registers.FPCR]);
    vcpu.setRegister("FPSR", words[Registers.FPSR]);
    for (let index = 0; index < 32; index++) vcpu.setV(index, words[Registers.V + 2 * index], words[Registers.V + 2 * index + 1]);

    const exit = this.#core.run(vcpu, 0, count, 0);

    for (let index = 0; index < 31; index++) words[index] = vcpu.getX(index);
    words[Registers.SP] = vcpu.getRegister("SP_EL1");
    words[Registers.PC] = vcpu.pc;
    words[Registers.NZCV] = BigInt((vcpu.pstate & NZCV_MASK) >>> 0);
    words[Registers.FPCR] = vcpu.getRegister("FPCR");
    words[Registers.FPSR] = vcpu.getRegister("FPSR");
    for (let index = 0; index < 32; index++) {
      const [low, high] = vcpu.getV(index);
      words[Registers.V + 2 * index] = low;
      words[Registers.V + 2 * index + 1] = high;
    }
    if (vcpu.getRegister("ESR_EL1") !== 0n) {
      const esr = vcpu.getRegister("ESR_EL1");
      vcpu.setRegister("ESR_EL1", 0n);
      return `exception to EL1 with ESR 0x${esr.toString(16)}`;
    }
    if (exit.reason === ExitReason.Budget && exit.retired === count) return undefined;
    return `exit ${exit.reason} after ${exit.retired} instructions, ESR 0x${exit.esr.toString(16)}`;
  }

  /**
   * Flat tables of 2 MiB blocks, normal write-back memory. Data can be reached from EL0, for LDTR and STTR; code cannot, or EL1 might not
   * execute it. With 39-bit addresses, level 1 is the first.
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
    vcpu.setRegister("TCR_EL1", 0x2_0080_3519n); // 40-bit PA, EPD1, inner shareable, write-back walks, T0SZ 25
    vcpu.setRegister("CPACR_EL1", 3n << 20n);
    vcpu.setRegister("SCTLR_EL1", 0x30d0_1805n); // I, C, M and the bits that are RES1
  }
}
