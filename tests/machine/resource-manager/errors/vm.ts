// Errors of the requests about VMs: life cycle, configuration, queries and resources.

import assert from "node:assert/strict";
import { ErrorCode } from "../../../../src/machine/abi/errors.ts";
import * as platform from "../../../../src/machine/abi/rpc/messages/platform.ts";
import * as resources from "../../../../src/machine/abi/rpc/messages/resources.ts";
import {
  VM_AUTH_IMAGE,
  VM_CONFIG_IMAGE,
  VM_INIT,
  VM_SET_ADDRESS_LAYOUT,
  VM_SET_BOOT_CONTEXT,
  VM_SET_DEMAND_PAGING,
} from "../../../../src/machine/abi/rpc/messages/configuration.ts";
import { VM_ALLOCATE, VM_DEALLOCATE, VM_EXIT, VM_RESET, VM_START, VM_STOP } from "../../../../src/machine/abi/rpc/messages/lifecycle.ts";
import {
  VM_GET_CRASH_MSG,
  VM_GET_ID,
  VM_GET_STATE,
  VM_LOOKUP_NAME,
  VM_LOOKUP_URI,
  VM_SET_STATUS,
} from "../../../../src/machine/abi/rpc/messages/queries.ts";
import { AuthType, VmState } from "../../../../src/machine/abi/rpc/messages/vm.ts";
import { cells, devicetree, type DevicetreeNode, findNode, node } from "../../../../src/machine/devicetree/tree.ts";
import { writeDevicetree } from "../../../../src/machine/devicetree/writer.ts";
import type { Client } from "../client.ts";
import { DT_OFFSET, guestRoot, guestTree, HOST_BASE, type Machine, MEMORY, rmRpc } from "../machine.ts";
import {
  allocated,
  type Attempt,
  type Case,
  type Cases,
  encode,
  firmware,
  image,
  lent,
  malformed,
  onGuestSide,
  PA,
  PAGE,
  running,
  surplus,
  UNKNOWN_VMID,
} from "./case.ts";

/** Cases that requests about another VM share: `size` bytes that begin with its VMID. */
function aboutVm(size: number, more: { foreign: "DENIED" | "VMID_INVALID"; onlyHlos?: boolean }): Cases {
  const request = (vmid: number) => {
    const payload = new Uint8Array(size);
    payload[0] = vmid;
    return { payload };
  };
  const foreign: Case = (machine) => {
    const { client } = running(machine);
    const rule = more.onlyHlos ? "only the primary VM may do this" : "the VM belongs to another VM";
    return { ...request(0x80), by: client, rule, object: more.onlyHlos ? "" : "vm:0x80" };
  };
  return {
    MSG_INVALID: malformed(new Uint8Array(size + 4)),
    VMID_INVALID: () => ({ ...request(UNKNOWN_VMID), rule: "there is no VM of this id", object: "vm:0x99" }),
    ...(more.foreign === "DENIED" ? { DENIED: foreign } : {}),
  };
}

/** A tree whose /gunyah-vm-config was changed. */
function changedTree(change: (config: DevicetreeNode) => void, vdevices: DevicetreeNode[] = []): Uint8Array {
  const root = guestRoot("changed", vdevices);
  change(findNode(root, "/gunyah-vm-config")!);
  return writeDevicetree(devicetree(root));
}

const attribute = (text: string) => changedTree((config) => config.properties.set("vm-attrs", new TextEncoder().encode(`${text}\0`)));

const lookup = (message: typeof VM_LOOKUP_NAME): Cases => ({
  MSG_INVALID: malformed(Uint8Array.of(1, 0, 0, 0, 0x41)),
  ARGUMENT_INVALID: () => ({
    ...encode(message, { text: new Uint8Array(80) }),
    rule: "the text is longer than 79",
    values: { length: 80 },
  }),
});

const bootRegister = (vmid: number, register_set = 0) => encode(VM_SET_BOOT_CONTEXT, { vmid, register_set, register_index: 1, value: 7n });

const paged = (vmid: number, ranges: [bigint, bigint][]) =>
  encode(VM_SET_DEMAND_PAGING, { vmid, ranges: ranges.map(([base, size]) => ({ base, size })) });

const layout = (vmid: number, range_id = 0) => encode(VM_SET_ADDRESS_LAYOUT, { vmid, range_id, base: 0x9000_0000n, size: PAGE });

/** Cases of the requests between VM_CONFIG_IMAGE and VM_INIT. */
function prepared(request: (vmid: number) => { payload: Uint8Array }): Cases {
  return {
    MSG_INVALID: malformed(),
    VMID_INVALID: () => ({ ...request(UNKNOWN_VMID), rule: "there is no VM of this id", object: "vm:0x99" }),
    DENIED: (machine) => {
      const { vmid, client } = running(machine);
      return { ...request(vmid), by: client, rule: "the VM belongs to another VM", object: "vm:0x80" };
    },
    VM_STATE: (machine) => ({ ...request(allocated(machine)), rule: "the VM is not in the state INIT", object: "vm:0x80" }),
  };
}

function config(vmid: number, handle: number) {
  return encode(VM_CONFIG_IMAGE, { vmid, auth_type: 0, handle, ...image });
}

function initialised(machine: Machine, tree: Uint8Array, more: Partial<Attempt>): Attempt {
  const { vmid } = machine.configured(tree);
  return { ...encode(VM_INIT, { vmid }), ruins: vmid, ...more };
}

/** A running VM with a platform VMID, which alone may report its status. */
function platformVm(machine: Machine): Client {
  const vmid = 5;
  assert.equal(machine.primary.ask(VM_ALLOCATE, { vmid }).error, "OK");
  machine.system.act((vcpu) => vcpu.write(HOST_BASE + DT_OFFSET, guestTree("platform", [rmRpc()])));
  const handle = lent(machine, vmid, { sgl: [{ address: BigInt(HOST_BASE), size: BigInt(MEMORY) }] });
  assert.equal(machine.primary.ask(VM_CONFIG_IMAGE, { vmid, auth_type: 0, handle, ...image }).error, "OK");
  for (const message of [VM_INIT, VM_START]) assert.equal(machine.primary.ask(message, { vmid }).error, "OK");
  return machine.guest(vmid);
}

/** By the name of the request. */
export const VM_CASES: Readonly<Record<string, Cases>> = {
  VM_ALLOCATE: {
    DENIED: (machine) => ({ ...encode(VM_ALLOCATE, { vmid: 0 }), by: onGuestSide(machine), rule: "only the primary VM may do this" }),
    MSG_INVALID: malformed(),
    NORESOURCE: () => ({ ...encode(VM_ALLOCATE, { vmid: 64 }), rule: "the VMID is not available", values: { wanted: 64 } }),
  },
  VM_DEALLOCATE: {
    ...aboutVm(4, { foreign: "DENIED" }),
    VM_STATE: (machine) => ({
      ...encode(VM_DEALLOCATE, { vmid: running(machine).vmid }),
      rule: "the VM is not in the state LOAD or RESET",
      object: "vm:0x80",
      values: { state: VmState.Running },
    }),
  },
  VM_START: {
    ...aboutVm(4, { foreign: "DENIED" }),
    VM_STATE: (machine) => ({
      ...encode(VM_START, { vmid: allocated(machine) }),
      rule: "the VM is not in the state READY",
      values: { state: VmState.Load },
    }),
    NORESOURCE: (machine) => {
      const shm = node("shm", { "vdevice-type": "shm", "peer-default": true, "qcom,label": 1 }, [
        node("memory", { label: 1, base: cells(0, 0x9000_0000) }),
      ]);
      const { vmid } = machine.ready(guestTree("poor", [shm]));
      return { ...encode(VM_START, { vmid }), ruins: vmid, section: "7.4", object: "vm:0x80" };
    },
    MEM_INVALID: (machine) => {
      firmware(machine);
      const usage = machine.usage();
      const { vmid, handle } = machine.configured(guestTree("protected", []), AuthType.Android);
      machine.primary.get(platform.VM_SET_FIRMWARE_MEM, { vmid, handle, offset: 0n, size: PAGE });
      machine.primary.get(platform.FW_MILESTONE, {});
      machine.primary.get(VM_INIT, { vmid });
      return { ...encode(VM_START, { vmid }), ruins: vmid, usage, rule: "the firmware image is larger than its place" };
    },
  },
  VM_STOP: {
    ...aboutVm(8, { foreign: "VMID_INVALID" }),
    VM_STATE: (machine) => ({
      ...encode(VM_STOP, { vmid: allocated(machine), flags: 1, reason: 0 }),
      rule: "the VM is not in the state RUNNING",
      object: "vm:0x80",
    }),
    NORESOURCE: (machine) => ({
      ...encode(VM_STOP, { vmid: machine.start(guestTree("mute", [])).vmid, flags: 0, reason: 0 }),
      rule: "the VM has no RPC link to notify it",
      object: "vm:0x80",
    }),
  },
  VM_RESET: {
    ...aboutVm(4, { foreign: "VMID_INVALID" }),
    DENIED: (machine) => ({
      ...encode(VM_RESET, { vmid: machine.ready(attribute("no-reset")).vmid }),
      rule: "the VM's configuration forbids to reset it",
      object: "vm:0x80",
    }),
    VM_STATE: (machine) => ({
      ...encode(VM_RESET, { vmid: running(machine).vmid }),
      rule: "the VM is not in the state EXITED, READY, INIT_FAILED, AUTH or INIT",
      object: "vm:0x80",
    }),
  },
  VM_EXIT: {
    MSG_INVALID: (machine) => ({
      ...encode(VM_EXIT, { exit_flags: 0, exit_code: 2 }),
      by: onGuestSide(machine),
      rule: "there is no such exit code for a VM",
      values: { exit_code: 2 },
    }),
    DENIED: () => ({ ...encode(VM_EXIT, { exit_flags: 0, exit_code: 0 }), rule: "the primary VM cannot exit this way" }),
    VM_STATE: (machine) => {
      const { vmid } = running(machine);
      machine.primary.get(VM_STOP, { vmid, flags: 1, reason: 0 });
      return {
        ...encode(VM_EXIT, { exit_flags: 0, exit_code: 0 }),
        by: machine.guest(vmid),
        rule: "the VM has ended already",
        object: "vm:0x80",
      };
    },
  },
  VM_CONFIG_IMAGE: {
    ...aboutVm(40, { foreign: "DENIED", onlyHlos: true }),
    VM_STATE: (machine) => ({
      ...encode(VM_CONFIG_IMAGE, { vmid: running(machine).vmid, auth_type: 0, handle: 0, ...image }),
      rule: "the VM is not in the state LOAD or RESET",
      object: "vm:0x80",
    }),
    MEM_INVALID: (machine) => {
      const vmid = allocated(machine);
      return { ...config(vmid, lent(machine, 255)), rule: "no parcel of this handle is for the VM", object: "parcel:0x0", ruins: vmid };
    },
    ARGUMENT_INVALID: (machine) => {
      const vmid = allocated(machine);
      return { ...config(vmid, lent(machine, vmid)), rule: "image or devicetree lie outside the parcel", ruins: vmid };
    },
    NOMEM: (machine) => {
      const vmid = allocated(machine);
      const handle = lent(machine, vmid, { sgl: [{ address: PA, size: BigInt(MEMORY) }] });
      return { ...config(vmid, handle), fail: ["partition_create_cspace", ErrorCode.NOMEM], ruins: vmid };
    },
  },
  VM_AUTH_IMAGE: {
    ...aboutVm(4, { foreign: "DENIED", onlyHlos: true }),
    VM_STATE: (machine) => ({
      ...encode(VM_AUTH_IMAGE, { vmid: allocated(machine), parameters: [] }),
      rule: "the VM is not in the state AUTH",
      object: "vm:0x80",
    }),
  },
  VM_INIT: {
    ...aboutVm(4, { foreign: "DENIED", onlyHlos: true }),
    VM_STATE: (machine) => ({
      ...encode(VM_INIT, { vmid: allocated(machine) }),
      rule: "the VM is not in the state INIT",
      object: "vm:0x80",
    }),
    MEM_INVALID: (machine) => initialised(machine, new Uint8Array(64), { rule: /no devicetree/ }),
    ARGUMENT_INVALID: (machine) => initialised(machine, attribute("crash-fatal"), { rule: /only trusted/, section: "6.2" }),
    NORESOURCE: (machine) => initialised(machine, guestTree("two", [rmRpc(), rmRpc()]), { rule: /has a link/ }),
    NOMEM: (machine) => initialised(machine, guestTree("poor", []), { fail: ["partition_create_addrspace", ErrorCode.NOMEM] }),
  },
  VM_SET_BOOT_CONTEXT: {
    UNIMPLEMENTED: () => ({ payload: new Uint8Array(4), rule: /too short/ }),
    VMID_INVALID: () => ({ ...bootRegister(UNKNOWN_VMID), rule: "there is no VM of this id", object: "vm:0x99" }),
    DENIED: (machine) => {
      firmware(machine);
      const { vmid, handle } = machine.configured(guestTree("protected", []), AuthType.Android);
      machine.primary.get(platform.VM_SET_FIRMWARE_MEM, { vmid, handle, offset: 0n, size: 2n * PAGE });
      machine.primary.get(VM_INIT, { vmid });
      return { ...bootRegister(vmid), rule: "a protected VM's registers are its firmware's to know", object: "vm:0x80" };
    },
    VM_STATE: (machine) => ({ ...bootRegister(allocated(machine)), rule: "the VM is not in the state READY", object: "vm:0x80" }),
    ARGUMENT_INVALID: (machine) => ({ ...bootRegister(machine.ready(guestTree("odd", [])).vmid, 3), section: "hypervisor" }),
  },
  VM_SET_DEMAND_PAGING: {
    ...prepared((vmid) => paged(vmid, [[0x9000_0000n, PAGE]])),
    ARGUMENT_INVALID: (machine) => ({
      ...paged(machine.configured(guestTree("paged", [])).vmid, [[0x9000_0000n, 2n * PAGE], [0x9000_1000n, PAGE]]),
      rule: "two ranges overlap",
      object: "vm:0x80",
    }),
    NORESOURCE: (machine) => {
      const ranges = Array.from({ length: 128 }, (_, index): [bigint, bigint] => [0x9000_0000n + BigInt(index) * PAGE, PAGE]);
      const { vmid } = machine.configured(guestTree("paged", []));
      return { ...paged(vmid, ranges), rule: "there are at most 127 ranges", object: "vm:0x80", values: { ranges: 128 } };
    },
  },
  VM_SET_ADDRESS_LAYOUT: {
    ...prepared((vmid) => layout(vmid)),
    ARGUMENT_INVALID: (machine) => ({
      ...layout(machine.configured(guestTree("placed", [])).vmid, 2),
      rule: "there is no such range",
      object: "vm:0x80",
      values: { range_id: 2 },
    }),
  },
  VM_GET_ID: {
    MSG_INVALID: malformed(),
    NORESOURCE: () => ({ ...encode(VM_GET_ID, { vmid: UNKNOWN_VMID }), rule: "there is no VM of this id", object: "vm:0x99" }),
    VM_STATE: (machine) => ({
      ...encode(VM_GET_ID, { vmid: allocated(machine) }),
      rule: "the VM has no identity in this state",
      object: "vm:0x80",
    }),
  },
  VM_LOOKUP_URI: lookup(VM_LOOKUP_URI),
  VM_LOOKUP_NAME: lookup(VM_LOOKUP_NAME),
  VM_LOOKUP_GUID: {
    MSG_INVALID: malformed(),
    ARGUMENT_INVALID: () => ({ payload: new Uint8Array(0), rule: "the request says nothing to look for" }),
  },
  VM_GET_OWNER: { MSG_INVALID: surplus },
  VM_GET_STATE: {
    MSG_INVALID: malformed(),
    NORESOURCE: () => ({ ...encode(VM_GET_STATE, { vmid: UNKNOWN_VMID }), rule: "there is no VM of this id", object: "vm:0x99" }),
    DENIED: (machine) => {
      const { client } = running(machine);
      const vmid = allocated(machine);
      const rule = "the caller is neither the VM nor its owner nor a peer";
      return { ...encode(VM_GET_STATE, { vmid }), by: client, rule, object: "vm:0x81" };
    },
  },
  VM_GET_CRASH_MSG: {
    MSG_INVALID: malformed(),
    VMID_INVALID: () => ({ ...encode(VM_GET_CRASH_MSG, { vmid: UNKNOWN_VMID }), rule: "there is no VM of this id" }),
  },
  VM_GET_VMID: { MSG_INVALID: surplus },
  VM_GET_PEERS: { MSG_INVALID: surplus },
  VM_HOST_GET_TYPE: { MSG_INVALID: surplus },
  VM_SET_CRASH_MSG: { MSG_INVALID: malformed() },
  VM_SET_STATUS: {
    DENIED: () => ({
      ...encode(VM_SET_STATUS, { vm_status: 0, os_status: 1, app_status: 0 }),
      rule: "only VMs with a platform VMID report their status",
    }),
    MSG_INVALID: (machine) => ({ payload: new Uint8Array(3), by: platformVm(machine), rule: /too short/ }),
    ARGUMENT_INVALID: (machine) => ({
      ...encode(VM_SET_STATUS, { vm_status: 0, os_status: 8, app_status: 0 }),
      by: platformVm(machine),
      rule: "there is no such OS status",
      values: { os_status: 8 },
    }),
  },
  VM_GET_HYP_RESOURCES: {
    MSG_INVALID: malformed(),
    ARGUMENT_INVALID: () => ({
      ...encode(resources.VM_GET_HYP_RESOURCES, { vmid: UNKNOWN_VMID }),
      rule: "there is no VM of this id",
      object: "vm:0x99",
    }),
    NORESOURCE: (machine) => ({
      ...encode(resources.VM_GET_HYP_RESOURCES, { vmid: allocated(machine) }),
      rule: "the VM has not been configured",
      object: "vm:0x80",
    }),
    // 8 bytes and 44 for each of 340 doorbells are more than 63 packets hold.
    NOMEM: (machine) => {
      const bells = Array.from(
        { length: 340 },
        (_, label) => node(`b${label}`, { "vdevice-type": "doorbell", "peer-default": true, label, interrupts: cells(0, label, 1) }),
      );
      const vmid = allocated(machine);
      machine.system.act((vcpu) => vcpu.write(HOST_BASE, guestTree("bells", bells)));
      const handle = lent(machine, vmid, { sgl: [{ address: BigInt(HOST_BASE), size: BigInt(MEMORY) }] });
      machine.primary.get(VM_CONFIG_IMAGE, { vmid, auth_type: 0, handle, ...image, dt_offset: 0n, dt_size: 0x4_0000n });
      machine.primary.get(VM_INIT, { vmid });
      const rule = "the reply does not fit into one message";
      return { ...encode(resources.VM_GET_HYP_RESOURCES, { vmid }), rule, section: "1.3", values: { maximum: 14616 } };
    },
  },
};
