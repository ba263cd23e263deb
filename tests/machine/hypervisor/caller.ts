// A VM that makes hypercalls, as tests of one object type use it.

import { asIpa, asPa } from "../../../src/machine/abi/numbers.ts";
import assert from "node:assert/strict";
import { errorName } from "../../../src/machine/abi/errors.ts";
import { type HypercallName, HYPERCALLS } from "../../../src/machine/abi/hypercalls.ts";
import { Access, MemoryType } from "../../../src/machine/abi/words.ts";
import { RAM_BASE } from "../../../src/machine/hardware/memory-map.ts";
import { DEFERRED } from "../../../src/machine/hypervisor/capabilities/hypercall-definition.ts";
import { Irq } from "../../../src/machine/hypervisor/gic/irq-bank.ts";
import type { HypervisorObject } from "../../../src/machine/hypervisor/capabilities/object.ts";
import { ScriptedMachine, ScriptedVm } from "./scripted.ts";
import { nativeCall } from "./native-call.ts";

/** A VM that makes calls, with RAM at IPA = PA that pointers may name. */
export class Caller {
  readonly machine = new ScriptedMachine();
  readonly vm = new ScriptedVm(this.machine, 3, [function* () {}]);
  readonly vcpu = this.vm.vcpus[0];
  readonly vic: bigint;

  constructor() {
    const rw = Access.RW | Access.RW << 4 | MemoryType.NormalWB << 16;
    this.vm.addressSpace.install(asIpa(RAM_BASE), asPa(RAM_BASE), 0x2000, rw);
    this.vic = this.vm.grant(this.vm.vic);
  }

  /** Error name and results of a call. */
  call(name: HypercallName, ...args: bigint[]): [error: string, ...results: bigint[]] {
    const kinds = Object.values(HYPERCALLS[name].arguments);
    const all = kinds.map((kind, index) => args[index] ?? (kind === "res1" ? 0xffff_ffff_ffff_ffffn : 0n));
    const reply = nativeCall(this.machine.hypervisor.hypercalls, this.vcpu, HYPERCALLS[name].number, all);
    assert.ok(reply && reply !== DEFERRED);
    return [errorName(reply.values[0]), ...reply.values.slice(1, reply.count)];
  }

  error(name: HypercallName, ...args: bigint[]): string {
    return this.call(name, ...args)[0];
  }

  grant(object: HypervisorObject): bigint {
    return this.vm.grant(object);
  }

  /** How SPI `intid` is triggered. */
  setEdge(intid: number, edge: boolean): void {
    this.vm.vic.gic.update(this.vcpu.gic, intid, edge ? Irq.Edge : 0, edge ? 0 : Irq.Edge);
  }

  isPending(intid: number): boolean {
    return this.vm.vic.gic.shared.isPending(intid);
  }

  /** A guest's handler: acknowledge and end. */
  take(): number {
    const intid = this.vcpu.gic.acknowledge(1);
    this.vcpu.gic.endOfInterrupt(1, intid);
    return intid;
  }
}
