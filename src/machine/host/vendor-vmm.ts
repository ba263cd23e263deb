// The sample VMM on the vendor driver's /dev/gunyah: the driver has the VM's image already, so the
// VMM names it, adds its vCPUs and runs it (docs/spec/vm-manager.md §2.1). The VM has no devices,
// as no VMM would answer its accesses.

import { GH_LEGACY, LEGACY_NAME } from "../abi/ioctl/gunyah.ts";
import { SIGNED_NAME_SIZE } from "./gunyah/signed-vm.ts";
import { newVmmData, type VmmData } from "./vmm-data.ts";
import { Vmm, type VmmDriver, type VmmParts, type VmmProcess } from "./vmm-process.ts";
import { Refused } from "./vmm-steps.ts";

/** Plain data. */
interface VendorVmmData extends VmmData {
  vm: number;
  /** The SET_FW_NAME that waits. */
  loading: number | undefined;
}

type Vendor = Vmm<VendorVmmData>;

/** A VMM on the vendor driver. */
export function vendorVmm(parts: Omit<VmmParts<VendorVmmData>, "data" | "devices" | "services">): VmmProcess {
  return new Vmm<VendorVmmData>({ ...parts, data: { ...newVmmData(), vm: 0, loading: undefined } }, driver);
}

function driver(vmm: Vendor): VmmDriver {
  const { steps, data } = vmm;
  return {
    make: () => make(vmm),
    waiting: () => data.loading,
    continue: (result) => {
      data.loading = undefined;
      loaded(vmm, result);
    },
    addLine: () => {
      throw new Refused("the vendor driver has no lines");
    },
    addNotifier: () => {
      throw new Refused("the vendor driver has no notifiers");
    },
    run: (vcpu) => steps.begin(vcpu.fd, GH_LEGACY.RUN),
    // RUN returns only the type of the VM's exit.
    exitOf: () => ({ kind: "end" }),
    dataOffset: 0,
  };
}

function make(vmm: Vendor): void {
  const { steps, data, plan: { name, schedule, console, devices = [], firmware } } = vmm;
  if (schedule === "proxy" || console || devices.length > 0) {
    throw new Refused('the vendor driver serves no devices: its VMs have schedule = "own" and devices = []');
  }
  if (firmware !== undefined) throw new Refused("the vendor driver's VMs are authenticated", "they have no firmware");
  const bytes = new TextEncoder().encode(name);
  if (bytes.length >= SIGNED_NAME_SIZE) throw new Refused(`the vendor driver's names have at most ${SIGNED_NAME_SIZE - 1} bytes`);
  data.vm = steps.ioctl("CREATE_VM", steps.open("/dev/gunyah"), GH_LEGACY.CREATE_VM, 0n);
  const { task, result } = steps.structured(data.vm, GH_LEGACY.SET_FW_NAME, LEGACY_NAME, { name: [...bytes] });
  if (result === undefined) data.loading = task;
  else loaded(vmm, result);
}

/** As many vCPUs as the image wants, each in RUN until the VM ends. */
function loaded(vmm: Vendor, result: number): void {
  const { steps, data } = vmm;
  steps.must("SET_FW_NAME", result);
  const count = steps.ioctl("GET_VCPU_COUNT", data.vm, GH_LEGACY.GET_VCPU_COUNT, 0n);
  for (let id = 0; id < count; id++) {
    data.vcpus.push({ fd: steps.ioctl("CREATE_VCPU", data.vm, GH_LEGACY.CREATE_VCPU, BigInt(id)), page: 0, task: undefined });
  }
  for (const vcpu of data.vcpus) vmm.enter(vcpu);
}
