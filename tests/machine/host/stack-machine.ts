// Machine, hypervisor and Resource Manager for tests of the host, which is to be registered as the
// primary VM.

import { WasmCore } from "../../../src/cpu/core/core.ts";
import { Stage2Pool } from "../../../src/cpu/core/memory/stage2.ts";
import { writeDevicetree } from "../../../src/machine/devicetree/writer.ts";
import { type Behaviour, DEFAULT_BEHAVIOUR } from "../../../src/machine/hypervisor/services/behaviour.ts";
import { createHypervisor } from "../../../src/machine/hypervisor/create-hypervisor.ts";
import type { Hypervisor } from "../../../src/machine/hypervisor/hypervisor.ts";
import { DEFAULT_PRIMARY_IMAGES } from "../../../src/machine/hypervisor/root-vm.ts";
import { Machine } from "../../../src/machine/hardware/machine.ts";
import { CORE_REGION_SIZE, memoryMap, RAM_BASE, RAM_OFFSET } from "../../../src/machine/hardware/memory-map.ts";
import { ResourceManager } from "../../../src/machine/resource-manager/resource-manager.ts";
import { primaryDevicetree } from "../../../src/machine/platform/primary-devicetree.ts";
import { MIB } from "./plans.ts";
import { ScriptedCore, type Scripts } from "./scripted-core.ts";

/**
 * @param memory bytes of the primary VM's RAM
 * @param scripts what vCPUs execute instead of instructions; without them there is a real core.
 */
export function stackMachine(
  cpus: number,
  memory: number,
  scripts?: Scripts,
  { check, ...rules }: Partial<Pick<Behaviour, "check" | "hypervisorNode" | "parcels" | "reservedMemory" | "abi" | "vmMsis">> = {},
): { machine: Machine; hypervisor: Hypervisor } {
  const map = memoryMap(memory);
  const pages = map.wasmSize / 0x1_0000;
  const wasm = new WebAssembly.Memory({ initial: pages, maximum: pages });
  const scripted = scripts && new ScriptedCore(scripts);
  const real = scripted ? undefined : new WasmCore(wasm, { base: RAM_BASE, size: map.ramEnd - RAM_BASE, wasmAddress: RAM_OFFSET });
  const machine = new Machine(wasm, map, scripted ?? real!, cpus);
  const stage2 = scripted?.stage2(new Stage2Pool(wasm, CORE_REGION_SIZE - 16 * MIB, 16 * MIB)) ?? real!.stage2Pool;
  const { hypervisor } = createHypervisor(machine, {
    ...{ stage2, seed: 1, resourceManager: () => new ResourceManager(rules) },
    behaviour: { ...DEFAULT_BEHAVIOUR, ...check && { check }, ...rules.abi && { abi: rules.abi }, ...rules.vmMsis && { vmMsis: true } },
  });
  const tree = primaryDevicetree({
    ...{ cpus, memory, append: undefined, initrd: undefined },
    ...{ kaslrSeed: 1n, virtioSlots: 0, rngSeed: new Uint8Array(32) },
  });
  machine.ram.write(DEFAULT_PRIMARY_IMAGES.devicetree, writeDevicetree(tree));
  return { machine, hypervisor };
}
