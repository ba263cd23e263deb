// Builds the whole system of a plan: core, machine, hypervisor with the resource manager in its root VM, and the primary VM: an image
// (`boot`), or the native host with its VMs (`run`).

import { WasmCore } from "../core/core.ts";
import { Pl011 } from "../devices/pl011.ts";
import { writeDevicetree } from "../devicetree/writer.ts";
import { CONSOLE_INPUT_INTID, ConsoleInput } from "../host/console-input.ts";
import { nativeHost } from "../host/native-host.ts";
import { createHypervisor } from "../hypervisor/create-hypervisor.ts";
import { RandomGenerator } from "../hypervisor/prng.ts";
import { DEFAULT_PRIMARY_IMAGES, type PrimaryImages } from "../hypervisor/root-vm.ts";
import { Machine } from "../machine/machine.ts";
import { type MemoryMap, memoryMap, PL011_BASE, PL011_INTID, PL011_SIZE, RAM_BASE, RAM_OFFSET } from "../machine/memory-map.ts";
import { ResourceManager } from "../resource-manager/resource-manager.ts";
import { GuestSystem } from "./guest-system.ts";
import { type BootPlan, PRIMARY_CONSOLE, type RunPlan, type SessionPlan } from "./plan.ts";
import { primaryDevicetree } from "./primary-devicetree.ts";
import { DEVICETREE_WINDOW, layoutPrimary } from "./primary-image.ts";
import type { System } from "./system.ts";

const WASM_PAGE = 0x1_0000;

/** Makes the system of a plan, ready to run. The plan has been checked (`boot-plan.ts`, `config-plan.ts`). */
export function assemble(plan: SessionPlan): System {
  const map = memoryMap(plan.memory);
  const pages = map.wasmSize / WASM_PAGE;
  const memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
  const core = new WasmCore(memory, { base: RAM_BASE, host: RAM_OFFSET, size: map.ramEnd - RAM_BASE }, {
    tier: plan.tier,
    onUndefined: (word, pa) => system.undefinedInstruction(word, pa),
  });
  const machine = new Machine(memory, map, core, plan.cpus);
  // Its own generator, so that what the session draws does not move what guests get from the hypervisor.
  const random = new RandomGenerator(plan.seed ^ 0x5e55_1010);
  const manager = new ResourceManager();
  const system: GuestSystem = new GuestSystem(machine, manager);
  const images = plan.what.kind === "boot" ? loadPrimary(machine, map, plan, plan.what, random) : DEFAULT_PRIMARY_IMAGES;
  const { hypervisor } = createHypervisor(machine, { stage2: core.stage2Pool, seed: plan.seed, resourceManager: () => manager, images });
  system.install(hypervisor);
  if (plan.debug !== undefined) system.debugVm(plan.debug, core);
  attachUart(machine, system, plan.what.kind === "boot");
  if (plan.what.kind === "run") startHost(plan.what, plan, map, machine, system, random);
  return system;
}

/** Puts image, ramdisk and devicetree of the primary VM into RAM. */
function loadPrimary(machine: Machine, map: MemoryMap, plan: SessionPlan, boot: BootPlan, random: RandomGenerator): PrimaryImages {
  const layout = layoutPrimary(boot.image, boot.initrd, RAM_BASE, map.primarySize);
  for (const { address, bytes } of layout.placements) machine.ram.write(address, bytes);
  const tree = boot.dtb ?? generatedTree(plan, map, boot.append, layout.initrd, random);
  if (tree.length > DEVICETREE_WINDOW) throw new Error(`the devicetree has ${tree.length} bytes, there is room for ${DEVICETREE_WINDOW}`);
  machine.ram.write(layout.devicetree, tree);
  return { entry: layout.entry, devicetree: layout.devicetree, ramdisk: layout.initrd?.start ?? layout.devicetree };
}

function generatedTree(
  plan: SessionPlan,
  map: MemoryMap,
  append: string | undefined,
  initrd: { start: number; end: number } | undefined,
  random: RandomGenerator,
): Uint8Array {
  const rngSeed = new Uint8Array(32);
  const words = new DataView(rngSeed.buffer);
  for (let i = 0; i < rngSeed.length; i += 4) words.setUint32(i, random.next());
  return writeDevicetree(primaryDevicetree({ cpus: plan.cpus, memory: map.primarySize, append, initrd, rngSeed }));
}

/** Virtual time (ns) from when the guest enables receive interrupts to its first input: its driver empties the FIFO meanwhile. */
const UART_SETTLE_TIME = 1_000_000;

/** The platform's PL011: the console of the primary VM, where that has one (`input`). */
function attachUart(machine: Machine, system: GuestSystem, input: boolean): void {
  const uart = new Pl011((action) => machine.events.schedule(machine.time + UART_SETTLE_TIME, action));
  uart.onTransmit = (byte) => system.consoles.transmit(PRIMARY_CONSOLE, byte);
  uart.onInterrupt = (level) => machine.interrupt(PL011_INTID, level);
  machine.bus.attach({
    name: "PL011",
    base: PL011_BASE,
    size: PL011_SIZE,
    device: uart,
  });
  if (!input) return;
  const waiting: number[] = [];
  const feed = () => {
    const room = uart.receivable;
    if (room > 0 && waiting.length) uart.receive(Uint8Array.from(waiting.splice(0, room)));
  };
  uart.onReceivable = feed;
  system.consoles.add(PRIMARY_CONSOLE, (bytes) => {
    waiting.push(...bytes);
    feed();
  });
}

/** Puts the native host where the resource manager starts the primary VM. */
function startHost(run: RunPlan, plan: SessionPlan, map: MemoryMap, machine: Machine, system: GuestSystem, random: RandomGenerator): void {
  const tree = generatedTree(plan, map, undefined, undefined, random);
  machine.ram.write(DEFAULT_PRIMARY_IMAGES.devicetree, tree);
  const input = new ConsoleInput(() => {
    machine.interrupt(CONSOLE_INPUT_INTID, true);
    machine.interrupt(CONSOLE_INPUT_INTID, false);
  });
  for (const vm of run.host.vms) if (vm.console) system.consoles.add(vm.name, (bytes) => input.push(vm.name, bytes));
  const program = nativeHost({ plan: run.host, events: (event) => system.hostEvent(event), input });
  system.hypervisor.registerNative(DEFAULT_PRIMARY_IMAGES.entry, program);
}
