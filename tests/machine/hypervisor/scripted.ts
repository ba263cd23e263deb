// VMs whose vCPUs run scripts instead of instructions: generators that compute for a while or exit
// to EL2, and see the result.

import { type Cpu, DEFAULT_CPU, parseCpu } from "../../../src/cpu/isa/cpus/cpus.ts";
import { type Identification, identificationOf } from "../../../src/cpu/isa/cpus/identification.ts";
import assert from "node:assert/strict";
import { ErrorCode } from "../../../src/machine/abi/errors.ts";
import { Access, ExtentMemoryType, ExtentType, memextentAttributes } from "../../../src/machine/abi/words.ts";
import { ExceptionClass, FaultStatus, Pstate, syndrome } from "../../../src/cpu/core/architecture/exceptions.ts";
import {
  type Core,
  type Exit,
  ExitReason,
  type RegisterName,
  Stage2Flags,
  type Stage2Table,
  type Translation,
  type VcpuProgress,
  type VcpuState,
} from "../../../src/cpu/core/interface.ts";
import { PlainVcpuState } from "../../support/plain-vcpu-state.ts";
import { Stage2Pool } from "../../../src/cpu/core/memory/stage2.ts";
import { Machine, type RunResult } from "../../../src/machine/hardware/machine.ts";
import { CORE_REGION_SIZE, memoryMap, MINIMUM_PLATFORM_MEMORY } from "../../../src/machine/hardware/memory-map.ts";
import { AddressSpace } from "../../../src/machine/hypervisor/memory/addrspace.ts";
import { Memextent } from "../../../src/machine/hypervisor/memory/memextent.ts";
import type { Behaviour } from "../../../src/machine/hypervisor/services/behaviour.ts";
import { Cspace } from "../../../src/machine/hypervisor/capabilities/cspace.ts";
import { Icc } from "../../../src/machine/hypervisor/gic/gic-registers.ts";
import type { ObjectClass } from "../../../src/machine/hypervisor/capabilities/object-types.ts";
import { Hypervisor } from "../../../src/machine/hypervisor/hypervisor.ts";
import type { HypervisorObject } from "../../../src/machine/hypervisor/capabilities/object.ts";
import { Vcpu } from "../../../src/machine/hypervisor/scheduling/vcpu.ts";
import { Vic } from "../../../src/machine/hypervisor/gic/vic.ts";
import { Irq } from "../../../src/machine/hypervisor/gic/irq-bank.ts";
import { VpmGroup } from "../../../src/machine/hypervisor/scheduling/vpm-group.ts";
import { PAGE_SIZE } from "../../../src/kit/support/values/sizes.ts";

/** One step of a script: instructions, or an exit. */
export type Step = { readonly compute: number } | Partial<Exit> & { readonly reason: number };

/** A vCPU's script. Restarted by every power-on; it computes for ever at its end. */
export type Script = (registers: ScriptedState) => Generator<Step, void, void>;

/** Registers of a scripted vCPU. */
export class ScriptedState extends PlainVcpuState {
  script: Script = function* () {};
  running: Generator<Step, void, void> | undefined;
  left = 0;
  /** Exceptions that were injected. */
  readonly exceptions: { esr: number; far: bigint | undefined }[] = [];

  override setRegister(name: RegisterName, value: bigint): void {
    super.setRegister(name, value);
    // A power-on resets SCTLR: the script starts over.
    if (name === "SCTLR_EL1") this.running = undefined;
  }
}

class ScriptedCore implements Core {
  readonly identification: Identification;
  /** @param script what a vCPU does that no test has given another */
  constructor(readonly script: Script, readonly cpu: Cpu) {
    this.identification = identificationOf(cpu.features);
  }

  createVcpu(): VcpuState {
    const state = new ScriptedState(0);
    state.script = this.script;
    return state;
  }
  releaseVcpu(): void {}
  run(state: VcpuState, _now: number, budget: number): Exit {
    const vcpu = state as ScriptedState;
    let retired = 0;
    while (retired < budget) {
      if (vcpu.left === 0) {
        vcpu.running ??= vcpu.script(vcpu);
        const { value, done } = vcpu.running.next();
        if (done) vcpu.left = Infinity;
        else if ("compute" in value) vcpu.left = value.compute;
        else return { retired, esr: 0, far: 0n, ipa: 0, pa: 0, ...value } as Exit;
      }
      const some = Math.min(vcpu.left, budget - retired);
      vcpu.left -= some;
      retired += some;
    }
    return { reason: ExitReason.Budget, retired, esr: 0, far: 0n, ipa: 0, pa: 0 };
  }
  completeRead(state: VcpuState, esr: number, value: bigint): void {
    const isRegister = esr >>> 26 === ExceptionClass.SystemRegister;
    state.setX(isRegister ? esr >>> 5 & 31 : esr >>> 16 & 31, value);
    this.skip(state);
  }
  storeValue(state: VcpuState, esr: number): bigint {
    if (esr >>> 26 === ExceptionClass.SystemRegister) return state.getX(esr >>> 5 & 31);
    return BigInt.asUintN(8 << (esr >>> 22 & 3), state.getX(esr >>> 16 & 31));
  }
  skip(state: VcpuState): void {
    state.pc = BigInt.asUintN(64, state.pc + 4n);
  }
  takeException(state: VcpuState, esr: number, far?: bigint): void {
    (state as ScriptedState).exceptions.push({ esr, far });
  }
  /** The stage-2 tables of a vCPU; scripts run with stage 1 off. */
  stage2Of: (id: number) => Stage2Table | undefined = () => undefined;

  translate(state: VcpuState, va: bigint, access: "read" | "write"): Translation {
    const ipa = Number(va);
    const page = this.stage2Of(state.stage2)?.lookup(ipa);
    const needs = access === "read" ? Stage2Flags.Read : Stage2Flags.Write;
    if (page && page.flags & needs) return { ok: true, pa: page.pa + ipa % PAGE_SIZE, ipa };
    return { ok: false, stage: 2, fsc: (page ? FaultStatus.Permission : FaultStatus.Translation) | 3, ipa };
  }
  invalidateStage2(): void {}
  memoryWritten(): void {}
  flush(): void {}
  progress(): VcpuProgress {
    return { monitor: undefined, stepped: "none" };
  }
  setProgress(): void {}
}

// Exits, as scripts yield them.
export const hvc = (immediate: number): Step => ({ reason: ExitReason.Trap, esr: syndrome(ExceptionClass.Hvc, immediate) });
export const smc = (immediate: number): Step => ({ reason: ExitReason.Trap, esr: syndrome(ExceptionClass.Smc, immediate) });
export const wfi: Step = { reason: ExitReason.Trap, esr: syndrome(ExceptionClass.Wfx, 0) };
export const wfe: Step = { reason: ExitReason.Trap, esr: syndrome(ExceptionClass.Wfx, 1) };
export const timerWritten: Step = { reason: ExitReason.Timer };
/** MRS X1 or MSR from X1. */
export const sysreg = (read: boolean, op0: number, op1: number, crn: number, crm: number, op2: number): Step => ({
  reason: ExitReason.Trap,
  esr: syndrome(ExceptionClass.SystemRegister, op0 << 20 | op2 << 17 | op1 << 14 | crn << 10 | 1 << 5 | crm << 1 | Number(read)),
});
/** A load to X1, or a store from X1, that stage 2 refuses. */
export const dataAbort = (write: boolean, ipa: number, sizeLog2: number, iss = 0): Step => ({
  reason: ExitReason.Trap,
  esr: syndrome(ExceptionClass.DataAbortLower, 1 << 24 | sizeLog2 << 22 | 1 << 16 | Number(write) << 6 | 7 | iss),
  ipa,
  far: BigInt(ipa),
});

/** A machine with a hypervisor on scripted vCPUs. */
export class ScriptedMachine {
  readonly machine: Machine;
  readonly hypervisor: Hypervisor;

  constructor(cpus = 1, script: Script = function* () {}, behaviour: Partial<Behaviour> = {}, cpu = DEFAULT_CPU) {
    const map = memoryMap(MINIMUM_PLATFORM_MEMORY);
    const pages = map.wasmSize / 0x1_0000;
    const wasm = new WebAssembly.Memory({ initial: pages, maximum: pages });
    const core = new ScriptedCore(script, parseCpu(cpu));
    this.machine = new Machine(wasm, map, core, cpus);
    const stage2 = new Stage2Pool(wasm, CORE_REGION_SIZE - 0x100_0000, 0x100_0000);
    this.hypervisor = new Hypervisor(this.machine, { stage2, seed: 1, behaviour });
    core.stage2Of = (id) => [...this.hypervisor.addressSpaces.values()].find((one) => one.stage2.id === id)?.stage2;
  }

  /** Runs for `ns` of virtual time; waiting CPUs jump to the next event. */
  run(ns: number): RunResult {
    const until = this.machine.time + ns;
    for (;;) {
      const result = this.machine.run(until);
      if (result.kind !== "idle") return result;
      if (result.next === Infinity || result.next > until) {
        this.machine.skipTo(until);
        return result;
      }
      this.machine.skipTo(result.next);
    }
  }

  create<O extends HypervisorObject>(type: ObjectClass<O>): O {
    const object = this.hypervisor.rootPartition.create(type);
    assert.ok(typeof object === "object");
    return object;
  }
}

export const INFO_IPA = 0x7000_0000n;

/** Options of a test VM's vCPUs. */
export interface VmOptions {
  readonly options?: bigint;
  readonly priority?: number;
  readonly timeslice?: number;
  /** Physical CPU of each vCPU; vCPU i has CPU i unless given. */
  readonly affinity?: (index: number) => number;
  /** Physical address of the page of its info area, which its vCPUs see at `INFO_IPA`. */
  readonly infoArea?: number;
  /** Without: no VPM group. */
  readonly group?: "aggregated" | "independent";
}

/** A VM: cspace, address space, VIC with 64 vIRQs, VPM group, vCPUs that run scripts. */
export class ScriptedVm {
  readonly cspace: Cspace;
  readonly addressSpace: AddressSpace;
  readonly vic: Vic;
  readonly group: VpmGroup | undefined;
  readonly vcpus: readonly Vcpu[];

  constructor(readonly owner: ScriptedMachine, vmid: number, scripts: readonly Script[], options: VmOptions = {}) {
    this.cspace = owner.create(Cspace);
    this.cspace.configure(64);
    this.addressSpace = owner.create(AddressSpace);
    this.addressSpace.configure(vmid);
    if (options.infoArea !== undefined) {
      const page = owner.create(Memextent);
      page.configure(BigInt(options.infoArea), BigInt(PAGE_SIZE), memextentAttributes(Access.RWX, ExtentMemoryType.Any, ExtentType.Basic));
      assert.equal(page.activate(), ErrorCode.OK);
      assert.equal(this.addressSpace.configureInfoArea(page, INFO_IPA), ErrorCode.OK);
    }
    this.vic = owner.create(Vic);
    this.vic.configure(scripts.length, 64, 0n, 0);
    if (options.group) {
      this.group = owner.create(VpmGroup);
      this.group.configure(options.group === "aggregated");
    }
    for (const object of [this.cspace, this.addressSpace, this.vic, ...this.group ? [this.group] : []]) {
      assert.equal(object.activate(), ErrorCode.OK);
    }
    this.vcpus = scripts.map((script, index) => this.#createVcpu(script, index, options));
  }

  #createVcpu(script: Script, index: number, options: VmOptions): Vcpu {
    const vcpu = this.owner.create(Vcpu);
    vcpu.attachments.attachCspace(this.cspace);
    assert.equal(this.addressSpace.attachThread(vcpu), ErrorCode.OK);
    vcpu.attachments.attachVic(this.vic, index);
    if (this.group) vcpu.attachments.attachVpmGroup(this.group, index);
    vcpu.settings.setOptions(options.options ?? 0n);
    vcpu.settings.setPriority(options.priority ?? vcpu.settings.priority);
    vcpu.settings.setTimeslice(options.timeslice ?? vcpu.settings.timeslice);
    vcpu.settings.setAffinity(options.affinity ? options.affinity(index) : index);
    this.state(vcpu).script = script;
    assert.equal(vcpu.activate(), ErrorCode.OK);
    // A guest's GIC driver, whose interrupt is SPI 40.
    this.vic.gic.groups = 2;
    vcpu.gic.writeRegister(Icc.PMR, 0xffn);
    vcpu.gic.writeRegister(Icc.IGRPEN1, 1n);
    for (const intid of [27, 30, 40]) this.vic.gic.update(vcpu.gic, intid, Irq.Enabled | Irq.Group1, 0);
    return vcpu;
  }

  /** The scripted registers of a vCPU. */
  state(vcpu: Vcpu): ScriptedState {
    return vcpu.registers as ScriptedState;
  }

  /** Capability id of a new object's master in the VM's cspace. */
  grant(object: HypervisorObject): bigint {
    const id = object.holders.length === 0
      ? this.cspace.insertMaster(object)
      : this.cspace.insertCopy(object.holders[0].cspace, object.holders[0].cspace.idOf(object.holders[0]), 0xffff_ffff);
    assert.ok(typeof id === "bigint");
    return id;
  }

  start(index = 0): void {
    this.vcpus[index].powerOn(0x4000_0000n, 0n);
  }
}

/** PSTATE of a vCPU right after its power-on. */
export const RESET_PSTATE = Pstate.EL1h | Pstate.Daif;
