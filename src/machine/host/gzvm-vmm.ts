// The sample VMM on /dev/gzvm: the calls of crosvm in their order (docs/spec/geniezone.md §9). As
// on /dev/gunyah (`gunyah-vmm.ts`), closing everything takes the VM down.

import {
  GZVM,
  GZVM_CREATE_DEVICE,
  GZVM_DTB_CONFIG,
  GZVM_ENABLE_CAP,
  GZVM_EXIT_BASE,
  GZVM_IOEVENTFD,
  GZVM_IRQFD,
  GZVM_ONE_REG,
  GZVM_RUN,
  GZVM_RUN_MMIO,
  GZVM_U64,
  GZVM_USER_MEMORY_REGION,
  GzvmCap,
  GzvmExit,
  GzvmIoeventfdFlags,
} from "../abi/ioctl/geniezone.ts";
import { GzvmDevice, GzvmProtection, SlotPurpose } from "../abi/geniezone/calls.ts";
import { newVmmData, type VmmData } from "./vmm-data.ts";
import { Vmm, type VmmDriver, type VmmExit, type VmmParts, type VmmProcess } from "./vmm-process.ts";
import { Refused, type Steps } from "./vmm-steps.ts";
import { PAGE_SIZE } from "../../kit/support/values/sizes.ts";

/** Ids of 64-bit core registers: X0 and PC. */
const X0 = 0x6030_0000_0010_0000n, PC = X0 + 64n;

const PURPOSES = {
  firmware: SlotPurpose.Firmware,
  ram: SlotPurpose.Guest,
  pstore: SlotPurpose.Guest,
  pool: SlotPurpose.StaticSwiotlb,
  window: SlotPurpose.Guest,
} as const;

/** Plain data. */
interface GzvmVmmData extends VmmData {
  vm: number;
}

type Gzvm = Vmm<GzvmVmmData>;

/** A VMM on /dev/gzvm. */
export function gzvmVmm(parts: Omit<VmmParts<GzvmVmmData>, "data">): VmmProcess {
  return new Vmm<GzvmVmmData>({ ...parts, data: { ...newVmmData(), vm: 0 } }, driver);
}

function driver(vmm: Gzvm): VmmDriver {
  const { steps, data } = vmm;
  return {
    make: () => make(vmm),
    addLine: (fd, gsi) => void steps.call("IRQFD", data.vm, GZVM.IRQFD, GZVM_IRQFD, { fd, gsi }),
    addNotifier: (fd, address, value) => {
      const match = value === undefined ? { len: 0 } : { datamatch: BigInt(value), len: 4, flags: GzvmIoeventfdFlags.Datamatch };
      steps.call("IOEVENTFD", data.vm, GZVM.IOEVENTFD, GZVM_IOEVENTFD, { fd, addr: BigInt(address), ...match });
    },
    run: (vcpu) => steps.begin(vcpu.fd, GZVM.RUN, BigInt(vcpu.page)),
    exitOf: (vcpu) => exitOf(steps.filled(vcpu)),
    dataOffset: GZVM_RUN_MMIO.at.data.offset,
  };
}

function make(vmm: Gzvm): void {
  const { steps, data, plan } = vmm;
  if (plan.schedule !== "proxy") throw new Refused("GenieZone's VMs are run by their VMM: schedule has to be proxy");
  data.vm = steps.ioctl("CREATE_VM", steps.open("/dev/gzvm"), GZVM.CREATE_VM, 0n);
  giveMemory(vmm);
  makeFrames(vmm);
  for (let id = 0; id < plan.vcpus; id++) {
    const fd = steps.ioctl("CREATE_VCPU", data.vm, GZVM.CREATE_VCPU, BigInt(id));
    data.vcpus.push({ fd, page: steps.mapPage(), task: undefined });
  }
  setRegister(steps, data.vcpus[0].fd, PC, plan.base + plan.image.entry);
  setRegister(steps, data.vcpus[0].fd, X0, vmm.memory.devicetree);
  if (plan.firmware !== undefined) protect(vmm);
  vmm.addLines();
  // The first RUN starts the VM.
  for (const vcpu of data.vcpus) vmm.enter(vcpu);
}

function giveMemory(vmm: Gzvm): void {
  const { steps, data, plan, board } = vmm;
  const regions = board.regions(plan), addresses = regions.map((region) => vmm.map(region));
  vmm.load(data.memory);
  for (const [slot, { purpose, base, size }] of regions.entries()) {
    steps.call("SET_USER_MEMORY_REGION", data.vm, GZVM.SET_USER_MEMORY_REGION, GZVM_USER_MEMORY_REGION, {
      slot,
      flags: PURPOSES[purpose],
      guest_phys_addr: BigInt(base),
      memory_size: BigInt(size),
      userspace_addr: BigInt(addresses[slot]),
    });
  }
  const range = { dtb_addr: BigInt(vmm.memory.devicetree), dtb_size: BigInt(board.rules.devicetreeSize) };
  steps.call("SET_DTB_CONFIG", data.vm, GZVM.SET_DTB_CONFIG, GZVM_DTB_CONFIG, range);
}

function makeFrames({ steps, data, plan, board }: Gzvm): void {
  const { gicd, gicr } = board.gic(plan.vcpus);
  for (const [dev_type, { base, size }] of [[GzvmDevice.Distributor, gicd], [GzvmDevice.Redistributor, gicr]] as const) {
    const device = { dev_type, dev_addr: BigInt(base), dev_reg_size: BigInt(size) };
    steps.call("CREATE_DEVICE", data.vm, GZVM.CREATE_DEVICE, GZVM_CREATE_DEVICE, device);
  }
}

/** Firmware first, and no memory for the host. */
function protect({ steps, data, plan, board }: Gzvm): void {
  const enable = (...args: bigint[]) =>
    steps.call("ENABLE_CAP", data.vm, GZVM.ENABLE_CAP, GZVM_ENABLE_CAP, {
      cap: GzvmCap.ProtectedVm,
      args: Array.from({ length: 5 }, (_, index) => args[index] ?? 0n),
    });
  enable(GzvmProtection.SetFirmwareAddress, BigInt(plan.base + board.layout(plan).firmware!));
  enable(GzvmProtection.SetProtected);
}

function setRegister(steps: Steps, fd: number, id: bigint, value: number): void {
  const addr = BigInt(steps.place(GZVM_U64.encode({ value: BigInt(value) }), PAGE_SIZE / 2));
  steps.call("SET_ONE_REG", fd, GZVM.SET_ONE_REG, GZVM_ONE_REG, { id, addr });
}

function exitOf(view: DataView): VmmExit {
  const reason = GZVM_RUN.at.exit_reason.get(view) - GZVM_EXIT_BASE;
  if (reason === GzvmExit.SystemEvent || reason === GzvmExit.Shutdown) return { kind: "end" };
  if (reason !== GzvmExit.Mmio) return { kind: "other", reason: `exit reason ${reason}` };
  const { phys_addr, data, size, is_write } = GZVM_RUN_MMIO.at, length = Number(size.get(view));
  return {
    kind: "mmio",
    address: Number(phys_addr.get(view)),
    length,
    stored: is_write.get(view) === 0 ? undefined : BigInt.asUintN(8 * length, view.getBigUint64(data.offset, true)),
  };
}
