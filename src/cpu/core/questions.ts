// Questions about a vCPU: translations of its addresses, and what its next instructions do, from a
// copy of its state.

import type { Cpu } from "../isa/cpus/cpus.ts";
import type { InstructionSet } from "../isa/instruction-set.ts";
import { Pstate } from "./architecture/exceptions.ts";
import type { CoreExports } from "./core-module.ts";
import type { CoreQuestions, Translation, VcpuState } from "./interface.ts";
import { Rights } from "./memory/mmu.ts";
import { AccessKind, Fault, type RamLayout } from "./memory/translation.ts";
import type { Processor } from "./outlook/copied-state.ts";
import { Evaluation, type Prospect } from "./outlook/evaluation.ts";
import { type AccessedMemory, accessesOf } from "./outlook/memory-accesses.ts";
import { type Outlook, outlookOf } from "./outlook/outlook.ts";
import { type Regime, regimeOf } from "./registers/regime.ts";
import { contextOf, type Residency } from "./residency.ts";
import type { CpuFields } from "./state/cpu-fields.ts";
import { CPU, EL2_BANK } from "./state/cpu-state.ts";
import { Access } from "./state/functions.ts";

/** The parts of a core that are asked. */
interface AskedCore {
  readonly cpu: Cpu;
  readonly ram: RamLayout;
  readonly instructions: InstructionSet;
  readonly fields: CpuFields;
  readonly view: DataView;
  readonly exports: CoreExports;
  readonly residency: Residency;
}

export class Questions implements CoreQuestions {
  constructor(readonly core: AskedCore) {}

  outlook(vcpu: VcpuState, prospect: Prospect): Outlook {
    // The evaluation knows the exceptions and interrupts of EL1 and EL0 alone.
    if (vcpu.hasEl2) return { kind: "leaves", how: "other", pc: vcpu.pc, inputs: [] };
    return outlookOf(this.evaluation(vcpu, prospect));
  }

  accesses(vcpu: VcpuState, pc?: bigint): readonly AccessedMemory[] {
    return accessesOf(vcpu, this.#processorOf(vcpu), pc);
  }

  /** The evaluation of a vCPU's next code on a copy of its state. */
  evaluation(vcpu: VcpuState, prospect: Prospect): Evaluation {
    return new Evaluation(vcpu, prospect, this.#processorOf(vcpu));
  }

  #processorOf(vcpu: VcpuState): Processor {
    const { ram: { base, size, wasmAddress }, view } = this.core;
    const memory = {
      translate: (va: bigint, kind: number, pstate: number) =>
        this.#leavingNoTrace(vcpu, () => {
          const found = this.#walk(vcpu, va, kind, pstate), rights = this.core.fields.WALK_RIGHTS;
          const place = { isDevice: (rights & Rights.Device) !== 0, isGuarded: (rights & Rights.Guarded) !== 0 };
          if (found.ok) return { pa: found.pa, ...place };
          // An address that stage 2 does not map is a device's, or nobody's: outside of RAM.
          return found.stage === 1 ? { fsc: found.fsc, isDevice: place.isDevice } : { pa: -1, ...place };
        }),
      read: (pa: number, bytes: number) => {
        if (pa < base || pa + bytes > base + size) return undefined;
        let value = 0n;
        for (let index = bytes - 1; index >= 0; index--) value = value << 8n | BigInt(view.getUint8(pa - base + wasmAddress + index));
        return value;
      },
    };
    const { instructions, cpu: { features }, residency } = this.core;
    return { instructions, features, memory, monitor: residency.monitorOf(contextOf(vcpu)) };
  }

  inspect(vcpu: VcpuState, va: bigint, access: "read" | "write" = "read", regime?: Regime): Translation {
    return this.#leavingNoTrace(vcpu, () => this.translate(vcpu, va, access, 1, regime));
  }

  #leavingNoTrace<T>(vcpu: VcpuState, question: () => T): T {
    const { residency, fields } = this.core, resident = residency.vcpu, exclusive = fields.EXCLUSIVE;
    const answer = question();
    if (resident && resident !== vcpu) {
      residency.enter(resident);
      fields.EXCLUSIVE = exclusive;
    }
    return answer;
  }

  /** `Core.translate`. @param regime by default that in use */
  translate(vcpu: VcpuState, va: bigint, access: "read" | "write", el: 0 | 1, regime = regimeOf(vcpu)): Translation {
    const kind = AccessKind.IgnorePan | (access === "write" ? AccessKind.Write : 0) | (el === 0 ? Access.Unprivileged : 0);
    const { residency, fields } = this.core;
    residency.enter(contextOf(vcpu));
    const { PSTATE: pstate, REGIME_BANK: bank } = fields, privileged = regime === "EL1&0" ? Pstate.EL1t : Pstate.EL2t;
    fields.REGIME_BANK = regime === "EL1&0" ? 0 : EL2_BANK;
    const found = this.#walk(vcpu, va, kind, el === 1 ? pstate & ~Pstate.ElMask | privileged : pstate);
    fields.REGIME_BANK = bank;
    return found;
  }

  /** @param pstate whose EL and PAN the access is made with */
  #walk(vcpu: VcpuState, va: bigint, kind: number, pstate: number): Translation {
    const { fields: cpu, residency, exports, view, ram } = this.core;
    residency.enter(contextOf(vcpu));
    const before = cpu.PSTATE;
    cpu.PSTATE = pstate;
    const wasmAddress = exports.translate(BigInt.asIntN(64, va), kind | AccessKind.Observe | 1) >>> 0;
    cpu.PSTATE = before;
    const ipa = Number(view.getBigUint64(CPU.WALK_IPA, true));
    if (wasmAddress) return { ok: true, pa: wasmAddress - ram.wasmAddress + ram.base, ipa };
    const fault = cpu.FAULT;
    if (fault === Fault.Bus) return { ok: true, pa: Number(view.getBigUint64(CPU.WALK_PA, true)), ipa };
    const failed = { ok: false, stage: fault === Fault.Stage1 ? 1 : 2, fsc: cpu.FAULT_STATUS, ipa } as const;
    return fault === Fault.Stage2OnWalk ? { ...failed, walkLevel: cpu.WALK_LEVEL } : failed;
  }

  /** The word at a vCPU's PC, or 0 where none can be read. */
  wordAt(vcpu: VcpuState): number {
    const { ram, view } = this.core, here = this.inspect(vcpu, vcpu.pc);
    return here.ok ? view.getInt32(4 * (here.pa - ram.base + ram.wasmAddress >>> 2), true) : 0;
  }
}
