// The root VM: the objects that the Resource Manager starts with, its memory and its environment
// block (docs/spec/hypervisor.md §8, docs/spec/observed.md §7). Capabilities are made in the
// recorded order, so their ids match.

import { asCapId, asIpa, asPa, type CapId } from "../abi/numbers.ts";
import type { NativeGuestFactory } from "../abi/native-guest.ts";
import { encodeRootEnvironment, NO_CAP, ROOT_ENVIRONMENT_SIZE, type RootEnvironment, type RootResources } from "../abi/root-environment.ts";
import { ErrorCode, errorName } from "../abi/errors.ts";
import {
  Access,
  ExtentMemoryType,
  ExtentType,
  MapAttributes,
  mapAttributes,
  memextentAttributes,
  MemoryType,
  VcpuOption,
  VdeviceFlags,
  VicOption,
} from "../abi/words.ts";
import { CNTFRQ } from "../hardware/clock.ts";
import type { Machine } from "../hardware/machine.ts";
import {
  DEVICE_END,
  GICD_BASE,
  GICD_SIZE,
  GICR_BASE,
  GICR_STRIDE,
  GITS_BASE,
  GITS_SIZE,
  MAX_CPUS,
  PL011_BASE,
  PL011_SIZE,
  RAM_BASE,
  RESOURCE_MANAGER_SIZE,
} from "../hardware/memory-map.ts";
import { AddressSpace } from "./memory/addrspace.ts";
import { Cspace } from "./capabilities/cspace.ts";
import { FlashBank, type FlashPlan } from "./memory/flash.ts";
import { Hwirq } from "./gic/hwirq.ts";
import type { Hypervisor } from "./hypervisor.ts";
import type { HypervisorObject } from "./capabilities/object.ts";
import { Memextent } from "./memory/memextent.ts";
import { layoutPackage, type RootLayout, type RootPackage, segmentParts } from "./root-package.ts";
import { Vcpu } from "./scheduling/vcpu.ts";
import { TimerPpi } from "./scheduling/timer.ts";
import { Vic } from "./gic/vic.ts";

/** Where the primary VM's images lie, for the Resource Manager to start it. Physical addresses. */
export interface PrimaryImages {
  readonly entry: number;
  readonly devicetree: number;
  readonly ramdisk: number;
  /** Bytes of the primary's RAM, if less than the machine's. */
  readonly memory?: number;
}

/** The recorded platform's places for the primary's images. */
export const DEFAULT_PRIMARY_IMAGES: PrimaryImages = {
  entry: RAM_BASE + 0x100_0000,
  devicetree: RAM_BASE + 0xf0_0000,
  ramdisk: RAM_BASE + 0x80_0000,
};

/** The parts of the root VM. */
export interface RootVm {
  readonly cspace: Cspace;
  readonly addressSpace: AddressSpace;
  readonly vic: Vic;
  readonly vcpu: Vcpu;
}

const BOOT_CPU = 0;
const ROOT_VMID = 255;
const ROOT_CAPS = 2048;
/** vIRQs of the root VIC in addition to SGIs and PPIs. */
const ROOT_VIRQS = 64;

/** Layout of the recorded platform, which native programs expect. */
const NATIVE_LAYOUT: RootLayout = { app: 0xb000, environment: 0x6_1000, heap: 0x6_1000 + ROOT_ENVIRONMENT_SIZE };
/** Entry point of a native program, relative to the root VM's memory. */
const NATIVE_ENTRY = 0x1000;

/**
 * Hardware interrupts that guests can have: PPIs that neither the hypervisor nor a virtual device
 * of every VM uses; then SPIs.
 */
const FORWARDABLE_PPIS = [16, 17, 18, 19, 20, 21, 22, 24, 28, 29, 31];
const FIRST_SPI = 32;
const HWIRQ_END = 256;

/**
 * Makes the root VM and powers its vCPU on. `program` is the Resource Manager: a native program, or
 * a package of AArch64 images.
 */
export function createRootVm(
  hypervisor: Hypervisor,
  program: NativeGuestFactory | RootPackage,
  images: PrimaryImages,
  flash: readonly FlashPlan[] = [],
): RootVm {
  const { rootPartition: partition, machine } = hypervisor;
  const { map } = machine;
  const native = typeof program === "function";
  const layout = native ? NATIVE_LAYOUT : layoutPackage(program, ROOT_ENVIRONMENT_SIZE, RESOURCE_MANAGER_SIZE);

  const cspace = create(partition.create(Cspace));
  expectOk(cspace.configure(ROOT_CAPS), "cspace_configure");
  expectOk(cspace.activate(), "activation of the root cspace");
  const cap = (object: HypervisorObject) => asCapId(insert(cspace, object));
  const cspace_capid = cap(cspace);
  const partition_capid = cap(partition);

  const vcpu = create(partition.create(Vcpu));
  const vcpu_capid = cap(vcpu);
  const vic = create(partition.create(Vic));
  expectOk(vic.configure(1, ROOT_VIRQS, VicOption.MaxMsisValid | VicOption.DisableDefaultAddress, 0), "vic_configure");
  expectOk(vic.activate(), "activation of the root VIC");
  const vicCap = cap(vic);
  const vic_hwirq = createHwirqs(hypervisor, cap);

  const addressSpace = create(partition.create(AddressSpace));
  expectOk(addressSpace.configure(ROOT_VMID), "addrspace_configure");
  expectOk(addressSpace.activate(), "activation of the root address space");
  const addrspace_capid = cap(addressSpace);

  const memory = createMemory(hypervisor, addressSpace);
  if (!native) loadPackage(hypervisor, addressSpace, memory, program, layout);
  const me_capid = cap(memory);
  const devices = createDevices(hypervisor, flash);
  const device_me_capid = cap(devices.all);
  const uart_me_capid = cap(devices.uart);

  vcpu.attachments.attachCspace(cspace);
  expectOk(addressSpace.attachThread(vcpu), "addrspace_attach_thread");
  vcpu.attachments.attachVic(vic, 0);
  vcpu.settings.setOptions(VcpuOption.Critical);
  vcpu.settings.setAffinity(BOOT_CPU);
  expectOk(vcpu.activate(), "activation of the root vCPU");
  attachFrame(addressSpace, vic, 0, 0n, GICD_BASE, GICD_SIZE);
  attachFrame(addressSpace, vic, 1, VdeviceFlags.LastValid | VdeviceFlags.Last, GICR_BASE, GICR_STRIDE);

  const caps = {
    cspace_capid,
    partition_capid,
    vcpu_capid,
    addrspace_capid,
    vic: vicCap,
    vic_hwirq,
    me_capid,
    device_me_capid,
    uart_me_capid,
  };
  const base = asIpa(map.resourceManagerBase);
  machine.ram.write(base + layout.environment, encodeRootEnvironment(environmentOf(machine, layout, images, caps)));

  const entry = base + (native ? NATIVE_ENTRY : program.runtime.entry);
  if (native) hypervisor.registerNative(entry, program);
  // A Resource Manager runs with its MMU off, and expects ordinary memory.
  vcpu.registers.defaultCacheable = true;
  vcpu.powerOn(BigInt(entry), BigInt(base + layout.environment));
  return { cspace, addressSpace, vic, vcpu };
}

type RootCaps =
  & Pick<RootResources, "cspace_capid" | "partition_capid" | "vcpu_capid" | "addrspace_capid" | "vic" | "vic_hwirq">
  & Pick<RootResources, "me_capid" | "device_me_capid" | "uart_me_capid">;

/** The environment block's keys, in the order in which the recorded hypervisor writes them. */
function environmentOf({ map, cpus }: Machine, layout: RootLayout, images: PrimaryImages, caps: RootCaps): RootEnvironment {
  const base = asIpa(map.resourceManagerBase);
  const primarySize = images.memory ?? map.primarySize;
  return {
    runtime_ipa: base,
    app_ipa: asIpa(base + layout.app),
    app_heap_ipa: asIpa(base + layout.heap),
    app_heap_size: RESOURCE_MANAGER_SIZE - layout.heap,
    vcpu_capid: caps.vcpu_capid,
    timer_freq: CNTFRQ,
    gicd_base: GICD_BASE,
    gicr_base: GICR_BASE,
    resources: {
      cspace_capid: caps.cspace_capid,
      partition_capid: caps.partition_capid,
      vcpu_capid: caps.vcpu_capid,
      addrspace_capid: caps.addrspace_capid,
      vic: caps.vic,
      vic_hwirq: caps.vic_hwirq,
      free_ranges: [[RAM_BASE, primarySize], [map.rootBase, map.ramEnd - map.rootBase]],
      gicd_base: GICD_BASE,
      gicr_stride: GICR_STRIDE,
      gicr_ranges: [[GICR_BASE, MAX_CPUS]],
      sve_supported: false,
      me_capid: caps.me_capid,
      me_ipa_base: base,
      me_size: RESOURCE_MANAGER_SIZE,
      ipa_offset: 0,
      boot_core: BOOT_CPU,
      usable_cores: (1 << cpus.length) - 1,
      hlos_vm_base: RAM_BASE,
      hlos_vm_size: primarySize,
      entry_hlos: asIpa(images.entry),
      hlos_dt_base: asIpa(images.devicetree),
      hlos_ramfs_base: images.ramdisk,
      device_me_capid: caps.device_me_capid,
      device_me_base: 0,
      device_me_size: DEVICE_END,
      watchdog_supported: 0,
      uart_address: PL011_BASE,
      uart_me_capid: caps.uart_me_capid,
    },
  };
}

function create<O extends HypervisorObject>(object: O | ErrorCode): O {
  if (typeof object === "number") throw new Error(`the root VM's objects do not fit: ${errorName(object)}`);
  return object;
}

function insert(cspace: Cspace, object: HypervisorObject): bigint {
  const id = cspace.insertMaster(object);
  if (typeof id === "bigint") return id;
  throw new Error(`no capability for ${object.name}: ${errorName(id)}`);
}

function expectOk(error: ErrorCode, what: string): void {
  if (error !== ErrorCode.OK) throw new Error(`${what}: ${errorName(error)}`);
}

/**
 * An object for every forwardable interrupt. Gives their capabilities by hardware interrupt number.
 */
function createHwirqs(hypervisor: Hypervisor, cap: (object: HypervisorObject) => CapId): CapId[] {
  const spis = Array.from({ length: HWIRQ_END - FIRST_SPI }, (_, index) => FIRST_SPI + index);
  const caps = new Array<CapId>(HWIRQ_END).fill(NO_CAP);
  // Where CPUs have EL2, its virtual timer is each vCPU's own.
  const ppis = hypervisor.core.cpu.features.has("FEAT_EL2")
    ? FORWARDABLE_PPIS.filter((ppi) => ppi !== TimerPpi.HypVirtual)
    : FORWARDABLE_PPIS;
  for (const intid of [...ppis, ...spis]) {
    if (!hypervisor.rootPartition.allocate(Hwirq.SIZE)) throw new Error("the hardware interrupts do not fit in the root partition's heap");
    const hwirq = new Hwirq(hypervisor, hypervisor.rootPartition, intid);
    hypervisor.hwirqs.set(intid, hwirq);
    caps[intid] = cap(hwirq);
  }
  return caps;
}

function createMemory(hypervisor: Hypervisor, addressSpace: AddressSpace): Memextent {
  const base = BigInt(hypervisor.machine.map.resourceManagerBase);
  const memory = create(hypervisor.rootPartition.create(Memextent));
  const attributes = memextentAttributes(Access.RWX, ExtentMemoryType.Any, ExtentType.Basic);
  expectOk(memory.configure(base, BigInt(RESOURCE_MANAGER_SIZE), attributes), "memextent_configure");
  expectOk(memory.activate(), "activation of the root VM's memory");
  const mapping = mapAttributes(Access.RWX, Access.RWX, MemoryType.NormalWB);
  expectOk(memory.map(addressSpace, base, 0, RESOURCE_MANAGER_SIZE, mapping), "mapping of the root VM's memory");
  return memory;
}

/**
 * Loads the images into the root VM's memory, and makes an extent for each segment, with the
 * segment's access.
 */
function loadPackage(
  hypervisor: Hypervisor,
  addressSpace: AddressSpace,
  memory: Memextent,
  program: RootPackage,
  layout: RootLayout,
): void {
  for (const [image, offset] of [[program.runtime, 0], [program.app, layout.app]] as const) {
    for (const { address, bytes } of image.segments) hypervisor.machine.ram.write(memory.base + offset + address, bytes);
  }
  const rest = Access.RW << MapAttributes.UserShift | Access.RW << MapAttributes.KernelShift;
  for (const { offset, size, access } of segmentParts(program, layout)) {
    const extent = create(hypervisor.rootPartition.create(Memextent));
    const attributes = memextentAttributes(access, ExtentMemoryType.Any, ExtentType.Basic);
    expectOk(extent.configureDerive(memory, BigInt(offset), BigInt(size), attributes), "memextent_configure_derive of a segment");
    expectOk(extent.activate(), "activation of a segment's extent");
  }
  expectOk(memory.updateAccess(addressSpace, BigInt(memory.base), 0, RESOURCE_MANAGER_SIZE, rest), "access to the root VM's other memory");
}

/**
 * All device memory, and the UART out of it. The GIC's frames and flash are taken out for good: no
 * capability names them.
 */
function createDevices(hypervisor: Hypervisor, flash: readonly FlashPlan[]): { all: Memextent; uart: Memextent } {
  const { rootPartition, privatePartition } = hypervisor;
  const all = create(rootPartition.create(Memextent));
  const sparse = memextentAttributes(Access.RW, ExtentMemoryType.Device, ExtentType.Sparse);
  expectOk(all.configure(0n, BigInt(DEVICE_END), sparse), "memextent_configure of the devices");
  expectOk(all.activate(), "activation of the devices' extent");
  if (!Memextent.move(hypervisor, privatePartition, all, asPa(0), DEVICE_END)) throw new Error("device memory has another owner");
  const derive = (base: number, size: number) => {
    const extent = create(rootPartition.create(Memextent));
    const basic = memextentAttributes(Access.RW, ExtentMemoryType.Device, ExtentType.Basic);
    expectOk(extent.configureDerive(all, BigInt(base), BigInt(size), basic), "memextent_configure_derive of a device");
    expectOk(extent.activate(), "activation of a device's extent");
    return extent;
  };
  derive(GICD_BASE, GICD_SIZE);
  derive(GICR_BASE, MAX_CPUS * GICR_STRIDE);
  if (hypervisor.behaviour.msi === "its") derive(GITS_BASE, GITS_SIZE);
  for (const plan of flash) {
    derive(plan.ipa, plan.size);
    hypervisor.flash.push(new FlashBank(rootPartition, plan));
  }
  return { all, uart: derive(PL011_BASE, PL011_SIZE) };
}

function attachFrame(addressSpace: AddressSpace, vic: Vic, index: number, flags: bigint, ipa: number, size: number): void {
  expectOk(vic.attachVdevice(addressSpace, index, flags, ipa, size), `GIC frame ${index} of the root VM`);
}
