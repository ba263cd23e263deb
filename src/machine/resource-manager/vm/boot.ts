// The Resource Manager's boot: environment, its own objects, the primary VM
// (docs/spec/resource-manager.md §9, docs/spec/observed.md §7).

import { asIpa, asPa } from "../../abi/numbers.ts";
import { decodeRootEnvironment, ROOT_ENVIRONMENT_SIZE } from "../../abi/root-environment.ts";
import { Vmid, VmState } from "../../abi/rpc/messages/vm.ts";
import { ThreadRight } from "../../abi/rights.ts";
import {
  Access,
  ExtentMemoryType,
  ExtentType,
  mapAttributes,
  MapFlags,
  memextentAttributes,
  MemoryType,
  VcpuVirqType,
} from "../../abi/words.ts";
import { addresses, takeRange } from "../state/addresses.ts";
import type { Context } from "../state/context.ts";
import { DEVICETREE_WINDOW, DEVICETREE_WINDOW_SIZE, EXTENT_SIZE } from "../state/memory-layout.ts";
import { createPrimaryVm, startPrimaryVm } from "./primary-vm.ts";
import { type FirstVm, newState, newVcpu, newVm } from "../state/state.ts";

const VERSION = "el2";

/**
 * Boots with the environment block at `ipa`.
 * @throws Error when the hypervisor's block is invalid, since the Resource Manager cannot continue.
 */
export function boot(context: Context, ipa: number): void {
  const { calls } = context;
  // The C runtime's stack guard and pointer authentication keys; a native guest has neither, the
  // draw is kept for the order of the calls.
  calls.prng_get_entropy({ num_bytes: 8 });
  const { data0, data1 } = calls.prng_get_entropy({ num_bytes: 16 });
  const entropy = BigInt(data1) << 32n | BigInt(data0);
  const { api_info } = calls.try.hypervisor_identify();

  const block = calls.vcpu.read(ipa, ROOT_ENVIRONMENT_SIZE);
  if (block === undefined) throw new Error(`the environment block at 0x${ipa.toString(16)} is not readable`);
  const decoded = decodeRootEnvironment(block);
  if (!decoded.ok) throw new Error(`the environment block is malformed: ${decoded.problem}`);
  context.adopt({ ...newState(), environment: decoded.environment, entropy });
  const { resources } = decoded.environment;

  // The console is mapped as on the real machine, but the log goes to the ring only: the UART is
  // the primary's.
  const device = mapAttributes(Access.RW, Access.RW, MemoryType.DeviceNGnRE);
  calls.addrspace_map({
    addrspace: resources.addrspace_capid,
    memextent: resources.uart_me_capid,
    vbase: asIpa(resources.uart_address),
    map_attrs: device,
    map_flags: MapFlags.NoSync,
    offset: 0,
    size: 0,
  });
  context.ring.clear(calls.vcpu);
  context.state.irqHandleBase = calls.prng_get_entropy({ num_bytes: 8 }).data0;
  const api = Number(api_info & 0x3fffn);
  const variant = Number(api_info >> 56n);
  context.log(`Resource Manager version: ${VERSION}`);
  context.log(`Gunyah API ver: ${api}, variant: ${variant.toString(16)}`);
  context.log(`Log buffer: 0x${context.ring.ipa.toString(16)}`);

  createMemoryParent(context);
  context.state.vms.push(createOwnVm(context));
  const primary = createPrimaryVm(context);
  context.state.vms.push(primary);
  context.log(`HLOS Mem Base: 0x${resources.hlos_vm_base.toString(16)} Size: 0x${resources.hlos_vm_size.toString(16)}`);
  context.log("Init completed");
  startPrimaryVm(context, primary);
}

/** The extent that all VMs' memory comes from. It owns nothing yet. */
function createMemoryParent(context: Context): void {
  const { calls } = context;
  const extent = calls.create("memextent");
  const attributes = memextentAttributes(Access.RWX, ExtentMemoryType.Any, ExtentType.Sparse);
  calls.memextent_configure({ memextent: extent, phys_base: asPa(0), size: EXTENT_SIZE, attributes });
  calls.object_activate({ cap: extent });
  context.state.memoryParent = extent;
}

/**
 * The Resource Manager itself as a VM, VMID 255: it owns memory like any VM and can be given
 * parcels.
 */
function createOwnVm(context: Context): FirstVm {
  const { calls, resources } = context;
  const vcpu = newVcpu(resources.vcpu_capid, true, resources.boot_core);
  vcpu.active = true;
  vcpu.haltVirq = context.allocateVirq();
  calls.vcpu_bind_virq({ vcpu: vcpu.cap, vic: resources.vic, virq: vcpu.haltVirq, virq_type: VcpuVirqType.Halt });
  vcpu.selfCap = calls.copyCap(vcpu.cap, resources.cspace_capid, ThreadRight.Power);
  const objects = {
    cspace: resources.cspace_capid,
    memory: context.sparseExtent("memory"),
    device: context.sparseExtent("device"),
    addrspace: resources.addrspace_capid,
    infoPage: undefined,
    lowPages: [],
    vic: resources.vic,
    vpmGroup: undefined,
    vcpus: [vcpu],
  };
  const space = addresses(context.addressLimit);
  // Devices, and the window in which devicetrees are read.
  takeRange(space, { base: asIpa(0), size: DEVICETREE_WINDOW + DEVICETREE_WINDOW_SIZE });
  takeRange(space, { base: resources.me_ipa_base, size: resources.me_size });
  return {
    ...newVm(Vmid.ResourceManager, Vmid.Hypervisor),
    state: VmState.Running,
    name: "RM",
    image: undefined,
    config: undefined,
    objects,
    addresses: space,
  };
}
