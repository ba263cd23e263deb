// The sample VMM on /dev/gunyah: the steps of a program that runs a VM, in order
// (docs/spec/vm-manager.md §7.1 and §14). START and RUN are the only calls that wait in every
// generation; after any failure, closing all descriptors takes the VM down.

import {
  BOOT_CONTEXT,
  CREATE_MEM_ARGS,
  ExitReason,
  FN_DESC,
  FN_IOEVENTFD_ARG,
  FN_IRQFD_ARG,
  FN_VCPU_ARG,
  FunctionType,
  GH,
  GH_ANDROID,
  GH_EL2,
  GH_V6,
  IoeventfdFlags,
  IrqfdFlags,
  MAP_MEM_ARGS,
  MapFlagsV17,
  RegionFlags,
  RomFlags,
  RUN_MMIO,
  RUN_PAGE,
  RUN_PAGE_FAULT,
  SET_ROM,
  SIGNAL_MSI,
  USER_MEM_REGION,
  VM_RANGE,
  WAKES_AT_TIMERS,
} from "../abi/ioctl/gunyah.ts";
import { Errno, errnoName } from "../abi/ioctl/errno.ts";
import { type Persona, type PersonaName, PERSONAS } from "../abi/ioctl/personas.ts";
import type { Request } from "../abi/ioctl/request.ts";
import type { Struct, StructFields, StructValues } from "../abi/ioctl/struct.ts";
import { RegisterSet } from "../abi/words.ts";
import type { OtherVmm } from "./boards/board.ts";
import { bellLabel } from "./boards/labels.ts";
import { isShared, type Range, wholePages } from "./boards/layout.ts";
import type { DriverTraits } from "./boards/nodes.ts";
import type { IoctlResult } from "./kernel/kernel.ts";
import type { DriverQuirks } from "./data/plan.ts";
import { newVmmData, type VmmData } from "./vmm-data.ts";
import { Vmm, type VmmDriver, type VmmExit, type VmmParts, type VmmProcess } from "./vmm-process.ts";
import { Refused } from "./vmm-steps.ts";
import { PAGE_SIZE } from "../../kit/support/values/sizes.ts";

/** Label of the VM's memory. */
const MEMORY_LABEL = 0;

/**
 * How a VM comes to be. Each step ends in an ioctl, which may wait: v6 and v9 ask the Resource
 * Manager for a VMID in CREATE_VM. As messages name that ioctl.
 */
const STEPS = ["create", "memory", "functions", "start"] as const;
const STEP_CALLS: Readonly<Record<typeof STEPS[number], string>> = {
  create: "CREATE_VM",
  memory: "giving the VM its memory",
  functions: "SET_DTB_CONFIG",
  start: "START",
};

/** Plain data. */
interface GunyahVmmData extends VmmData {
  device: number;
  vm: number;
  /** Which of `STEPS` comes next, or waits. */
  step: number;
  /** The ioctl of that step that waits. */
  waiting: number | undefined;
  /** Regions that the VM has, if each is given by itself. */
  regions?: number;
}

/** A VMM on /dev/gunyah with its driver. */
interface Gunyah {
  readonly vmm: Vmm<GunyahVmmData>;
  readonly persona: Persona;
  /** It asks the driver who wakes vCPUs at their timers, as newer VMMs do. */
  readonly asksForTimers: boolean;
  /** Time (ns) after which the host reclaims a page. */
  readonly reclaimAfter: number | undefined;
}

/** A VMM on /dev/gunyah of a generation. */
export function gunyahVmm(
  device: PersonaName,
  quirks: DriverQuirks,
  parts: Omit<VmmParts<GunyahVmmData>, "data">,
): VmmProcess {
  const persona = PERSONAS[device], { reclaimAfter } = quirks;
  const asksForTimers = quirks.wakesAtTimers === true && persona.requests.includes(GH_ANDROID.CHECK_EXTENSION);
  const data = { ...newVmmData(), device: 0, vm: 0, step: 0, waiting: undefined };
  return new Vmm<GunyahVmmData>({ ...parts, data }, (vmm) => driver({ vmm, persona, asksForTimers, reclaimAfter }));
}

function driver(gunyah: Gunyah): VmmDriver {
  const { steps, data } = gunyah.vmm;
  return {
    make: () => go(gunyah),
    waiting: () => data.waiting,
    continue: (result) => {
      data.waiting = undefined;
      done(gunyah, result);
      go(gunyah);
    },
    traits: () => traits(gunyah),
    addLine: (fd, spi, edge) => {
      const label = gunyah.vmm.board.vmm === undefined ? bellLabel(spi) : spi;
      addFunction(gunyah, FunctionType.Irqfd, FN_IRQFD_ARG, { fd, label, flags: edge ? 0 : IrqfdFlags.Level });
    },
    addNotifier: (fd, address, value) => {
      const match = value === undefined ? { len: 0 } : {
        len: 4,
        datamatch: BigInt(value),
        flags: gunyah.vmm.plan.datamatchFlag ?? IoeventfdFlags.Datamatch,
      };
      addFunction(gunyah, FunctionType.Ioeventfd, FN_IOEVENTFD_ARG, { fd, addr: BigInt(address), ...match });
    },
    // A VM that ends takes none, as with irqfds.
    signalMsi: (label, device, event) => void steps.structured(data.vm, GH_EL2.SIGNAL_MSI, SIGNAL_MSI, { label, device, event }),
    setRom: (base, size, address) => {
      steps.call("EL2_VM_SET_ROM", data.vm, GH_EL2.SET_ROM, SET_ROM, {
        guest_phys_addr: BigInt(base),
        memory_size: BigInt(size),
        userspace_addr: BigInt(address ?? 0),
        flags: address === undefined ? 0 : RomFlags.Present,
      });
    },
    run: (vcpu) => steps.begin(vcpu.fd, GH.RUN),
    exitOf: (vcpu) => exitOf(steps.filled(vcpu)),
    dataOffset: RUN_MMIO.at.data.offset,
  };
}

function traits({ vmm: { steps, data }, persona, asksForTimers }: Gunyah): DriverTraits {
  const firmwareApart = persona.start.includes("firmware-parcel") && !persona.protectedAsParcel;
  if (!asksForTimers) return { firmwareApart, wakesAtTimers: false };
  const { result } = steps.begin(data.vm, GH_ANDROID.CHECK_EXTENSION, WAKES_AT_TIMERS);
  return { firmwareApart, wakesAtTimers: steps.must("CHECK_EXTENSION", result ?? 0) > 0 };
}

// ---- steps ----

/** Takes steps until one waits. */
function go(gunyah: Gunyah): void {
  const { data } = gunyah.vmm;
  while (data.step < STEPS.length) {
    const { task, result } = BEGIN[STEPS[data.step]](gunyah);
    if (result === undefined) {
      data.waiting = task;
      return;
    }
    done(gunyah, result);
  }
}

/** Each step up to the ioctl that may wait. */
const BEGIN: Readonly<Record<typeof STEPS[number], (gunyah: Gunyah) => IoctlResult>> = {
  create: (gunyah) => {
    const { steps, data } = gunyah.vmm;
    data.device = steps.open("/dev/gunyah");
    return steps.begin(data.device, request(gunyah, GH.CREATE_VM, GH_V6.CREATE_VM));
  },
  memory: giveMemory,
  functions: (gunyah) => {
    const { vmm, vmm: { steps, board, plan, data } } = gunyah;
    if (board.vmm?.firmware !== undefined && plan.firmware !== undefined) setFirmware(gunyah, board.vmm.firmware.size);
    if (plan.schedule === "proxy") addVcpus(gunyah);
    vmm.addLines();
    if (board.vmm?.loadsLast) vmm.load(data.memory);
    else if (plan.firmware !== undefined) setFirmware(gunyah, plan.firmware.size);
    else if (board.vmm === undefined) setEntry(gunyah);
    const range = { guest_phys_addr: BigInt(vmm.memory.devicetree), size: BigInt(board.rules.devicetreeSize) };
    return steps.structured(data.vm, request(gunyah, GH.SET_DTB_CONFIG, GH_V6.SET_DTB_CONFIG), VM_RANGE, range);
  },
  start: (gunyah) => {
    const { steps, board, data } = gunyah.vmm;
    if (board.vmm !== undefined) setOtherEntry(gunyah, board.vmm);
    return steps.begin(data.vm, request(gunyah, GH.START, GH_V6.START));
  },
};

/** That ioctl has ended. */
function done(gunyah: Gunyah, result: number): void {
  const { vmm, vmm: { steps, board, plan, data } } = gunyah, step = STEPS[data.step], regions = regionCount(gunyah);
  steps.must(STEP_CALLS[step], result);
  if (step === "memory" && regions > 1) {
    data.regions = (data.regions ?? 0) + 1;
    if (data.regions < regions) return;
  }
  data.step++;
  if (step === "create") data.vm = result;
  if (step !== "start") return;
  board.flash(plan).forEach((_, bank) => vmm.showFlash(bank, true));
  if (gunyah.reclaimAfter !== undefined) vmm.reclaimAfter(gunyah.reclaimAfter);
  for (const vcpu of data.vcpus) vmm.enter(vcpu);
}

// ---- memory ----

/**
 * Whether the VMM keeps its access to the VM's memory. Without devices nothing is lost by lending
 * it; a protected VM's memory is lent even if its devices stop working, and so is memory that
 * could not be executed otherwise.
 */
function shares({ vmm: { plan, board }, persona }: Gunyah): boolean {
  const { devices = [], firmware } = plan;
  return (devices.length > 0 || board.vmm !== undefined) && firmware === undefined && persona.memory.sharedExecutable;
}

/** A VM that starts in flash has a region after its RAM, with the Resource Manager's devicetree. */
function regionCount({ vmm: { plan, board } }: Gunyah): number {
  return plan.flash === undefined ? board.regions(plan).length : 2;
}

/** Memory for the VM, loaded, then given: lent memory belongs to the VM from then on. */
function giveMemory(gunyah: Gunyah): IoctlResult {
  const { vmm: { plan, board, data }, persona } = gunyah, { regions: label = 0 } = data;
  const hasRegions = [GH.SET_USER_MEM_REGION, GH_V6.SET_USER_MEM_REGION].some((request) => persona.requests.includes(request));
  if (board.vmm !== undefined && !hasRegions) {
    throw new Refused(`${persona.name} has no SET_USER_MEM_REGION, by which ${board.rules.vmm} gives memory`);
  }
  if (label === 0 && !board.vmm?.loadsLast) return giveLoaded(gunyah, hasRegions);
  if (plan.flash !== undefined) {
    const range = { base: plan.base + plan.memory, size: board.rules.devicetreeSize };
    return giveRegion(gunyah, label, range, data.memory + plan.memory, shares(gunyah));
  }
  const region = board.regions(plan)[label];
  if (hasRegions) return giveRegion(gunyah, label, region, gunyah.vmm.map(region), shares(gunyah) || isShared(region));
  // A window of RAM, which is empty.
  const { address, give } = guestMemory(gunyah, region);
  (data.windows ??= []).push(address);
  return give();
}

/** RAM with all that it is loaded with. */
function giveLoaded(gunyah: Gunyah, hasRegions: boolean): IoctlResult {
  const { vmm, vmm: { steps, board, plan } } = gunyah;
  const [ram] = board.regions(plan);
  const memory = hasRegions ? anonymousMemory(gunyah, ram) : guestMemory(gunyah, ram);
  vmm.load(memory.address);
  vmm.memory.loadFlash();
  const stub = board.vmm?.stub?.(plan);
  if (stub !== undefined) steps.store(memory.address + stub.offset, stub.bytes);
  return memory.give();
}

function giveRegion(gunyah: Gunyah, label: number, { base, size }: Range, address: number, shared: boolean): IoctlResult {
  const { vmm: { steps, data }, persona } = gunyah;
  const lendCall = !shared && persona.requests.includes(GH_ANDROID.LEND_USER_MEM);
  const lendFlag = !shared && !lendCall ? RegionFlags.Lent : 0;
  const call = lendCall ? GH_ANDROID.LEND_USER_MEM : request(gunyah, GH.SET_USER_MEM_REGION, GH_V6.SET_USER_MEM_REGION);
  return steps.structured(data.vm, call, USER_MEM_REGION, {
    label,
    flags: RegionFlags.Read | RegionFlags.Write | RegionFlags.Exec | lendFlag,
    guest_phys_addr: BigInt(base),
    memory_size: BigInt(size),
    userspace_addr: BigInt(address),
  });
}

/** Memory at a user address that can be given. */
interface Given {
  readonly address: number;
  give(): IoctlResult;
}

function anonymousMemory(gunyah: Gunyah, ram: Range): Given {
  const { vmm: { steps, plan, board } } = gunyah;
  const address = steps.mapMemory(plan.flash === undefined ? ram.size : ram.size + board.rules.devicetreeSize);
  return { address, give: () => giveRegion(gunyah, MEMORY_LABEL, ram, address, shares(gunyah)) };
}

function guestMemory(gunyah: Gunyah, { base, size }: Range): Given {
  const { steps, kernel, data } = gunyah.vmm;
  const fd = steps.call("CREATE_GUEST_MEM", data.device, GH.CREATE_GUEST_MEM, CREATE_MEM_ARGS, { size: BigInt(size) });
  const options = { read: true, write: true, private: false, offset: 0 };
  const { Read, Write, Exec, Lend, Share } = MapFlagsV17;
  const address = steps.must("mmap", kernel.mapFile(steps.pid, fd, size, options));
  return {
    address,
    give: () => {
      const shared = shares(gunyah);
      // Lent memory may not stay mapped.
      if (!shared) steps.must("munmap", kernel.munmap(steps.pid, address));
      return steps.structured(data.vm, GH.MAP_MEM, MAP_MEM_ARGS, {
        guest_addr: BigInt(base),
        flags: Read | Write | Exec | (shared ? Share : Lend),
        guest_mem_fd: fd,
        size: BigInt(size),
      });
    },
  };
}

// ---- vCPUs, firmware and entry ----

function addVcpus(gunyah: Gunyah): void {
  const { vmm: { steps, kernel, plan, data }, persona } = gunyah;
  // Older generations have no functions at all.
  if (persona.functions === undefined) throw new Refused(`${persona.name} has no vCPUs to run`, 'schedule = "own" needs none');
  for (let id = 0; id < plan.vcpus; id++) {
    const fd = addFunction(gunyah, FunctionType.Vcpu, FN_VCPU_ARG, { id });
    const options = { read: true, write: true, private: false, offset: 0 };
    data.vcpus.push({ fd, page: steps.must("mmap of a vCPU", kernel.mapFile(steps.pid, fd, PAGE_SIZE, options)), task: undefined });
  }
}

/**
 * The Resource Manager puts the firmware of protected VMs here, and it is what the boot vCPU
 * begins with.
 */
function setFirmware({ vmm: { steps, board, plan, data }, persona: { name, requests } }: Gunyah, size: number): void {
  if (!requests.includes(GH_ANDROID.SET_FW_CONFIG)) {
    throw new Refused(`${name} has no SET_FW_CONFIG, by which a VM is protected`, `[host] device = "v14" and Android's kernels have`);
  }
  const range = { guest_phys_addr: BigInt(plan.base + board.layout(plan).firmware!), size: BigInt(wholePages(size)) };
  steps.call("SET_FW_CONFIG", data.vm, GH_ANDROID.SET_FW_CONFIG, VM_RANGE, range);
}

/** Where the boot vCPU begins; older generations begin with the first byte of the memory. */
function setEntry({ vmm: { steps, memory, plan: { base, image }, data }, persona }: Gunyah): void {
  if (persona.requests.includes(GH.SET_BOOT_CONTEXT)) {
    for (const [set, value] of [[RegisterSet.PC, base + image.entry], [RegisterSet.X, memory.devicetree]]) {
      steps.call("SET_BOOT_CONTEXT", data.vm, GH.SET_BOOT_CONTEXT, BOOT_CONTEXT, { reg: set << 8, value: BigInt(value) });
    }
  } else if (image.entry !== 0) {
    throw new Refused(`${persona.name} enters a VM at the first byte of its memory, the image at offset 0x${image.entry.toString(16)}`);
  }
}

/**
 * VMMs of others try. A kernel without boot contexts begins at the first byte of RAM, which is fine
 * for an image there.
 */
function setOtherEntry({ vmm: { steps, plan, data } }: Gunyah, vmm: OtherVmm): void {
  const startsThere = plan.image.entry === 0 && plan.flash === undefined;
  for (const [reg, value] of vmm.entry(plan)) {
    const { result } = steps.structured(data.vm, GH.SET_BOOT_CONTEXT, BOOT_CONTEXT, { reg, value: BigInt(value) });
    if (result === -Errno.ENOTTY && startsThere) return;
    steps.must("SET_BOOT_CONTEXT", result ?? 0);
  }
}

// ---- the run loop ----

function exitOf(view: DataView): VmmExit {
  const reason = RUN_PAGE.at.exit_reason.get(view);
  if (reason === ExitReason.Status) return { kind: "end" };
  if (reason === ExitReason.PageFault) {
    const address = RUN_PAGE_FAULT.at.phys_addr.get(view), attempt = RUN_PAGE_FAULT.at.attempt.get(view);
    return { kind: "other", reason: `a page fault at 0x${address.toString(16)}: ${errnoName(attempt)} (exit reason ${reason})` };
  }
  if (reason !== ExitReason.Mmio) return { kind: "other", reason: `exit reason ${reason}` };
  const { phys_addr, data, len, is_write } = RUN_MMIO.at, length = len.get(view);
  return {
    kind: "mmio",
    address: Number(phys_addr.get(view)),
    length,
    stored: is_write.get(view) === 0 ? undefined : BigInt.asUintN(8 * length, view.getBigUint64(data.offset, true)),
  };
}

// ---- calls ----

/** Which of two generations' requests the device has. */
function request({ vmm: { board }, persona }: Gunyah, request: Request, older: Request): Request {
  // VMMs of others know no older ones, whatever the driver is.
  return board.vmm !== undefined || persona.requests.includes(request) ? request : older;
}

function addFunction<F extends StructFields>(
  { vmm: { steps, data } }: Gunyah,
  type: number,
  struct: Struct<F>,
  values: Partial<StructValues<F>>,
): number {
  const arg = BigInt(steps.place(struct.encode(values), PAGE_SIZE / 2));
  return steps.call("ADD_FUNCTION", data.vm, GH.ADD_FUNCTION, FN_DESC, { type, arg_size: struct.size, arg });
}
