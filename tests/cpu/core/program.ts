// A whole core with a little RAM, for tests that run programs: EL1, MMU off, stage 2 flat.
// Instructions are written as assembly text with their encoding; the disassembler checks that they
// belong together.

import assert from "node:assert/strict";
import { type CoreOptions, WasmCore } from "../../../src/cpu/core/core.ts";
import type { UndefinedInstruction } from "../../../src/cpu/core/undefined-words.ts";
import { type Exit, Stage2Flags } from "../../../src/cpu/core/interface.ts";
import { CORE_SIZE } from "../../../src/cpu/core/state/layout.ts";
import type { VcpuContext } from "../../../src/cpu/core/registers/vcpu-context.ts";
import { disassemble } from "../../../src/cpu/isa/disassemble.ts";

export const RAM_BASE = 0x4000_0000;
export const RAM_SIZE = 0x40_0000;
const WASM_PAGE = 0x1_0000;

/** An instruction: its text (operands separated by a space from the mnemonic) and its encoding. */
export type Line = readonly [text: string, word: number];

/**
 * Throws unless each text is what the disassembler makes of its word. Targets of branches are left
 * out of texts.
 */
export function assemble(lines: readonly Line[]): number[] {
  return lines.map(([text, word]) => {
    assert.ok(disassemble(word, 0n).replace("\t", " ").startsWith(text), `${text} is not ${disassemble(word, 0n)}`);
    return word;
  });
}

/** A core, its memory and one vCPU. */
export class Machine {
  readonly memory: WebAssembly.Memory;
  readonly view: DataView;
  readonly core: WasmCore;
  readonly vcpu: VcpuContext;
  /** Instructions that the core called undefined. */
  readonly undefinedWords: UndefinedInstruction[] = [];
  /** Virtual time, ns. */
  now = 0;
  readonly #stage2: number;

  constructor(options: Omit<CoreOptions, "onUndefined"> = {}, ramSize: number = RAM_SIZE) {
    const pages = (CORE_SIZE + ramSize) / WASM_PAGE;
    this.memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
    this.view = new DataView(this.memory.buffer, CORE_SIZE);
    const ram = { base: RAM_BASE, size: ramSize, wasmAddress: CORE_SIZE };
    this.core = new WasmCore(this.memory, ram, { ...options, onUndefined: (instruction) => void this.undefinedWords.push(instruction) });
    const stage2 = this.core.stage2Pool.create()!;
    stage2.map(RAM_BASE, RAM_BASE, ramSize, Stage2Flags.Read | Stage2Flags.Write | Stage2Flags.ExecuteEl1 | Stage2Flags.ExecuteEl0);
    this.#stage2 = stage2.id;
    this.vcpu = this.createVcpu();
  }

  createVcpu(): VcpuContext {
    const vcpu = this.core.createVcpu();
    vcpu.stage2 = this.#stage2;
    return vcpu;
  }

  /** Places instructions. */
  load(address: number, lines: readonly Line[]): void {
    assemble(lines).forEach((word, i) => this.view.setUint32(address - RAM_BASE + 4 * i, word, true));
    this.core.memoryWritten(address, 4 * lines.length);
  }

  /** The instruction at an address in RAM. */
  word = (address: bigint): number => this.view.getUint32(Number(address) - RAM_BASE, true);

  /** Runs from `pc`, or from where it is, for exactly or at most `budget` instructions. */
  run(budget: number, pc?: number, vcpu = this.vcpu): Exit {
    if (pc !== undefined) vcpu.pc = BigInt(pc);
    const exit = this.core.run(vcpu, this.now, budget, this.now);
    this.now += exit.retired;
    return exit;
  }

  /** General registers, PC and flags, to compare states. */
  registers(vcpu = this.vcpu): string {
    const list = Array.from({ length: 31 }, (_, i) => vcpu.getX(i).toString(16));
    return [vcpu.pc.toString(16), vcpu.pstate.toString(16), vcpu.getRegister("SP_EL1").toString(16), ...list].join(" ");
  }
}
