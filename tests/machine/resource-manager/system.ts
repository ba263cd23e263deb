// A machine with the real hypervisor and the Resource Manager; the primary VM and its guests are
// native programs that do what a test says. No AArch64 code runs, so a whole VM's life takes
// milliseconds.

import type { CallRegisters } from "../../../src/machine/abi/call-registers.ts";
import { asCapId } from "../../../src/machine/abi/numbers.ts";
import assert from "node:assert/strict";
import { type ErrorCode, errorName } from "../../../src/machine/abi/errors.ts";
import { CALL_SHAPES } from "../../../src/machine/abi/hypercall-caller.ts";
import {
  Hypercall,
  type HypercallArguments,
  type HypercallName,
  hypercallName,
  type HypercallResults,
} from "../../../src/machine/abi/hypercalls.ts";
import type { HypercallResult, NativeGuest, NativeVcpu } from "../../../src/machine/abi/native-guest.ts";
import type { FaultPort } from "../../../src/machine/abi/faults.ts";
import type { TracePort } from "../../../src/machine/abi/trace.ts";
import { devicetree, node } from "../../../src/machine/devicetree/tree.ts";
import { writeDevicetree } from "../../../src/machine/devicetree/writer.ts";
import { createHypervisor } from "../../../src/machine/hypervisor/create-hypervisor.ts";
import type { Hypervisor } from "../../../src/machine/hypervisor/hypervisor.ts";
import { ANY_CAP } from "../../../src/machine/hypervisor/capabilities/capability-rules.ts";
import { NativeExecution } from "../../../src/machine/hypervisor/native/native-execution.ts";
import { Vcpu } from "../../../src/machine/hypervisor/scheduling/vcpu.ts";
import { DEFAULT_PRIMARY_IMAGES, type RootVm } from "../../../src/machine/hypervisor/root-vm.ts";
import type { Machine } from "../../../src/machine/hardware/machine.ts";
import { ResourceManager, type ResourceManagerOptions } from "../../../src/machine/resource-manager/resource-manager.ts";
import { type CoreLog, createTestHypervisor } from "../hypervisor/fixture.ts";
import { callByList } from "../../support/listed-call.ts";

/** Virtual time between two checks of a puppet for its next action, ns. */
const LOOK_INTERVAL = 10_000;
/** Virtual time after which something is held to never happen, ns. */
const PATIENCE = 200_000_000;

/** The primary VM's program: it does what a test says, when its timer fires next. */
export class Puppet implements NativeGuest {
  vcpu: NativeVcpu | undefined;
  /** Looks for something to do again and again; asleep, it does nothing any more. */
  awake = true;
  action: (() => void) | undefined;
  /** Result of the last vcpu_run: error, state and data; undefined while it is under way. */
  ran: readonly bigint[] | undefined;

  start(vcpu: NativeVcpu): void {
    this.vcpu = vcpu;
    this.timer(vcpu);
  }

  /** A vIRQ that a test has enabled. */
  interrupted: (intid: number) => void = () => {};

  virq(_vcpu: NativeVcpu, intid: number): void {
    this.interrupted(intid);
  }

  timer(vcpu: NativeVcpu): void {
    const action = this.action;
    this.action = undefined;
    action?.();
    if (this.awake) vcpu.setTimer(vcpu.now + LOOK_INTERVAL);
  }

  runReturned(_vcpu: NativeVcpu, results: HypercallResults<"vcpu_run">): void {
    const { error, vcpu_state, state_data_0, state_data_1, state_data_2 } = results;
    this.ran = [BigInt.asUintN(32, BigInt(error)), BigInt(vcpu_state), state_data_0, state_data_1, state_data_2];
  }

  save(): unknown {
    return undefined;
  }

  restore(): void {}
}

/** The vCPU of the Resource Manager, whose hypercalls can be made to fail. */
class FaultyVcpu implements NativeVcpu {
  constructor(readonly vcpu: NativeVcpu, readonly fail: (number: number, args: readonly bigint[]) => ErrorCode | undefined) {}

  get index(): number {
    return this.vcpu.index;
  }

  get now(): number {
    return this.vcpu.now;
  }

  get trace(): TracePort {
    return this.vcpu.trace;
  }

  get faults(): FaultPort {
    return this.vcpu.faults;
  }

  call(number: number, registers: CallRegisters): void {
    callByList((...call) => this.hvc(...call), number, registers);
  }

  hvc(number: number, ...args: bigint[]): HypercallResult {
    const code = this.fail(number, args);
    if (code === undefined) return this.vcpu.hvc(number, ...args);
    const operation = this.trace.begin("hvc", hypercallName(number)!, {});
    this.trace.refuse({ section: "", rule: "the test lets it fail", object: "", values: {} });
    this.trace.end(operation, { code, name: errorName(code), refused: true });
    return [BigInt.asUintN(64, BigInt(code)), 0n, 0n, 0n, 0n, 0n, 0n, 0n];
  }

  smc(functionId: number, ...args: bigint[]): HypercallResult {
    return this.vcpu.smc(functionId, ...args);
  }

  vcpuRun(args: HypercallArguments<"vcpu_run">): void {
    // Its answer comes in a later event: seen here, and not to be made to fail.
    this.fail(Hypercall.vcpu_run, CALL_SHAPES.vcpu_run().encode(args));
    this.vcpu.vcpuRun(args);
  }

  read(ipa: number, length: number): Uint8Array | undefined {
    return this.vcpu.read(ipa, length);
  }

  readInto(ipa: number, into: Uint8Array): boolean {
    return this.vcpu.readInto(ipa, into);
  }

  write(ipa: number, bytes: Uint8Array): boolean {
    return this.vcpu.write(ipa, bytes);
  }

  readDevice(ipa: number, size: number): bigint | undefined {
    return this.vcpu.readDevice(ipa, size);
  }

  writeDevice(ipa: number, size: number, value: bigint): boolean {
    return this.vcpu.writeDevice(ipa, size, value);
  }

  enableIrq(intid: number, edge: boolean): void {
    this.vcpu.enableIrq(intid, edge);
  }

  setTimer(at: number | undefined): void {
    this.vcpu.setTimer(at);
  }
}

/** The system. */
export class System {
  /** Answers an error for a hypercall of the Resource Manager, which then is not made. */
  fail: (name: HypercallName, args: readonly bigint[]) => ErrorCode | undefined = () => undefined;
  readonly machine: Machine;
  /** The hypervisor's calls to the core; it grows until a test empties it. */
  readonly log: CoreLog;
  readonly hypervisor: Hypervisor;
  /** The Resource Manager; another one may take its place between two events. */
  rm: ResourceManager;
  readonly primary = new Puppet();
  readonly #root: RootVm;

  /** @param rules of the Resource Manager */
  constructor(memory = 0x4000_0000, cpus = 8, rules: ResourceManagerOptions = {}) {
    this.rm = new ResourceManager(rules);
    const { machine, log, options } = createTestHypervisor(cpus, memory);
    this.machine = machine;
    this.log = log;
    const { hypervisor, root } = createHypervisor(machine, { ...options, resourceManager: () => this.#replaceableRm() });
    this.hypervisor = hypervisor;
    this.#root = root;
    const tree = devicetree(node("", { "#address-cells": 2, "#size-cells": 2 }, [node("chosen")]));
    machine.ram.write(DEFAULT_PRIMARY_IMAGES.devicetree, writeDevicetree(tree));
    this.hypervisor.natives.register(DEFAULT_PRIMARY_IMAGES.entry, () => this.primary);
    assert.ok(this.#until(() => this.primary.vcpu !== undefined), "the primary VM starts");
  }

  #replaceableRm(): NativeGuest {
    const faulty = (vcpu: NativeVcpu) => new FaultyVcpu(vcpu, (number, args) => this.fail(hypercallName(number)!, args));
    return {
      start: (vcpu, ...event) => this.rm.start(faulty(vcpu), ...event),
      virq: (vcpu, ...event) => this.rm.virq(faulty(vcpu), ...event),
      timer: (vcpu) => this.rm.timer(faulty(vcpu)),
      runReturned: (vcpu, ...event) => this.rm.runReturned(faulty(vcpu), ...event),
      save: () => this.rm.save(),
      restore: (state) => this.rm.restore(state),
    };
  }

  /**
   * The boot vCPU of a guest. A puppet guest never runs: it performs a test's calls at once, as all
   * calls but vcpu_run take no time.
   */
  guest(vmid: number): NativeExecution {
    return new NativeExecution(this.vcpu(vmid), this.primary, this.hypervisor, { entry: 0n, x0: 0n });
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
    this.act((vcpu) => vcpu.vcpuRun({ cap: asCapId(cap), resume_data_0: resume[0], resume_data_1: resume[1], resume_data_2: resume[2] }));
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
