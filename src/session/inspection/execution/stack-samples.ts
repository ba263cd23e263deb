// Samples of the call stack of the vCPU that executes instructions. Taking one changes nothing in
// the machine; names come later, as a kernel's symbols are not known while it starts.

import { type Hypervisor, stackPointer, type Vcpu } from "../../../machine/hypervisor/inspect.ts";
import { UPPER_HALF } from "../../../kit/formats/page-tables.ts";
import { CodeFrames } from "../../../inside/symbols/code-frames.ts";
import { type FrameRules, guestReader, standingReader, unwind, unwoundOf } from "../../../inside/symbols/unwind.ts";
import type { VmSymbols } from "../../../inside/symbols/vm-symbols.ts";
import { functionsAt } from "./code-names.ts";
import type { CodeNames, ModuleCode } from "./module-code.ts";

/** The parts of a machine that are sampled. */
interface SampledSystem {
  readonly hypervisor: Hypervisor;
  readonly symbols: VmSymbols;
}

/** Functions that were executed in calls of each other, in the same order. */
export interface SampledStack {
  /** The VM, then functions from the outermost. */
  readonly frames: readonly string[];
  readonly samples: number;
}

interface Addresses {
  readonly vm: string;
  /** The innermost first. */
  readonly addresses: readonly bigint[];
  samples: number;
}

/**
 * The rules of code, without those of a kernel's functions that have called another one: kernels
 * have frame records, and to read the code of each function would take longer than its samples.
 */
const rulesFrom = (code: FrameRules, pc: bigint): FrameRules => ({
  at: (address) => address < UPPER_HALF || address === pc ? code.at(address) : undefined,
});

export class StackSamples {
  readonly #stacks = new Map<string, Addresses>();
  /** Analyzed functions of the VM with these tables of stage 2, by its symbols. */
  readonly #code = new Map<number, { readonly tables: number; readonly frames: CodeFrames }>();

  /** @param modules names the code of modules that are unloaded later */
  constructor(readonly modules?: ModuleCode) {}

  /** Takes a sample of a machine that is suspended in the middle of a turn; false: none runs. */
  sample({ hypervisor, symbols }: SampledSystem): boolean {
    const cpu = hypervisor.machine.suspendedCpu, vcpu = cpu && hypervisor.scheduler.runsOn(cpu.index);
    if (!vcpu || vcpu.native || !vcpu.addressSpace) return false;
    const vm = hypervisor.names.vm(vcpu.addressSpace.vmid), addresses = this.#addresses(vm, vcpu, hypervisor, symbols);
    const key = `${vm} ${addresses.join()}`, known = this.#stacks.get(key);
    if (known) known.samples++;
    else this.#stacks.set(key, { vm, addresses, samples: 1 });
    return true;
  }

  #addresses(vm: string, vcpu: Vcpu, { machine: { ram } }: Hypervisor, symbols: VmSymbols): bigint[] {
    const { registers } = vcpu, sp = registers.getRegister(stackPointer(vcpu));
    const read = standingReader(symbols.core, ram, vcpu), tables = symbols.all(vm);
    let code = this.#code.get(registers.stage2);
    if (code?.tables !== tables.length) {
      this.#code.set(
        registers.stage2,
        code = { tables: tables.length, frames: new CodeFrames(tables, guestReader(symbols.core, ram, vcpu)) },
      );
    }
    this.modules?.now(vm, symbols.loaded(vm));
    // The first function of a stack has no caller, or one at 0.
    return unwind(unwoundOf(vcpu), sp, read, symbols.infos(vm), rulesFrom(code.frames, registers.pc)).filter(({ pc }) => pc !== 0n)
      .map(({ at }) => this.modules?.addressOf(vm, at) ?? at);
  }

  /** All samples by functions, the most frequent stacks first. */
  stacks(names: (vm: string) => CodeNames): SampledStack[] {
    const found = new Map<string, { readonly frames: readonly string[]; samples: number }>();
    const known = new Map<string, { readonly names: CodeNames; readonly functions: Map<bigint, readonly string[]> }>();
    for (const { vm, addresses, samples } of this.#stacks.values()) {
      let ofVm = known.get(vm);
      if (!ofVm) known.set(vm, ofVm = { names: names(vm), functions: new Map() });
      const { names: named, functions } = ofVm;
      const frames = [
        vm,
        ...addresses.flatMap((address) => {
          let at = functions.get(address);
          if (!at) functions.set(address, at = functionsAt(named, address));
          return at;
        }).reverse(),
      ];
      const key = JSON.stringify(frames), one = found.get(key);
      if (one) one.samples += samples;
      else found.set(key, { frames, samples });
    }
    return [...found.values()].sort((a, b) => b.samples - a.samples || (a.frames.join() < b.frames.join() ? -1 : 1));
  }
}
