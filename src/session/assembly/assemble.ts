// Builds the whole system of a plan: core, machine, hypervisor with the Resource Manager in its
// root VM, and the primary VM: an image (`boot`), or the native host with its VMs (`run`).

import { cpuOfPlan } from "../../cpu/isa/cpus/cpus.ts";
import { CODE_FACTOR, memoryLimits } from "../../model/plans/memory-budget.ts";
import { PERSONAS } from "../../machine/abi/ioctl/personas.ts";
import type { NativeGuestFactory } from "../../machine/abi/native-guest.ts";
import { coreFor, DECODED_PAGES, WasmCore } from "../../cpu/core/boot.ts";
import type { Hypervisor } from "../../machine/hypervisor/inspect.ts";
import { createHypervisor, DEFAULT_PRIMARY_IMAGES, RandomGenerator } from "../../machine/hypervisor/boot.ts";
import { Machine } from "../../machine/hardware/machine.ts";
import { type MemoryMap, memoryMap, RAM_BASE, RAM_OFFSET } from "../../machine/hardware/memory-map.ts";
import { ResourceManager } from "../../machine/resource-manager/resource-manager.ts";
import { parseFaultRule } from "../../model/queries/fault-rule.ts";
import { QueueRpcs } from "../inspection/readers/queue-rpcs.ts";
import { GuestSystem } from "./system/guest-system.ts";
import type { LeftMemory } from "./system/system.ts";
import { DEFAULT_TIER, isAtEl2, knownVms, PlanError, PRIMARY_CONSOLE, type SessionPlan } from "../../model/plans/plan.ts";
import { Outside } from "../outside/outside.ts";
import type { WrittenDisk } from "../outside/written-disk.ts";
import { attachMessages, attachSerial, attachUart } from "./devices/platform-devices.ts";
import { callsSemihosting } from "../../inside/images/images.ts";
import { readRootImages } from "./layout/root-images.ts";
import { serveSemihosting } from "./system/semihosted-vms.ts";
import { compactSymbols } from "../../inside/symbols/elf-symbols.ts";
import { preferHugePages } from "../../kit/support/computer/huge-pages.ts";
import { WASM_PAGE_SIZE } from "../../kit/support/values/sizes.ts";
import { formatSize } from "../../kit/support/text/units.ts";
import type { Building } from "./building/building.ts";
import { attachDevices, loadPrimary, type Primary } from "./building/primary-vm.ts";
import { startHost } from "./building/host-vms.ts";

/**
 * Makes the system of a plan, ready to run. The plan has been checked (`boot-plan.ts`,
 * `app/configuration/plan-run.ts`).
 * @param own the host's program instead of what the plan of a `run` asks for
 * @param counts whether its core counts how often each instruction is executed
 * @param present the disks that the machine of the present writes, for a machine of its past
 */
export function assemble(plan: SessionPlan, own?: NativeGuestFactory, counts = false, present?: readonly WrittenDisk[]): GuestSystem {
  const system = assembleWith(plan, { own, counts, present }, (_machine, work) => work());
  for (const [vm, findings] of system.vms.findings) for (const finding of findings) system.events.bootFinding(vm, finding);
  return system;
}

/** Generates what all machines with this memory size and CPU share, before one is assembled. */
export function prepare({ memory, cpu }: Pick<SessionPlan, "memory" | "cpu">, atEl2: boolean): void {
  const map = memoryMap(memory);
  coreFor(ramLayout(map), map.wasmSize, { cpu: cpuOfPlan(cpu, atEl2), counts: false });
}

/** An operating system uses its memory densely from here on: decoded pages and RAM. */
const DENSE_FROM = DECODED_PAGES.base;

const ramLayout = (map: MemoryMap) => ({ base: RAM_BASE, wasmAddress: RAM_OFFSET, size: map.ramEnd - RAM_BASE });

/**
 * The same without images and whatever else would be in RAM, for `System.load`.
 * @param left memory for it, of a machine of the same plan
 */
export function assembleEmpty(plan: SessionPlan, counts = false, left?: LeftMemory, present?: readonly WrittenDisk[]): GuestSystem {
  // Fault rules are state, which is loaded last: nothing may fail meanwhile.
  return assembleWith(
    { ...plan, inject: undefined },
    { own: undefined, counts, left, present },
    (machine, work) => machine.ram.unwritten(work),
  );
}

function assembleWith(
  plan: SessionPlan,
  { own, counts, left, present }: Pick<Building, "own" | "present"> & { readonly counts: boolean; readonly left?: LeftMemory | undefined },
  within: (machine: Machine, work: () => void) => void,
): GuestSystem {
  const map = memoryMap(plan.memory), atEl2 = isAtEl2(plan);
  const pages = map.wasmSize / WASM_PAGE_SIZE;
  const limits = memoryLimits(plan.memoryBudget);
  const memory = left?.code.memory ?? denseMemory(pages);
  const core = new WasmCore(memory, ramLayout(map), {
    cpu: cpuOfPlan(plan.cpu, atEl2),
    tier: plan.tier ?? DEFAULT_TIER,
    codeBytes: limits.code / CODE_FACTOR,
    code: left?.code,
    counts: counts ? { vmOf: (stage2) => vmWith(system.hypervisor, stage2) } : undefined,
    onUndefined: (instruction) => system.events.undefinedInstruction(instruction),
    onDeviceAtomic: (access) => system.deviceAtomic(access),
    onStaleUse: () => system.staleUsed(),
  });
  const machine = new Machine(memory, map, core, plan.cpus);
  const manager = new ResourceManager({ ...plan.behaviour, ...atEl2 && { hypervisorNode: "none" } });
  const system: GuestSystem = new GuestSystem(machine, core, manager, new Outside(plan.replay !== undefined), limits, left?.content);
  // Its own generator, so that what the session draws does not move what guests get from the
  // hypervisor.
  const random = new RandomGenerator(plan.seed ^ 0x5e55_1010);
  within(machine, () => furnish({ plan, map, system, core, random, own, present }));
  system.outside.begin();
  return system;
}

/** The name of the VM that has these tables of stage 2. */
function vmWith({ scheduler, names }: Hypervisor, stage2: number): string {
  for (const { registers, addressSpace } of scheduler.vcpus) {
    if (addressSpace && registers.stage2 === stage2) return names.vm(addressSpace.vmid);
  }
  throw new Error(`tables ${stage2} of stage 2 are of no vCPU`);
}

/** @throws PlanError if the system does not give this process so much */
function denseMemory(pages: number): WebAssembly.Memory {
  try {
    const memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
    preferHugePages(memory, DENSE_FROM);
    return memory;
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    const size = formatSize(pages * WASM_PAGE_SIZE);
    throw new PlanError(`the system does not give el2 the ${size} of the machine's memory`, "use less memory, or raise ulimit -v and -d");
  }
}

/** Puts software and devices of the plan into a machine. */
function furnish(building: Building): void {
  const { plan, system, core } = building, { machine, manager } = system;
  system.vms.known = knownVms(plan);
  if (plan.what.kind === "run") system.driver = PERSONAS[plan.what.host.driver.device];
  const primary: Primary = plan.what.kind === "boot" ? loadPrimary(building, plan.what) : { images: DEFAULT_PRIMARY_IMAGES, flash: [] };
  const resourceManager = plan.root ? readRootImages(plan.root) : () => manager;
  const { behaviour, seed } = plan;
  const { hypervisor } = createHypervisor(machine, { stage2: core.stage2Pool, seed, behaviour, resourceManager, ...primary });
  system.install(hypervisor);
  serveSemihosting(system, semihostedVms(plan));
  if (plan.root) new QueueRpcs(hypervisor).install();
  for (const rule of plan.inject ?? []) hypervisor.faults.add(parseFaultRule(rule));
  giveSymbols(plan, system);
  if (plan.debug !== undefined) system.debugger.give(plan.debug, true);
  if (plan.what.kind === "boot" && plan.what.uart === "16550a") attachSerial(machine, system);
  else attachUart(machine, system, plan.what.kind === "boot");
  if (hypervisor.behaviour.msi === "gicv2m") attachMessages(machine);
  if (plan.what.kind === "boot") attachDevices(building, plan.what);
  if (plan.what.kind === "run") startHost(building, plan.what);
}

/** Command lines of the VMs whose semihosting calls are served, by name. */
function semihostedVms({ what }: SessionPlan): ReadonlyMap<string, string> {
  if (what.kind === "run") return new Map(what.host.vms.filter((vm) => vm.semihosting).map(({ name, cmdline }) => [name, cmdline]));
  const { image, append = "", firmware } = what;
  return new Map(image && !firmware && callsSemihosting(image) ? [[PRIMARY_CONSOLE, append]] : []);
}

/** Names of addresses: those of ELF images, and those of the plan. */
function giveSymbols({ what, symbols = {}, sources = {} }: SessionPlan, system: Pick<GuestSystem, "symbols">): void {
  const image = what.kind === "boot" && what.image ? compactSymbols(what.image) : undefined;
  if (image) system.symbols.give(PRIMARY_CONSOLE, image, "image");
  for (const [vm, files] of Object.entries(symbols)) for (const file of files) system.symbols.give(vm, file, "symbols");
  system.symbols.giveSources(sources);
}
