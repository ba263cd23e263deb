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
import type { HostKernel, IoctlResult } from "./kernel/kernel.ts";
import { crosvmRegions } from "./crosvm-map.ts";
import type { VmPlan } from "./plan.ts";
import type { VmDevices } from "./vm-devices.ts";
import { devicetreeSize, gicFrames, layoutVm } from "./vm-layout.ts";
import { type BoardServices, newVmmData, Refused, Vmm, type VmmData, type VmmEvents, type VmmExit, type VmmVcpu } from "./vmm-process.ts";
import { PAGE_SIZE } from "../support/sizes.ts";

/** Ids of 64-bit core registers: X0 and PC. */
const X0 = 0x6030_0000_0010_0000n, PC = X0 + 64n;

const PURPOSES = {
  firmware: SlotPurpose.Firmware,
  ram: SlotPurpose.Guest,
  pool: SlotPurpose.StaticSwiotlb,
  window: SlotPurpose.Guest,
} as const;

/** Plain data. */
interface GzvmVmmData extends VmmData {
  vm: number;
}

/** One VMM with its VM. */
export class GzvmVmm extends Vmm<GzvmVmmData> {
  protected readonly dataOffset = GZVM_RUN_MMIO.at.data.offset;

  constructor(kernel: HostKernel, plan: VmPlan, events: VmmEvents, devices?: VmDevices, services?: BoardServices) {
    super(kernel, plan, events, devices, { ...newVmmData(), vm: 0 }, services);
  }

  protected make(): void {
    if (this.plan.schedule !== "proxy") throw new Refused("GenieZone's VMs are run by their VMM: schedule has to be proxy");
    const device = this.must("open /dev/gzvm", this.kernel.open(this.pid, "/dev/gzvm"));
    this.data.vm = this.ioctl("CREATE_VM", device, GZVM.CREATE_VM, 0n);
    this.#giveMemory();
    this.#makeFrames();
    for (let id = 0; id < this.plan.vcpus; id++) {
      const fd = this.ioctl("CREATE_VCPU", this.data.vm, GZVM.CREATE_VCPU, BigInt(id));
      this.data.vcpus.push({ fd, page: this.mapPage(), task: undefined });
    }
    this.#setRegister(PC, this.plan.base + this.plan.image.entry);
    this.#setRegister(X0, this.devicetree);
    if (this.plan.firmware !== undefined) this.#protect();
    this.addLines();
    // The first RUN starts the VM.
    for (const vcpu of this.data.vcpus) this.enter(vcpu);
  }

  #giveMemory(): void {
    const { plan } = this;
    const ram = { purpose: "ram", base: plan.base, size: plan.memory } as const;
    const windows = (plan.windows ?? []).map((window) => ({ purpose: "window" as const, ...window }));
    const regions = plan.platform === "crosvm" ? crosvmRegions(plan) : [ram, ...windows];
    const addresses = regions.map((region) => this.mapRegion(region));
    this.load(this.data.memory);
    for (const [slot, { purpose, base, size }] of regions.entries()) {
      this.call("SET_USER_MEMORY_REGION", this.data.vm, GZVM.SET_USER_MEMORY_REGION, GZVM_USER_MEMORY_REGION, {
        ...{ slot, flags: PURPOSES[purpose], guest_phys_addr: BigInt(base) },
        ...{ memory_size: BigInt(size), userspace_addr: BigInt(addresses[slot]) },
      });
    }
    const range = { dtb_addr: BigInt(this.devicetree), dtb_size: BigInt(devicetreeSize(plan)) };
    this.call("SET_DTB_CONFIG", this.data.vm, GZVM.SET_DTB_CONFIG, GZVM_DTB_CONFIG, range);
  }

  #makeFrames(): void {
    const { gicd, gicr } = gicFrames(this.plan);
    for (const [dev_type, { base, size }] of [[GzvmDevice.Distributor, gicd], [GzvmDevice.Redistributor, gicr]] as const) {
      const device = { dev_type, dev_addr: BigInt(base), dev_reg_size: BigInt(size) };
      this.call("CREATE_DEVICE", this.data.vm, GZVM.CREATE_DEVICE, GZVM_CREATE_DEVICE, device);
    }
  }

  /** Firmware first, and no memory for the host. */
  #protect(): void {
    const enable = (...args: bigint[]) =>
      this.call("ENABLE_CAP", this.data.vm, GZVM.ENABLE_CAP, GZVM_ENABLE_CAP, {
        cap: GzvmCap.ProtectedVm,
        args: Array.from({ length: 5 }, (_, index) => args[index] ?? 0n),
      });
    enable(GzvmProtection.SetFirmwareAddress, BigInt(this.plan.base + layoutVm(this.plan).firmware!));
    enable(GzvmProtection.SetProtected);
  }

  protected addLine(fd: number, spi: number): void {
    this.call("IRQFD", this.data.vm, GZVM.IRQFD, GZVM_IRQFD, { fd, gsi: spi });
  }

  protected addNotifier(fd: number, address: number, value: number | undefined): void {
    const match = value === undefined ? { len: 0 } : { datamatch: BigInt(value), len: 4, flags: GzvmIoeventfdFlags.Datamatch };
    this.call("IOEVENTFD", this.data.vm, GZVM.IOEVENTFD, GZVM_IOEVENTFD, { fd, addr: BigInt(address), ...match });
  }

  #setRegister(id: bigint, value: number): void {
    const addr = BigInt(this.place(GZVM_U64.encode({ value: BigInt(value) }), PAGE_SIZE / 2));
    this.call("SET_ONE_REG", this.data.vcpus[0].fd, GZVM.SET_ONE_REG, GZVM_ONE_REG, { id, addr });
  }

  protected run(vcpu: VmmVcpu): IoctlResult {
    return this.kernel.ioctl(this.pid, vcpu.fd, GZVM.RUN.code, BigInt(vcpu.page));
  }

  protected exitOf(vcpu: VmmVcpu): VmmExit {
    const view = this.filled(vcpu);
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
}
