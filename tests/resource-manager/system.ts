// A machine with the real hypervisor and the Resource Manager; the primary VM and its guests are native programs that do what a test
// says. No AArch64 code runs, so a whole VM's life takes milliseconds.

import assert from "node:assert/strict";
import type { NativeGuest, NativeVcpu } from "../../src/abi/native-guest.ts";
import { devicetree, node } from "../../src/devicetree/tree.ts";
import { writeDevicetree } from "../../src/devicetree/writer.ts";
import { createHypervisor } from "../../src/hypervisor/create-hypervisor.ts";
import type { Hypervisor } from "../../src/hypervisor/hypervisor.ts";
import { ANY_CAP } from "../../src/hypervisor/cspace.ts";
import { NativeExecution } from "../../src/hypervisor/native.ts";
import { Vcpu } from "../../src/hypervisor/vcpu.ts";
import { DEFAULT_PRIMARY_IMAGES, type RootVm } from "../../src/hypervisor/root-vm.ts";
import type { Machine } from "../../src/machine/machine.ts";
import { ResourceManager } from "../../src/resource-manager/resource-manager.ts";
import { createTestHypervisor } from "../hypervisor/fixture.ts";

/** Virtual time between two looks of a puppet at what it shall do, ns. */
const LOOK_INTERVAL = 10_000;
/** Virtual time after which something is held to never happen, ns. */
const PATIENCE = 200_000_000;

/** The primary VM's program: it does what a test says, when its timer fires next. */
export class Puppet implements NativeGuest {
  vcpu: NativeVcpu | undefined;
  action: (() => void) | undefined;
  /** What the last vcpu_run gave: error, state and data; undefined while it is under way. */
  ran: readonly bigint[] | undefined;

  start(vcpu: NativeVcpu): void {
    this.vcpu = vcpu;
    this.timer(vcpu);
  }

  virq(): void {}

  timer(vcpu: NativeVcpu): void {
    const action = this.action;
    this.action = undefined;
    action?.();
    vcpu.setTimer(vcpu.now + LOOK_INTERVAL);
  }

  runReturned(_vcpu: NativeVcpu, ...results: bigint[]): void {
    this.ran = results;
  }

  save(): unknown {
    return undefined;
  }

  restore(): void {}
}

/** The system. */
export class System {
  readonly machine: Machine;
  readonly hypervisor: Hypervisor;
  /** The Resource Manager; another one may take its place between two events. */
  rm = new ResourceManager();
  readonly primary = new Puppet();
  readonly #root: RootVm;

  constructor(memory = 0x4000_0000, cpus = 8) {
    const { machine, options } = createTestHypervisor(cpus, memory);
    this.machine = machine;
    const { hypervisor, root } = createHypervisor(machine, { ...options, resourceManager: () => this.#replaceableRm() });
    this.hypervisor = hypervisor;
    this.#root = root;
    const tree = devicetree(node("", { "#address-cells": 2, "#size-cells": 2 }, [node("chosen")]));
    machine.ram.write(DEFAULT_PRIMARY_IMAGES.devicetree, writeDevicetree(tree));
    this.hypervisor.natives.register(DEFAULT_PRIMARY_IMAGES.entry, () => this.primary);
    assert.ok(this.#until(() => this.primary.vcpu !== undefined), "the primary VM starts");
  }

  #replaceableRm(): NativeGuest {
    return {
      start: (...event) => this.rm.start(...event),
      virq: (...event) => this.rm.virq(...event),
      timer: (...event) => this.rm.timer(...event),
      runReturned: (...event) => this.rm.runReturned(...event),
      save: () => this.rm.save(),
      restore: (state) => this.rm.restore(state),
    };
  }

  /**
   * What the boot vCPU of a guest can do. A guest that is a puppet never runs: what a test has it do, it does at once, as all calls but
   * vcpu_run take no time.
   */
  guest(vmid: number): NativeVcpu {
    return new NativeExecution(this.vcpu(vmid), this.primary, 0n, 0n);
  }

  /** The boot vCPU of a VM, as the hypervisor has it. */
  vcpu(vmid: number): Vcpu {
    const cap = this.rm.state.vms.find((vm) => vm.vmid === vmid)?.objects?.vcpus[0].cap;
    const vcpu = cap === undefined ? undefined : this.#root.cspace.lookup(cap, ANY_CAP);
    assert.ok(vcpu instanceof Vcpu, `VM ${vmid} has a vCPU`);
    return vcpu;
  }

  /** Lets virtual time pass. */
  wait(ns: number): void {
    const end = this.machine.time + ns;
    this.#until(() => this.machine.time >= end);
  }

  /** Does something on the primary's vCPU and gives its result. */
  act<T>(step: (vcpu: NativeVcpu) => T): T {
    let done: { result: T } | undefined;
    this.primary.action = () => done = { result: step(this.primary.vcpu!) };
    assert.ok(this.#until(() => done !== undefined), "the primary VM does what it is told");
    return done!.result;
  }

  /** vcpu_run on the primary, once: error, state and data. */
  vcpuRun(cap: bigint, resume: readonly bigint[] = [0n, 0n, 0n]): readonly bigint[] {
    this.primary.ran = undefined;
    this.act((vcpu) => vcpu.vcpuRun(cap, resume[0], resume[1], resume[2]));
    assert.ok(this.#until(() => this.primary.ran !== undefined), "vcpu_run comes back");
    return this.primary.ran!;
  }

  #until(done: () => boolean): boolean {
    const end = this.machine.time + PATIENCE;
    while (!done()) {
      const result = this.machine.run(end, 1);
      if (result.kind === "idle" && result.next !== Infinity) this.machine.skipTo(Math.min(result.next, end));
      else if (result.kind !== "turns") return done();
    }
    return true;
  }
}
