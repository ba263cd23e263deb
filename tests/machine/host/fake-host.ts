// The host on the platform without hypervisor: the Resource Manager is scripted, and vcpu_run comes
// back when the test says so.

import assert from "node:assert/strict";
import type { NativeGuest } from "../../../src/machine/abi/native-guest.ts";
import type { BrokenRule } from "../../../src/machine/abi/trace.ts";
import { CONSOLE_INPUT_INTID } from "../../../src/machine/host/data/console-input.ts";
import { hostGuest } from "../../../src/machine/host/primary/host-guest.ts";
import type { SignedVm } from "../../../src/machine/host/gunyah/signed-vm.ts";
import type { PersonaName } from "../../../src/machine/abi/ioctl/personas.ts";
import { FakePlatform } from "./fake-platform.ts";
import { type Visit, VisitedProgram } from "../../../src/machine/host/primary/visited-program.ts";
import type { Visitor } from "./host-stack.ts";
import { MIB } from "./plans.ts";

/** RAM of the fake host, and what it keeps for itself. */
export const FAKE_MEMORY = 48 * MIB, FAKE_RESERVED = 32 * MIB;

/** A host, its platform and its processes. */
export class FakeHost implements Visitor {
  readonly platform: FakePlatform;
  guest: NativeGuest;
  readonly #program = new VisitedProgram();
  readonly #make: () => NativeGuest;

  constructor(
    device: PersonaName,
    options: { cpus?: number; memlock?: number; firmware?: Uint8Array; signed?: readonly SignedVm[] } = {},
  ) {
    const { cpus = 1, memlock = 65_536, firmware, signed } = options;
    this.platform = new FakePlatform(FAKE_MEMORY, cpus);
    this.#make = hostGuest({ device, memlock, reserved: FAKE_RESERVED, vcpus: cpus, program: this.#program, gzvm: { firmware }, signed });
    this.guest = this.#make();
    this.platform.boot(this.guest);
  }

  /** The host is saved, and a new one continues from that. */
  replace(): void {
    const saved = structuredClone(this.guest.save());
    this.guest = this.#make();
    this.guest.restore(saved);
  }

  /** @param settle false leaves messages of the Resource Manager for later */
  visit<T>(act: Visit<T>, settle = true): T {
    const outcome = this.#program.ask(act);
    this.guest.virq(this.platform.vcpu(this.platform.cpus - 1), CONSOLE_INPUT_INTID);
    if (settle) this.platform.settle(this.guest);
    const result = outcome();
    assert.ok(result !== undefined);
    if ("error" in result) throw result.error;
    return result.value;
  }

  await(task: number): number | undefined {
    return this.#program.results.get(task);
  }

  /** vcpu_run of host vCPU 0 comes back. */
  returnRun(state: number, data0 = 0n, data1 = 0n, data2 = 0n, error = 0n): void {
    this.platform.returnRun(this.guest, 0, state, data0, data1, data2, error);
  }

  lastRule(): BrokenRule | undefined {
    return this.platform.rules.at(-1);
  }

  /** Names of the requests so far. */
  get requests(): string[] {
    return this.platform.requests.map(({ name }) => name);
  }
}
