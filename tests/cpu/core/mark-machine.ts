// `mark` (bench/suites/mark) on a core alone: its kernels are loops, calls, indirect branches,
// exclusives, floats and vectors with the MMU on.

import assert from "node:assert/strict";
import { type CoreOptions, WasmCore } from "../../../src/cpu/core/core.ts";
import { ExceptionClass, exceptionClass } from "../../../src/cpu/core/architecture/exceptions.ts";
import { ExitReason, Stage2Flags } from "../../../src/cpu/core/interface.ts";
import { CORE_SIZE } from "../../../src/cpu/core/state/layout.ts";
import type { VcpuContext } from "../../../src/cpu/core/registers/vcpu-context.ts";
import { readElf } from "../../../src/kit/formats/elf.ts";
import { assemble } from "./program.ts";

const RAM_BASE = 0x4000_0000;
const RAM_SIZE = 0x100_0000;
const UART = 0x0900_0000;
/** Vectors of ours: the program has none for interrupts. */
export const VECTORS = RAM_BASE + 0xf0_0000;
/** IRQ with SP_ELx. */
const IRQ_VECTOR = 0x280;
/** Memory of the handler's counter and of the registers that it saves. */
const COUNTER = VECTORS + 0x1000;

/** Counts, with the time at which it does so. Its stack is the program's. */
const HANDLER = assemble([
  ["stp x0, x1, [sp, #-16]!", 0xa9bf07e0],
  ["mrs x1, cntvct_el0", 0xd53be041],
  ["mrs x0, vbar_el1", 0xd538c000],
  ["add x0, x0, #0x1, lsl #12", 0x91400400],
  ["str x1, [x0, #8]", 0xf9000401],
  ["ldr x1, [x0]", 0xf9400001],
  ["add x1, x1, #0x1", 0x91000421],
  ["str x1, [x0]", 0xf9000001],
  ["ldp x0, x1, [sp], #16", 0xa8c107e0],
  ["eret", 0xd69f03e0],
]);

/** One machine that runs the program in a tier. */
export class MarkMachine {
  readonly core: WasmCore;
  readonly vcpu: VcpuContext;
  readonly #memory: Uint32Array;
  now = 0;
  ended = false;

  constructor(elf: Uint8Array, options: CoreOptions) {
    const pages = (CORE_SIZE + RAM_SIZE) / 0x1_0000;
    const memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
    this.core = new WasmCore(memory, { base: RAM_BASE, size: RAM_SIZE, wasmAddress: CORE_SIZE }, options);
    const bytes = new Uint8Array(memory.buffer, CORE_SIZE);
    const { entry, segments } = readElf(elf);
    for (const { address, bytes: contents } of segments) bytes.set(contents, address - RAM_BASE);
    this.#memory = new Uint32Array(memory.buffer, CORE_SIZE, RAM_SIZE / 4);
    this.#memory.set(HANDLER, (VECTORS + IRQ_VECTOR - RAM_BASE) / 4);
    const stage2 = this.core.stage2Pool.create();
    assert.ok(stage2);
    stage2.map(RAM_BASE, RAM_BASE, RAM_SIZE, Stage2Flags.Read | Stage2Flags.Write | Stage2Flags.ExecuteEl1 | Stage2Flags.ExecuteEl0);
    stage2.map(UART, UART, 4096, Stage2Flags.Read | Stage2Flags.Write | Stage2Flags.Device);
    this.vcpu = this.core.createVcpu();
    this.vcpu.stage2 = stage2.id;
    this.vcpu.pc = BigInt(entry);
  }

  /** Runs for `count` instructions, or up to a breakpoint; its output goes nowhere. */
  run(count: number): void {
    for (const end = this.now + count; this.now < end && !this.ended;) {
      const exit = this.core.run(this.vcpu, this.now, end - this.now, this.now);
      this.now += exit.retired;
      if (exit.reason === ExitReason.Breakpoint) return;
      if (exit.reason === ExitReason.Bus) {
        const isLoad = (exit.esr & 1 << 6) === 0;
        if (isLoad) this.core.completeRead(this.vcpu, exit.esr, 0n);
        else this.core.skip(this.vcpu);
      } else if (exit.reason === ExitReason.Trap) {
        assert.equal(exceptionClass(exit.esr), ExceptionClass.Hvc);
        this.ended = true;
      } else assert.ok(exit.reason === ExitReason.Budget || exit.reason === ExitReason.Yield, `exit ${exit.reason}`);
    }
  }

  /** The instruction at an address, which the program maps where it is in RAM. */
  word = (address: bigint): number => this.#memory[(Number(address) - RAM_BASE) / 4];

  get interrupts(): number {
    return this.#memory[(COUNTER - RAM_BASE) / 4];
  }

  /** All registers; with all of RAM where that is asked for. */
  state(withMemory: boolean): string {
    const { vcpu } = this, parts = [this.now, vcpu.pc, vcpu.pstate, ...Array.from({ length: 31 }, (_, i) => vcpu.getX(i))];
    for (let i = 0; i < 32; i++) parts.push(...vcpu.getV(i));
    for (const name of vcpu.names) parts.push(vcpu.getRegister(name));
    if (withMemory) {
      let hash = 0;
      for (const word of this.#memory) hash = Math.imul(hash ^ word, 0x9e3779b1) + (hash >>> 15) | 0;
      parts.push(hash);
    }
    return parts.map((part) => part.toString(16)).join(" ");
  }
}
