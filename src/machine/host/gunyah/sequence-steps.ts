// The steps of the sequences that create a VM, start it and tear it down: the request that each
// sends, and what its reply means (docs/spec/vm-manager.md §7 and §11; docs/spec/observed-ioctl.md
// §5 and §8).

import { asCapId, asVmid } from "../../abi/numbers.ts";
import { RmError } from "../../abi/rpc/errors.ts";
import { decodeReply } from "../../abi/rpc/message.ts";
import { VM_SET_FIRMWARE_MEM } from "../../abi/rpc/messages/platform.ts";
import { VM_GET_HYP_RESOURCES } from "../../abi/rpc/messages/resources.ts";
import { VM_AUTH_IMAGE, VM_CONFIG_IMAGE, VM_INIT } from "../../abi/rpc/messages/configuration.ts";
import { StopFlags, VM_ALLOCATE, VM_DEALLOCATE, VM_RESET, VM_START, VM_STOP } from "../../abi/rpc/messages/lifecycle.ts";
import { AuthType } from "../../abi/rpc/messages/vm.ts";
import { Errno } from "../../abi/ioctl/errno.ts";
import { type StartStep, type TeardownStep, VM_PERSONAS } from "../../abi/ioctl/personas.ts";
import { bindingOf, isPaged } from "./bindings.ts";
import { AddressRange, VM_SET_ADDRESS_LAYOUT, VM_SET_BOOT_CONTEXT, VM_SET_DEMAND_PAGING } from "../../abi/rpc/messages/configuration.ts";
import { type HostVm, NO_VMID, type Resource, type Sequence } from "./state.ts";
import { PAGE_SIZE } from "../../../kit/support/values/sizes.ts";
import { handleOf, read, type SequenceLink, type StepResult } from "./sequence-link.ts";
import {
  configRange,
  giveAllPages,
  isWithConfig,
  pagedRanges,
  parcelsToPages,
  rangeParcel,
  rangeSent,
  reclaim,
  reclaimed,
  regionOf,
  regionSent,
  sendRegion,
  takeAllPages,
  U64_BITS,
} from "./sequence-memory.ts";

/** Type of the one parameter of VM_AUTH_IMAGE: the number of the image. */
const AUTH_PERIPHERAL = 0;
/** Resources without a vIRQ have one of these. */
const NO_VIRQ: readonly number[] = [0, 0xffff_ffff];

/** A step of a sequence. */
interface StepEntry {
  /** Does the step, or sends its request. */
  begin(link: SequenceLink, vm: HostVm, sequence: Sequence): StepResult;
  /** The reply to it; undefined for steps that send nothing. */
  replied?(link: SequenceLink, vm: HostVm, payload: Uint8Array, sequence: Sequence): StepResult;
}

/** Each step: what it sends, and what its reply means. */
export const SEQUENCE_STEPS: Readonly<Record<StartStep | TeardownStep, StepEntry>> = {
  "allocate": {
    begin: (link, vm) => vm.vmid !== NO_VMID ? "next" : link.send(vm, VM_ALLOCATE, { vmid: 0 }),
    replied: (_link, vm, payload) =>
      read(vm, VM_ALLOCATE, payload, ({ vmid }) => {
        vm.vmid = asVmid(vmid);
        vm.status = "load";
      }),
  },
  "regions": { begin: sendRegion, replied: regionSent },
  "locate": { begin: (_link, vm) => hasDevicetree(vm) ? "next" : noDevicetree(vm) },
  "configure": { begin: configure, replied: (_link, vm, payload) => read(vm, VM_CONFIG_IMAGE, payload) },
  "firmware": { begin: setFirmware, replied: (_link, vm, payload) => read(vm, VM_SET_FIRMWARE_MEM, payload) },
  // Only signed VMs are; nothing registers that type in the generations whose user space loads VMs.
  "authenticate": {
    begin: (link, vm) => {
      if (vm.signed === undefined) return "next";
      return link.send(vm, VM_AUTH_IMAGE, { vmid: vm.vmid, parameters: [{ type: AUTH_PERIPHERAL, value: vm.signed.peripheral }] });
    },
    replied: (_link, vm, payload) => read(vm, VM_AUTH_IMAGE, payload),
  },
  "init": {
    begin: (link, vm) => link.send(vm, VM_INIT, { vmid: vm.vmid }),
    replied: (_link, vm, payload) => {
      const result = read(vm, VM_INIT, payload);
      vm.status = result === "next" ? "ready" : "init-failed";
      return result;
    },
  },
  "resources": {
    begin: (link, vm) => link.send(vm, VM_GET_HYP_RESOURCES, { vmid: vm.vmid }),
    replied: (link, vm, payload) => read(vm, VM_GET_HYP_RESOURCES, payload, ({ resources }) => bind(link, vm, resources)),
  },
  "start": {
    begin: (link, vm, sequence) => {
      if (link.events.mayStart(vm)) return link.send(vm, VM_START, { vmid: vm.vmid });
      sequence.waits = "gate";
      return "wait";
    },
    replied: (_link, vm, payload) =>
      read(vm, VM_START, payload, () => {
        vm.status = "running";
        if (VM_PERSONAS[vm.persona].parcelsBecomePages) parcelsToPages(vm);
      }),
  },
  "stop": {
    begin: (link, vm) => {
      if (vm.status !== "running") return "next";
      return link.send(vm, VM_STOP, { vmid: vm.vmid, flags: StopFlags.Force, reason: VM_PERSONAS[vm.persona].stopReason });
    },
    replied: (_link, vm, payload, sequence) => {
      const error = decodeReply(VM_STOP, payload);
      const stopped = error.ok && (error.value.error === RmError.OK || error.value.error === RmError.VM_STATE);
      // VM_STATE: the VM is ending by itself, and its notification follows.
      return stopped && !exitedBy(vm) ? awaitNotification(sequence) : "next";
    },
  },
  "reset": {
    begin: (link, vm) => needsReset(vm) ? link.send(vm, VM_RESET, { vmid: vm.vmid }) : "next",
    replied: (_link, vm, payload, sequence) => {
      const reset = decodeReply(VM_RESET, payload);
      return reset.ok && reset.value.error === RmError.OK && !vm.resetDone ? awaitNotification(sequence) : "next";
    },
  },
  "reclaim": { begin: reclaim, replied: reclaimed },
  "reclaim-unstarted": {
    begin: (link, vm, sequence) => vm.status === "exited" ? "next" : reclaim(link, vm, sequence),
    replied: reclaimed,
  },
  "deallocate": {
    begin: (link, vm) => vm.vmid === NO_VMID ? "next" : link.send(vm, VM_DEALLOCATE, { vmid: vm.vmid }),
    replied: () => "next",
  },
  "config-parcel": {
    begin: (link, vm) => rangeParcel(link, vm, "configParcel", configRange(vm)),
    replied: (link, vm, payload, sequence) => rangeSent(link, vm, sequence, vm.configParcel!, payload),
  },
  "firmware-parcel": {
    begin: (link, vm) => {
      const { firmware } = vm;
      return firmware === undefined || isWithConfig(vm, firmware) ? "next" : rangeParcel(link, vm, "firmwareParcel", firmware);
    },
    replied: (link, vm, payload, sequence) => rangeSent(link, vm, sequence, vm.firmwareParcel!, payload),
  },
  "demand-paging": {
    begin: (link, vm) => link.send(vm, VM_SET_DEMAND_PAGING, { vmid: vm.vmid, ranges: pagedRanges(vm) }),
    replied: (_link, vm, payload) => read(vm, VM_SET_DEMAND_PAGING, payload),
  },
  "address-layout": {
    begin: (link, vm) => {
      // The parcel with the devicetree is all that is given before START.
      const { address: base, size } = configRange(vm), page = BigInt(PAGE_SIZE);
      const range = { range_id: AddressRange.Image, base, size: (size + page - 1n) / page * page };
      return link.send(vm, VM_SET_ADDRESS_LAYOUT, { vmid: vm.vmid, ...range });
    },
    replied: (_link, vm, payload) => read(vm, VM_SET_ADDRESS_LAYOUT, payload),
  },
  "boot-context": {
    begin: bootContext,
    replied: (link, vm, payload, sequence) => {
      const result = read(vm, VM_SET_BOOT_CONTEXT, payload);
      sequence.item++;
      return result === "next" ? bootContext(link, vm, sequence) : result;
    },
  },
  "give-pages": { begin: giveAllPages },
  "take-pages-back": { begin: takeAllPages },
};

function bootContext(link: SequenceLink, vm: HostVm, sequence: Sequence): StepResult {
  const register = vm.auth === AuthType.Android ? undefined : vm.bootContext[sequence.item];
  if (register === undefined) return "next";
  const { set, index, value } = register;
  return link.send(vm, VM_SET_BOOT_CONTEXT, { vmid: vm.vmid, register_set: set, register_index: index, value });
}

function needsReset(vm: HostVm): boolean {
  if (vm.status === "exited" || vm.status === "ready" || vm.status === "init-failed") return true;
  // The Resource Manager keeps a VM whose configuration it has refused until it is reset.
  return vm.status === "load" && vm.tried && vm.configured && !VM_PERSONAS[vm.persona].losesFailedVmid;
}

function hasDevicetree(vm: HostVm): boolean {
  const { address, size } = vm.devicetree;
  return (isPaged(vm) ? size > 0n && bindingOf(vm, address, size) || undefined : regionOf(vm, vm.devicetree)) !== undefined;
}

function noDevicetree(vm: HostVm): StepResult {
  const { missing, region, empty } = VM_PERSONAS[vm.persona].devicetree;
  const { address, size } = vm.devicetree;
  if (size === 0n && empty !== undefined) {
    const values = { address, size };
    return { errno: Errno[empty], rule: { section: "vm-manager 6", rule: "the devicetree has a size", object: `vm ${vm.id}`, values } };
  }
  const rule = region === "inside" ? "the devicetree has to lie inside one region" : "the devicetree has to lie in a region";
  return {
    errno: Errno[missing],
    rule: { section: "vm-manager 6", rule, object: `vm ${vm.id}`, values: { address, size }, wayOut: "SET_DTB_CONFIG before START" },
  };
}

function configure(link: SequenceLink, vm: HostVm): StepResult {
  const { address, size } = vm.devicetree;
  const region = vm.configParcel ?? regionOf(vm, vm.devicetree);
  if (region === undefined) throw new Error(`vm ${vm.id} has no region with its devicetree`);
  const page = BigInt(PAGE_SIZE);
  const dt_size = VM_PERSONAS[vm.persona].devicetree.roundedUp ? (size + page - 1n) / page * page : size;
  vm.configured = true;
  return link.send(vm, VM_CONFIG_IMAGE, {
    vmid: vm.vmid,
    auth_type: vm.auth,
    handle: handleOf(region),
    image_offset: BigInt(vm.signed?.entry ?? 0),
    image_size: 0n,
    dt_offset: BigInt.asUintN(U64_BITS, address - region.guestAddress),
    dt_size,
  });
}

function setFirmware(link: SequenceLink, vm: HostVm): StepResult {
  if (vm.auth !== AuthType.Android || vm.firmware === undefined) return "next";
  if (vm.firmwareParcel !== undefined) {
    return link.send(vm, VM_SET_FIRMWARE_MEM, { vmid: vm.vmid, handle: handleOf(vm.firmwareParcel), offset: 0n, size: vm.firmware.size });
  }
  const region = isWithConfig(vm, vm.firmware) ? vm.configParcel : regionOf(vm, vm.firmware);
  if (region === undefined) {
    const { address, size } = vm.firmware;
    const rule = {
      section: "vm-manager 6",
      rule: "the firmware has to lie in a region",
      object: `vm ${vm.id}`,
      values: { address, size },
    };
    return { errno: Errno.EINVAL, rule };
  }
  const offset = BigInt.asUintN(U64_BITS, vm.firmware.address - region.guestAddress);
  return link.send(vm, VM_SET_FIRMWARE_MEM, { vmid: vm.vmid, handle: handleOf(region), offset, size: vm.firmware.size });
}

function awaitNotification(sequence: Sequence): StepResult {
  sequence.waits = "notification";
  return "wait";
}

function bind(
  link: SequenceLink,
  vm: HostVm,
  resources: readonly { type: number; label: number; cap: bigint; virq: number; base: bigint }[],
): void {
  const list: Resource[] = vm.resources = [];
  for (const { type, label, cap, virq: given, base } of resources) {
    const virq = NO_VIRQ.includes(given) ? 0 : given;
    list.push({ type, label, cap: asCapId(cap), virq, base: Number(base), signalled: false, runner: link.events.place({ type, virq }) });
  }
  link.events.bound(vm);
}

function exitedBy(vm: HostVm): boolean {
  return vm.status === "exited";
}
