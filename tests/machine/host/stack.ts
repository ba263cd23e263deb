// Machine, hypervisor, Resource Manager and native host in one process, without session: what the
// tests of the whole stack run on.

import { CONSOLE_INPUT_INTID, ConsoleInput } from "../../../src/machine/host/data/console-input.ts";
import type { HostEvent } from "../../../src/machine/host/data/events.ts";
import type { PersonaName } from "../../../src/machine/abi/ioctl/personas.ts";
import { nativeHost, type NativeHostOptions } from "../../../src/machine/host/native-host.ts";
import type { DriverQuirks, NativeHostPlan } from "../../../src/machine/host/data/plan.ts";
import type { Behaviour } from "../../../src/machine/hypervisor/services/behaviour.ts";
import type { Hypervisor } from "../../../src/machine/hypervisor/hypervisor.ts";
import { DEFAULT_PRIMARY_IMAGES } from "../../../src/machine/hypervisor/root-vm.ts";
import type { Machine, RunResult } from "../../../src/machine/hardware/machine.ts";
import { MIB } from "./plans.ts";
import type { Scripts } from "./scripted-core.ts";
import { stackMachine } from "./stack-machine.ts";

/** A test's view of the stack. */
export class Stack {
  readonly machine: Machine;
  readonly hypervisor: Hypervisor;
  readonly input: ConsoleInput;
  readonly events: HostEvent[] = [];

  /**
   * @param scripts what vCPUs execute instead of instructions; without them there is a real core.
   * @param device generation of /dev/gunyah. Default "union"
   * @param devices makes virtio devices of VMs
   */
  constructor(
    plan: Omit<NativeHostPlan, "driver">,
    options: {
      cpus: number;
      memory?: number;
      scripts?: Scripts;
      device?: PersonaName;
      devices?: NativeHostOptions["device"];
      memlock?: number;
      abi?: Behaviour["abi"];
      quirks?: DriverQuirks;
    },
  ) {
    const { cpus, memory = 64 * MIB, scripts, device = "union", memlock = Number.MAX_SAFE_INTEGER, abi, quirks } = options;
    ({ machine: this.machine, hypervisor: this.hypervisor } = stackMachine(cpus, memory, scripts, {
      abi,
      vmMsis: plan.vms.some(({ msi }) => msi === "its"),
    }));
    this.input = new ConsoleInput(() => {
      this.machine.interrupt(CONSOLE_INPUT_INTID, true);
      this.machine.interrupt(CONSOLE_INPUT_INTID, false);
    });
    const driver = { device, memlock, gzvm: true, quirks };
    const events = (event: HostEvent) => void this.events.push(event);
    const host = nativeHost({ plan: { ...plan, driver }, events, input: this.input, device: options.devices });
    this.hypervisor.natives.register(DEFAULT_PRIMARY_IMAGES.entry, host);
  }

  /** Runs until this virtual time (ns), skipping idle time, or until nothing more can happen. */
  run(until: number): RunResult {
    for (;;) {
      const result = this.machine.run(until, 10_000);
      if (result.kind === "idle" && result.next !== Infinity) this.machine.skipTo(Math.min(result.next, until));
      else if (result.kind !== "turns") return result;
    }
  }

  /** Output of a VM. */
  console(vm: string): string {
    return this.events.flatMap((event) => event.kind === "console" && event.vm === vm ? [String.fromCharCode(...event.bytes)] : []).join(
      "",
    );
  }

  /** All other events, a line each. */
  log(): string[] {
    return this.events.flatMap((event) => {
      switch (event.kind) {
        case "console":
        case "cleared":
          return [];
        case "state":
          return [`${event.vm} ${event.state}${event.exit ? ` ${event.exit}` : ""}`];
        case "error":
          return [`error ${event.vm ?? "host"}: ${event.message}`];
        case "bug":
          throw event.error;
        case "finished":
          return [`finished ${event.crashed.join(",")}`.trim()];
      }
    });
  }
}
