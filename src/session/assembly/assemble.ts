// Builds the whole system of a plan: core, machine, hypervisor with the Resource Manager in its
// root VM, and the primary VM: an image (`boot`), or the native host with its VMs (`run`).

import { CODE_FACTOR, memoryLimits } from "../../model/plans/memory-budget.ts";
import { PERSONAS } from "../../machine/abi/ioctl/personas.ts";
import * as v from "valibot";
import type { NativeGuestFactory } from "../../machine/abi/native-guest.ts";
import { coreFor, DECODED_PAGES, WasmCore } from "../../cpu/core/boot.ts";
import { cpuOfPlan } from "../../cpu/isa/cpus/cpus.ts";
import { writeDevicetree } from "../../machine/devicetree/writer.ts";
import { CONSOLE_INPUT_INTID, ConsoleInput, type HostEvent, type VmPlan, type VmState } from "../../machine/host/interface.ts";
import { boardOf, devicetreeOf, nativeHost } from "../../machine/host/boot.ts";
import type { VirtioDevice } from "../../machine/virtio/device.ts";
import type { TransportState, VirtioTransport } from "../../machine/virtio/transport.ts";
import type { SavedPart } from "../state/parts.ts";
import type { SavedEvent } from "../state/saved-event.ts";
import { VIRTIO_BAR_SIZE } from "../../machine/devices/virtio-pci-registers.ts";
import { PANIC_REPORT, pvpanicFunction } from "../../machine/devices/pvpanic.ts";
import { FIRST_SPI } from "../../machine/devicetree/gic.ts";
import type { Hypervisor } from "../../machine/hypervisor/inspect.ts";
import {
  createHypervisor,
  DEFAULT_PRIMARY_IMAGES,
  type FlashPlan,
  type PrimaryImages,
  RandomGenerator,
} from "../../machine/hypervisor/boot.ts";
import type { EventPlace } from "../../machine/hardware/events.ts";
import { Machine } from "../../machine/hardware/machine.ts";
import { type MemoryMap, memoryMap, RAM_BASE, RAM_OFFSET } from "../../machine/hardware/memory-map.ts";
import { ResourceManager } from "../../machine/resource-manager/resource-manager.ts";
import { parseFaultRule } from "../../model/queries/fault-rule.ts";
import { Vmid } from "../inspection/readers/guest-names.ts";
import { QueueRpcs } from "../inspection/readers/queue-rpcs.ts";
import { attachPlatformDevices } from "./devices/crosvm-devices.ts";
import { GuestSystem } from "./system/guest-system.ts";
import type { LeftMemory } from "./system/system.ts";
import {
  type BootPlan,
  DEFAULT_TIER,
  knownVms,
  PlanError,
  PRIMARY_CONSOLE,
  type RunPlan,
  type SessionPlan,
} from "../../model/plans/plan.ts";
import { Outside, type OutsideDoor } from "../outside/outside.ts";
import type { WrittenDisk } from "../outside/written-disk.ts";
import { attachClock, attachMessages, attachSerial, attachUart } from "./devices/platform-devices.ts";
import { attachVirtio } from "./devices/primary-devices.ts";
import { attachPci } from "./devices/primary-pci.ts";
import { primaryDevicetree, type PrimaryDevicetreeOptions } from "../../machine/platform/primary-devicetree.ts";
import { KeptVariables } from "./devices/kept-variables.ts";
import { bootFindings } from "./layout/boot-findings.ts";
import { refusing } from "./layout/boot-plan.ts";
import { layoutFirmware } from "./layout/firmware-layout.ts";
import { attachFwCfg, firmwareImages, makeFlash, savedFlash } from "./devices/primary-firmware.ts";
import { DEVICETREE_WINDOW, layoutPrimary } from "./layout/primary-image.ts";
import { callsSemihosting, treeRoom } from "../../inside/images/images.ts";
import { readRootImages } from "./layout/root-images.ts";
import { serveSemihosting } from "./system/semihosted-vms.ts";
import { compactSymbols } from "../../inside/symbols/elf-symbols.ts";
import { deviceName } from "../../machine/virtio/plan.ts";
import { DeviceMaker, type DeviceSession } from "./devices/virtio-devices.ts";
import { preferHugePages } from "../../kit/support/computer/huge-pages.ts";
import { PAGE_SIZE, WASM_PAGE_SIZE } from "../../kit/support/values/sizes.ts";
import { formatSize } from "../../kit/support/text/units.ts";
import { devId, HOST, vmId } from "../../model/queries/ids.ts";
import type { Problem } from "../../kit/support/problem.ts";
import { hint } from "../../kit/support/text/hint.ts";
import { way } from "../../kit/support/text/way-out.ts";

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
export function prepare({ memory, cpu }: Pick<SessionPlan, "memory" | "cpu">): void {
  const map = memoryMap(memory);
  coreFor(ramLayout(map), map.wasmSize, { cpu: cpuOfPlan(cpu), counts: false });
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
  const map = memoryMap(plan.memory);
  const pages = map.wasmSize / WASM_PAGE_SIZE;
  const limits = memoryLimits(plan.memoryBudget);
  const memory = left?.code.memory ?? denseMemory(pages);
  const core = new WasmCore(memory, ramLayout(map), {
    cpu: cpuOfPlan(plan.cpu),
    tier: plan.tier ?? DEFAULT_TIER,
    codeBytes: limits.code / CODE_FACTOR,
    code: left?.code,
    counts: counts ? { vmOf: (stage2) => vmWith(system.hypervisor, stage2) } : undefined,
    onUndefined: (instruction) => system.events.undefinedInstruction(instruction),
    onDeviceAtomic: (access) => system.deviceAtomic(access),
    onStaleUse: () => system.staleUsed(),
  });
  const machine = new Machine(memory, map, core, plan.cpus);
  const manager = new ResourceManager({ ...plan.behaviour });
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

/** The parts of a machine that is being built. */
interface Building {
  readonly plan: SessionPlan;
  readonly map: MemoryMap;
  readonly system: GuestSystem;
  readonly core: WasmCore;
  /** The draws of the session. */
  readonly random: RandomGenerator;
  /** The host's program instead of what the plan asks for. */
  readonly own: NativeGuestFactory | undefined;
  /** Disks of the present, for a machine of its past. */
  readonly present?: readonly WrittenDisk[] | undefined;
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
  for (const [vm, file] of Object.entries(symbols)) system.symbols.give(vm, file, "symbols");
  system.symbols.giveSources(sources);
}

/** Makes the devices of a system's VMs. `outside` is how what comes from outside reaches them. */
function deviceMaker({ plan: { seed }, system, present }: Building, outside: OutsideDoor): DeviceMaker {
  const session = {
    now: () => system.machine.time,
    output: (console, bytes) => system.consoles.transmitAll(console, bytes),
    input: (console, type) => system.consoles.add(console, { type }),
    generator(generator) {
      system.generators.push(generator);
      return generator;
    },
    overlay: (disk) => system.overlays.push(disk),
    written: (disk) => system.disks.push(disk),
    past: (disk) => {
      system.pastDisks.push(disk);
      system.overlays.push(disk);
    },
    problem: (device, message) => system.events.deviceProblem(device, message),
  } satisfies DeviceSession;
  return new DeviceMaker(seed ^ 0x0de5_1ce5, outside, session, present);
}

const PVPANIC_ID = devId(PRIMARY_CONSOLE, "pvpanic");

/** The primary's devices other than its UART. */
function attachDevices(building: Building, boot: BootPlan): void {
  const { system } = building, { machine } = system;
  if (boot.clock !== undefined) attachClock(machine, system, boot.clock);
  const extras = boot.platformDevices ?? [];
  attachPlatformDevices(extras, machine, system, boot.clock ?? 0);
  if (boot.firmware) attachFwCfg(machine, system, boot);
  system.parts.push(...system.hypervisor.flash.map(savedFlash));
  const maker = deviceMaker(building, system.outside);
  const devices = boot.devices?.map((device, index) => maker.make(device, PRIMARY_CONSOLE, index)) ?? [];
  const reports = {
    onProblem: (id: string, message: string) => system.events.deviceProblem(id, message),
    onBug: (id: string, error: unknown) => system.bug(id, error),
  };
  const others = extras.includes("pvpanic") ? [pvpanicFunction(0, () => reports.onProblem(PVPANIC_ID, PANIC_REPORT))] : [];
  const pci = boot.bus === "pci" ? attachPci(system, { vmid: Vmid.Primary, devices, reports, others }) : undefined;
  const slots = attachVirtio(machine, system.hypervisor, Vmid.Primary, pci ? [] : devices, reports);
  for (const place of pci?.places ?? slots) {
    const { id, transport, turn, size, intid } = place;
    system.parts.push(savedTransport(id, transport, turn));
    system.virtio.push({
      vm: PRIMARY_CONSOLE,
      device: transport.device,
      id,
      size,
      intid,
      // The guest moves a function's registers.
      get ipa() {
        return place.ipa;
      },
    });
  }
  if (pci) system.parts.push(pci.part);
  system.parts.push(...maker.parts);
}

/** A virtio slot with its device, and the event that the device waits for. */
function savedTransport(name: string, transport: VirtioTransport, turn: SavedEvent): SavedPart {
  return {
    name,
    save: () => transport.waits ? { ...transport.save(), turn: turn.place } : transport.save(),
    restore(state) {
      const saved = state as TransportState & { turn?: EventPlace };
      turn.load(saved.turn, saved.turn !== undefined, () => transport.restore(saved));
    },
  };
}

/**
 * The primary VM before its first instruction: where its images are, and its flash where it starts
 * from firmware.
 */
interface Primary {
  readonly images: PrimaryImages;
  readonly flash: readonly FlashPlan[];
}

/** Puts image, ramdisk and devicetree of the primary VM into RAM, or firmware into its flash. */
function loadPrimary(building: Building, boot: BootPlan): Primary {
  const { plan, map, system, system: { machine, outside } } = building;
  const { append, clock, devices, bus, uart, platformDevices } = boot;
  const geniezone = plan.behaviour?.geniezone;
  const virtioSlots = bus === "pci" ? 0 : devices?.length;
  const platform = { append, clock: clock !== undefined, virtioSlots, geniezone, bus, uart, platformDevices };
  if (boot.firmware) {
    const { firmware } = boot, layout = refusing("firmware", () => layoutFirmware(firmware, map.primarySize));
    const flash = makeFlash(machine, boot.firmware, layout, outside);
    const images = firmwareImages(layout);
    const tree = boot.dtb ?? generatedTree(building, layout.memory, { ...platform, flash: layout.banks.map(({ size }) => size) });
    writeTree(system, images, tree);
    return { images, flash };
  }
  const { image } = boot;
  if (!image) return { images: DEFAULT_PRIMARY_IMAGES, flash: [] };
  const layout = refusing("image", () => layoutPrimary({ ...boot, image }, RAM_BASE, map.primarySize, plan.cpu));
  for (const { address, bytes } of layout.placements) machine.ram.write(address, bytes);
  system.vms.images.set(PRIMARY_CONSOLE, layout.placements);
  const images = { entry: layout.entry, devicetree: layout.devicetree, ramdisk: layout.initrd?.start ?? layout.devicetree };
  const tree = boot.dtb ?? generatedTree(building, map.primarySize, { ...platform, initrd: layout.initrd });
  const ramdisk = layout.initrd && boot.initrd && { start: layout.initrd.start, bytes: boot.initrd };
  building.system.vms.findings.set(
    PRIMARY_CONSOLE,
    bootFindings({ tree, devices: devices ?? [], slots: virtioSlots ?? 0, ramdisk, image }),
  );
  writeTree(system, images, tree);
  return { images, flash: [] };
}

function writeTree({ machine, devicetrees }: GuestSystem, { devicetree }: PrimaryImages, tree: Uint8Array): void {
  if (tree.length > DEVICETREE_WINDOW) {
    throw new PlanError(`the devicetree has ${tree.length} bytes, but there is room for ${DEVICETREE_WINDOW}`);
  }
  machine.ram.write(devicetree, tree);
  devicetrees.set(HOST, devicetree);
}

function generatedTree(
  { plan, random }: Building,
  memory: number,
  platform: Omit<PrimaryDevicetreeOptions, "cpus" | "memory" | "rngSeed"> = {},
): Uint8Array {
  const rngSeed = new Uint8Array(32);
  const words = new DataView(rngSeed.buffer);
  for (let i = 0; i < rngSeed.length; i += 4) words.setUint32(i, random.next());
  const hasPmu = cpuOfPlan(plan.cpu).features.has("FEAT_PMUv3");
  return writeDevicetree(primaryDevicetree({ cpus: plan.cpus, memory, rngSeed, msi: plan.behaviour?.msi, hasPmu, ...platform }));
}

/** Input typed into VMs of the native host, and the VMs to stop. */
const SAVED_INPUT = v.array(v.union([
  v.strictObject({ vm: v.string(), bytes: v.instance(Uint8Array) }),
  v.strictObject({ vm: v.string(), break: v.literal(true) }),
  v.strictObject({ vm: v.string(), start: v.picklist(["start", "create", "reset"]) }),
  v.strictObject({ request: v.strictObject({ id: v.number(), payload: v.instance(Uint8Array) }) }),
  v.strictObject({ vm: v.string(), stop: v.strictObject({ force: v.boolean() }) }),
  v.strictObject({ taker: v.number(), data: v.unknown() }),
]));

/** Puts the native host where the Resource Manager starts the primary VM. */
function startHost(building: Building, { host }: RunPlan): void {
  const { map, system, own } = building, { machine } = system;
  writeTree(system, DEFAULT_PRIMARY_IMAGES, generatedTree(building, map.primarySize));
  const input = new ConsoleInput(() => {
    machine.interrupt(CONSOLE_INPUT_INTID, true);
    machine.interrupt(CONSOLE_INPUT_INTID, false);
  });
  input.onTaken = (vm) => system.consoles.onTyped(vm);
  for (const vm of host.vms) introduce(vm, system, input);
  system.control.host = input;
  system.parts.push({
    name: "console input",
    save: () => v.parse(SAVED_INPUT, input.save()),
    restore: (state) => input.restore(v.parse(SAVED_INPUT, state)),
  });
  system.control.configured = host.vms.map(({ name }) => name);
  // Input from outside reaches the devices through the host's program, which has their memory and
  // interrupts.
  const outside = system.outside.through((taker, data) => input.forDevice(taker, data));
  const maker = deviceMaker(building, outside);
  // They are there before the host is, which may be loaded in the middle of its life.
  const devices = new Map(host.vms.map((vm) => [vm.name, own ? [] : vmDevices(vm, maker, system)]));
  system.parts.push(...maker.parts);
  const variables = new Map(
    own ? [] : host.vms.flatMap(({ name, flash }) => {
      return flash?.vars === undefined ? [] : [[name, new KeptVariables(name, flash.vars, outside)] as const];
    }),
  );
  for (const { part } of variables.values()) system.parts.push(part);
  const program = own ?? nativeHost({
    plan: host,
    events: (event: HostEvent) => system.hostEvent(event),
    input,
    device: (_plan, vm, slot) => devices.get(vm)![slot],
    variables: (vm) => variables.get(vm),
    takeInput: (taker, data) => outside.take(taker, data),
  });
  system.hypervisor.registerNative(DEFAULT_PRIMARY_IMAGES.entry, program);
}

/** Tells the system of a VM of the native host, and of its console. */
function introduce(vm: VmPlan, system: GuestSystem, input: ConsoleInput): void {
  const { name, console, schedule, hypervisor = "gunyah", memory: ram, windows = [], start = "auto", stale } = vm;
  const room = vm.devicetreeFirst ? treeRoom(vm.image.bytes) : undefined;
  const memory = windows.reduce((sum, { size }) => sum + size, ram);
  system.devicetrees.set(name, vm.base + boardOf(vm).layout(vm).devicetree);
  system.vms.plans.set(name, {
    restarts: vm.onExit === "restart",
    schedule: schedule === "proxy" ? "proxy" : "own",
    hypervisor,
    memory,
    stale,
    ...room && { bios: { tree: devicetreeOf(vm).length, room } },
  });
  const { initrd } = boardOf(vm).layout(vm), { devices = [] } = vm;
  const ramdisk = vm.initrd && initrd !== undefined ? { start: vm.base + initrd, bytes: vm.initrd } : undefined;
  const slots = schedule === "proxy" && (vm.platform ?? "el2") === "el2" ? devices.length : 0;
  system.vms.findings.set(
    name,
    bootFindings({ tree: devicetreeOf(vm), devices, slots, ramdisk, image: vm.image.bytes }),
  );
  system.vms.images.set(name, [{ address: vm.base + vm.image.offset, bytes: vm.image.bytes }]);
  if (!console) return;
  system.consoles.add(name, {
    type: (bytes: Uint8Array) => input.push(name, bytes),
    sendBreak: () => input.pushBreak(name),
    input: () => input.devices(name)?.unread,
    take: (limit) => input.devices(name)?.take(limit) ?? new Uint8Array(0),
    closed: () => closedConsole(system.vms.lifeOf(name) ?? (start === "auto" ? "creating" : undefined), name) ?? input.closed,
  });
}

/** Why a VM in this state takes no input; undefined if it does. */
function closedConsole(life: VmState | undefined, vm: string): Problem | undefined {
  const start = hint("vm start", vm);
  switch (life) {
    case undefined:
      return { what: "the VM is not started", wayOut: way`start it with ${start}` };
    case "exited":
    case "stopped":
      return { what: "the VM has stopped", wayOut: way`start it again with ${start}` };
    case "failed":
      return { what: "the VM has failed", wayOut: way`see ${hint("why", { about: vmId(vm) })}, or start it again with ${start}` };
    case "creating":
    case "ready":
    case "running":
      return undefined;
  }
}

/** The virtio devices of a secondary VM, in the order of their slots. */
function vmDevices(
  { name: vm, devices = [], schedule, platform }: VmPlan,
  maker: DeviceMaker,
  system: Pick<GuestSystem, "virtio">,
): VirtioDevice[] {
  const { virtio } = boardOf({ platform });
  return devices.map((plan, slot) => {
    const device = maker.make(plan, vm, slot);
    const object = schedule !== "proxy";
    const registers = object ? undefined : virtio.place(slot);
    // The hypervisor, or the guest, gives them their place.
    const size = registers?.size ?? (object ? PAGE_SIZE : VIRTIO_BAR_SIZE);
    const place = { ipa: registers?.base, size, intid: FIRST_SPI + virtio.spi(slot) };
    system.virtio.push({ vm, id: devId(vm, deviceName(device.name, slot)), device, ...place });
    return device;
  });
}
