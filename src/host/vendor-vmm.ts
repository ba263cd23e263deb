// The sample VMM on the vendor driver's /dev/gunyah: the driver has the VM's image already, so the
// VMM names it, adds its vCPUs and runs it (docs/spec/vm-manager.md §2.1). The VM has no devices,
// as no VMM would answer its accesses.

import { GH_LEGACY, LEGACY_NAME } from "../abi/ioctl/gunyah.ts";
import { SIGNED_NAME_SIZE } from "./gunyah/signed-vm.ts";
import type { HostKernel, IoctlResult } from "./kernel/kernel.ts";
import type { VmPlan } from "./plan.ts";
import { newVmmData, Refused, Vmm, type VmmData, type VmmEvents, type VmmExit, type VmmVcpu } from "./vmm-process.ts";

/** Plain data. */
interface VendorVmmData extends VmmData {
  vm: number;
  /** The SET_FW_NAME that waits. */
  loading: number | undefined;
}

/** One VMM with its VM. */
export class VendorVmm extends Vmm<VendorVmmData> {
  protected readonly dataOffset = 0;

  constructor(kernel: HostKernel, plan: VmPlan, events: VmmEvents) {
    super(kernel, plan, events, undefined, { ...newVmmData(), vm: 0, loading: undefined });
  }

  override finished(task: number, result: number): boolean {
    if (this.data.ended || task !== this.data.loading) return super.finished(task, result);
    this.data.loading = undefined;
    this.attempt(() => this.#loaded(result));
    return true;
  }

  protected make(): void {
    const { name, schedule, console, devices = [], firmware } = this.plan;
    if (schedule === "proxy" || console || devices.length > 0) {
      throw new Refused('the vendor driver serves no devices: its VMs have schedule = "own" and devices = []');
    }
    if (firmware !== undefined) throw new Refused("the vendor driver's VMs are authenticated; they have no firmware");
    const bytes = new TextEncoder().encode(name);
    if (bytes.length >= SIGNED_NAME_SIZE) throw new Refused(`the vendor driver's names have at most ${SIGNED_NAME_SIZE - 1} bytes`);
    const device = this.must("open /dev/gunyah", this.kernel.open(this.pid, "/dev/gunyah"));
    this.data.vm = this.ioctl("CREATE_VM", device, GH_LEGACY.CREATE_VM, 0n);
    const { task, result } = this.structured(this.data.vm, GH_LEGACY.SET_FW_NAME, LEGACY_NAME, { name: [...bytes] });
    if (result === undefined) this.data.loading = task;
    else this.#loaded(result);
  }

  /** As many vCPUs as the image wants, each in RUN until the VM ends. */
  #loaded(result: number): void {
    this.must("SET_FW_NAME", result);
    const count = this.ioctl("GET_VCPU_COUNT", this.data.vm, GH_LEGACY.GET_VCPU_COUNT, 0n);
    for (let id = 0; id < count; id++) {
      const fd = this.ioctl("CREATE_VCPU", this.data.vm, GH_LEGACY.CREATE_VCPU, BigInt(id));
      this.data.vcpus.push({ fd, page: 0, task: undefined });
    }
    for (const vcpu of this.data.vcpus) this.enter(vcpu);
  }

  protected run(vcpu: VmmVcpu): IoctlResult {
    return this.kernel.ioctl(this.pid, vcpu.fd, GH_LEGACY.RUN.code, 0n);
  }

  /** RUN returns only the type of the VM's exit. */
  protected exitOf(): VmmExit {
    return { kind: "end" };
  }

  protected addLine(): void {
    throw new Refused("the vendor driver has no lines");
  }

  protected addNotifier(): void {
    throw new Refused("the vendor driver has no notifiers");
  }
}
