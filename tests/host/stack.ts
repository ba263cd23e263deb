// Machine, hypervisor, resource manager and native host in one process, without session: what the tests of the whole stack run on.

import { WasmCore } from "../../src/core/core.ts";
import { Stage2Pool } from "../../src/core/stage2.ts";
import { writeDevicetree } from "../../src/devicetree/writer.ts";
import { CONSOLE_INPUT_INTID, ConsoleInput } from "../../src/host/console-input.ts";
import type { HostEvent } from "../../src/host/events.ts";
import type { PersonaName } from "../../src/abi/ioctl/personas.ts";
import { nativeHost, type NativeHostOptions } from "../../src/host/native-host.ts";
import type { NativeHostPlan } from "../../src/host/plan.ts";
import { createHypervisor } from "../../src/hypervisor/create-hypervisor.ts";
import type { Hypervisor } from "../../src/hypervisor/hypervisor.ts";
import { DEFAULT_PRIMARY_IMAGES } from "../../src/hypervisor/root-vm.ts";
import { Machine, type RunResult } from "../../src/machine/machine.ts";
import { CORE_REGION_SIZE, memoryMap, RAM_BASE, RAM_OFFSET } from "../../src/machine/memory-map.ts";
import { createResourceManager } from "../../src/resource-manager/resource-manager.ts";
import { primaryDevicetree } from "../../src/workstation/primary-devicetree.ts";
import { MIB } from "./plans.ts";
import { ScriptedCore, type Scripts } from "./scripted-core.ts";

/** What a test sees of the stack. */
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
    options: { cpus: number; memory?: number; scripts?: Scripts; device?: PersonaName; devices?: NativeHostOptions["device"] },
  ) {
    const { cpus, memory = 64 * MIB, scripts, device = "union" } = options;
    const map = memoryMap(memory);
    const pages = map.wasmSize / 0x1_0000;
    const wasm = new WebAssembly.Memory({ initial: pages, maximum: pages });
    const scripted = scripts && new ScriptedCore(scripts);
    const real = scripted ? undefined : new WasmCore(wasm, { base: RAM_BASE, size: map.ramEnd - RAM_BASE, host: RAM_OFFSET });
    this.machine = new Machine(wasm, map, scripted ?? real!, cpus);
    const stage2 = scripted?.stage2(new Stage2Pool(wasm, CORE_REGION_SIZE - 16 * MIB, 16 * MIB)) ?? real!.stage2Pool;
    this.hypervisor = createHypervisor(this.machine, { stage2, seed: 1, resourceManager: createResourceManager }).hypervisor;
    const tree = primaryDevicetree({
      ...{ cpus, memory, append: undefined, initrd: undefined },
      ...{ kaslrSeed: 1n, virtioSlots: 0, rngSeed: new Uint8Array(32) },
    });
    this.machine.ram.write(DEFAULT_PRIMARY_IMAGES.devicetree, writeDevicetree(tree));
    this.input = new ConsoleInput(() => {
      this.machine.interrupt(CONSOLE_INPUT_INTID, true);
      this.machine.interrupt(CONSOLE_INPUT_INTID, false);
    });
    const driver = { device, memlock: 65_536, gzvm: true };
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

  /** What a VM has printed. */
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
          return [];
        case "state":
          return [`${event.vm} ${event.state}${event.exit ? ` ${event.exit}` : ""}`];
        case "error":
          return [`error ${event.vm ?? "host"}: ${event.message}`];
        case "finished":
          return [`finished ${event.crashed.join(",")}`.trim()];
      }
    });
  }
}
