// A core that executes scripts instead of instructions: each vCPU is a generator of what it does,
// and every step leaves the core as the instruction would. With it hypervisor, Resource Manager and
// native host are tested together without any AArch64 code.

import { DEFAULT_CPU, parseCpu } from "../../../src/cpu/isa/cpus/cpus.ts";
import { BASE_IDENTIFICATION } from "../../support/base-identification.ts";
import assert from "node:assert/strict";
import {
  type Core,
  type Exit,
  ExitReason,
  Stage2Flags,
  type Stage2Table,
  type Translation,
  type VcpuProgress,
  type VcpuState,
} from "../../../src/cpu/core/interface.ts";
import { PlainVcpuState } from "../../support/plain-vcpu-state.ts";
import type { Stage2Source } from "../../../src/machine/hypervisor/memory/page-tables.ts";

/**
 * One step of a vCPU. The result of `hvc` and `load` is that of the `yield`: X0, or the loaded
 * value.
 */
export type Step =
  | { readonly do: "store"; readonly address: number; readonly size: number; readonly value: bigint }
  | { readonly do: "load"; readonly address: number; readonly size: number }
  | { readonly do: "hvc"; readonly immediate: number; readonly x: readonly bigint[] }
  | { readonly do: "wfi" }
  /** Executes this many instructions that change nothing. */
  | { readonly do: "work"; readonly count: number };

/** The program of a vCPU: from its first instruction on. */
export type Script = (vcpu: VcpuState) => Generator<Step, void, bigint>;

/** ESR_EL2 fields. */
const IL = 1 << 25;
const Class = { Wfx: 0x01, Hvc: 0x16, DataAbort: 0x24 } as const;
const ISV = 1 << 24, SF = 1 << 15, WNR = 1 << 6;
const TRANSLATION_FAULT = 0x07;
/** Register of all loads and stores. */
const RT = 9;

/** PSTATE at power-on: EL1h, DAIF masked. */
const RESET_PSTATE = 0x3c5;

class ScriptedVcpu extends PlainVcpuState {
  running: Generator<Step, void, bigint> | undefined;
  /** The step before: its result is not taken yet. */
  last: Step | undefined;
  /** Instructions of a `work` step that are left. */
  left = 0;
}

/** Scripts of vCPUs, by the address at which they are powered on. */
export type Scripts = Readonly<Record<number, Script>>;

/** The core. */
export class ScriptedCore implements Core {
  readonly cpu = parseCpu(DEFAULT_CPU);
  readonly identification = BASE_IDENTIFICATION;
  readonly #scripts: Scripts;
  readonly #tables = new Map<number, Stage2Table>();
  readonly #exit: Exit = { reason: ExitReason.Budget, retired: 0, esr: 0, far: 0n, ipa: 0, pa: 0 };

  constructor(scripts: Scripts) {
    this.#scripts = scripts;
  }

  /** `pool` as the hypervisor uses it, with what is made of it known here. */
  stage2(pool: Stage2Source): Stage2Source {
    const create = () => {
      const tables = pool.create();
      if (tables) this.#tables.set(tables.id, tables);
      return tables;
    };
    return {
      create,
      get available() {
        return pool.available;
      },
    };
  }

  createVcpu(): VcpuState {
    return new ScriptedVcpu(RESET_PSTATE);
  }
  releaseVcpu(): void {}

  run(state: VcpuState, _now: number, budget: number): Exit {
    const vcpu = state as ScriptedVcpu;
    const script = this.#scripts[Number(vcpu.pc)];
    assert.ok(vcpu.running || script, `nothing is scripted for a vCPU that starts at 0x${vcpu.pc.toString(16)}`);
    vcpu.running ??= script(vcpu);
    for (let retired = 0;;) {
      if (vcpu.left > 0) {
        const done = Math.min(vcpu.left, budget - retired);
        vcpu.left -= done;
        retired += done;
      }
      if (retired >= budget) return this.#leave(ExitReason.Budget, budget, 0, 0);
      const next = vcpu.running.next(vcpu.last?.do === "load" ? vcpu.getX(RT) : vcpu.getX(0));
      assert.ok(!next.done, "a script ended: it must switch its VM off");
      const step = vcpu.last = next.value;
      if (step.do === "work") vcpu.left = step.count;
      else return this.#trap(vcpu, step, retired + 1);
    }
  }

  completeRead(vcpu: VcpuState, _esr: number, value: bigint): void {
    vcpu.setX(RT, value);
    this.skip(vcpu);
  }
  storeValue(vcpu: VcpuState): bigint {
    return vcpu.getX(RT);
  }
  skip(vcpu: VcpuState): void {
    vcpu.pc = BigInt.asUintN(64, vcpu.pc + 4n);
  }
  takeException(_vcpu: VcpuState, esr: number): void {
    assert.fail(`a script got an exception with ESR 0x${esr.toString(16)}`);
  }
  /** The MMU is off: a virtual address is an IPA. */
  translate(vcpu: VcpuState, va: bigint, access: "read" | "write"): Translation {
    const ipa = Number(va);
    const page = this.#tables.get(vcpu.stage2)?.lookup(ipa);
    if (page && page.flags & (access === "read" ? Stage2Flags.Read : Stage2Flags.Write)) return { ok: true, pa: page.pa + ipa % 4096, ipa };
    return { ok: false, stage: 2, fsc: TRANSLATION_FAULT, ipa };
  }
  invalidateStage2(): void {}
  memoryWritten(): void {}
  flush(): void {}
  progress(): VcpuProgress {
    return { monitor: undefined, stepped: "none" };
  }
  setProgress(): void {}

  #trap(vcpu: ScriptedVcpu, step: Exclude<Step, { do: "work" }>, retired: number): Exit {
    switch (step.do) {
      case "wfi":
        return this.#leave(ExitReason.Trap, retired, Class.Wfx << 26 | IL, 0);
      case "hvc":
        for (let index = 0; index < 8; index++) vcpu.setX(index, step.x[index] ?? 0n);
        vcpu.pc = BigInt.asUintN(64, vcpu.pc + 4n);
        return this.#leave(ExitReason.Trap, retired, Class.Hvc << 26 | IL | step.immediate, 0);
      case "store":
      case "load": {
        const store = step.do === "store";
        if (store) vcpu.setX(RT, step.value);
        const sf = step.size === 8 ? SF : 0;
        const iss = ISV | Math.log2(step.size) << 22 | RT << 16 | sf | (store ? WNR : 0) | TRANSLATION_FAULT;
        return this.#leave(ExitReason.Trap, retired, (Class.DataAbort << 26 | IL | iss) >>> 0, step.address);
      }
    }
  }

  #leave(reason: Exit["reason"], retired: number, esr: number, ipa: number): Exit {
    return Object.assign(this.#exit, { reason, retired, esr: esr >>> 0, far: BigInt(ipa), ipa, pa: 0 });
  }
}
