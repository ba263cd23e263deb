// Support: a core with RAM and one vCPU, MMU off, that executes a few instructions.

import { WasmCore } from "../../../../src/cpu/core/core.ts";
import { Stage2Flags, type VcpuState } from "../../../../src/cpu/core/interface.ts";
import { CORE_SIZE } from "../../../../src/cpu/core/state/layout.ts";

const RAM = 0x4000_0000;
const RAM_SIZE = 0x20_0000;
/** Instructions run from here. */
export const CODE = 0x4000_0000;
/** Data of the tests. */
export const DATA = 0x4010_0000;

/** PSTATE with all interrupts masked. */
export const EL1H = 0x3c5;
export const EL0T = 0x3c0;

export class Machine {
  readonly core: WasmCore;
  readonly vcpu: VcpuState;
  /** RAM from `CODE` on. */
  readonly ram: DataView;

  constructor() {
    const pages = (CORE_SIZE + RAM_SIZE) / 0x1_0000;
    const memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
    this.ram = new DataView(memory.buffer, CORE_SIZE, RAM_SIZE);
    this.core = new WasmCore(memory, { base: RAM, size: RAM_SIZE, wasmAddress: CORE_SIZE });
    this.vcpu = this.core.createVcpu();
    const stage2 = this.core.stage2Pool.create();
    if (!stage2) throw new Error("no stage-2 table");
    stage2.map(RAM, RAM, RAM_SIZE, Stage2Flags.Read | Stage2Flags.Write | Stage2Flags.ExecuteEl1 | Stage2Flags.ExecuteEl0);
    this.vcpu.stage2 = stage2.id;
    this.vcpu.setRegister("CPACR_EL1", 3n << 20n);
  }

  /** Executes one instruction at an exception level. */
  execute(word: number, pstate = EL1H): void {
    this.ram.setUint32(0, word, true);
    this.core.memoryWritten(CODE, 4);
    this.vcpu.pc = BigInt(CODE);
    this.vcpu.pstate = pstate;
    this.core.run(this.vcpu, 0, 1, 0);
  }
}
