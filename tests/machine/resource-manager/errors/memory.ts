// Errors of the requests about memory parcels.

import { ErrorCode } from "../../../../src/machine/abi/errors.ts";
import * as memory from "../../../../src/machine/abi/rpc/messages/memory.ts";
import type { Values } from "../../../../src/machine/abi/rpc/layout.ts";
import { Vmid } from "../../../../src/machine/abi/rpc/messages/vm.ts";
import type { Client } from "../client.ts";
import type { Machine } from "../machine.ts";
import {
  type Cases,
  encode,
  lent,
  LIST_513,
  malformed,
  PA,
  PAGE,
  parcel,
  running,
  TWO_PIECES,
  UNKNOWN_HANDLE,
  UNKNOWN_VMID,
} from "./case.ts";

const accept = (handle: number, more: Partial<Values<typeof memory.MEM_ACCEPT.request.fields>> = {}) => ({
  ...{ handle, mem_type: 0, trans_type: 1, flags: memory.AcceptFlags.Done, label: 0, acl: [], sgl: { entries: [], annotation: 0 } },
  ...{ attributes: [], ...more },
});

/** A running VM that holds a parcel. */
function borrowed(machine: Machine, more: Parameters<typeof parcel>[1] = {}): { vmid: number; handle: number; client: Client } {
  const { vmid, client } = running(machine);
  const handle = lent(machine, vmid, more);
  client.get(memory.MEM_ACCEPT, accept(handle));
  return { vmid, handle, client };
}

/**
 * A parcel of device memory, put into the state as it is: the primary's devices are mapped from the
 * root's extent, so that no request makes one (docs/spec/resource-manager.md §13, 5).
 */
function deviceParcel({ system }: Machine): number {
  const { state } = system.rm;
  const handle = state.nextHandle++;
  state.parcels.push({
    ...{ handle, owner: Vmid.Hlos, memType: 1, transType: 1, label: 0, open: false, sanitizedAtCreate: false, sanitizeAtReclaim: false },
    ...{ memInfoTag: undefined, extent: state.memoryParent, borrowers: [], acl: [], attributes: [], regions: [] },
  });
  return handle;
}

/** Cases of the three messages that make a parcel. */
function creating(message: typeof memory.MEM_LEND, share: boolean): Cases {
  const own = share ? [{ vmid: 3, rights: 7 }] : [];
  const request = (more: Partial<Values<typeof memory.MEM_LEND.request.fields>> = {}, vmid = 255) => {
    return encode(message, parcel(vmid, { acl: [{ vmid, rights: 7 }, ...own], ...more }));
  };
  return {
    MSG_INVALID: malformed(new Uint8Array(19)),
    NORESOURCE: () => ({ payload: LIST_513(8), rule: "a list of 513 entries exceeds 512", section: "1.6" }),
    ARGUMENT_INVALID: () => ({ ...request({ sgl: [] }), rule: "a parcel needs at least one VM, and memory" }),
    DENIED: (machine) => {
      for (let count = 0; count < 64; count++) lent(machine, 255, { sgl: [{ address: PA + BigInt(count) * PAGE, size: PAGE }] });
      return { ...request(), rule: "a VM owns at most 64 parcels", values: { count: 64 }, section: "6.3", object: "vm:0x3" };
    },
    NOMEM: () => ({ ...request(), fail: ["partition_create_memextent", ErrorCode.NOMEM] }),
    VMID_INVALID: () => ({
      ...request({ attributes: [{ attribute: 0, vmid: 4 }] }),
      rule: "an attribute is for a VM that is not in the ACL",
      object: "vm:0x4",
    }),
    // The second of two ranges is lent already: the first goes back.
    MEM_INVALID: (machine) => {
      lent(machine, 255);
      const sgl = [{ address: PA + PAGE, size: PAGE }, { address: PA, size: PAGE }];
      return { ...request({ sgl }), rule: "the memory is in a parcel already", object: "parcel:0x0", section: "5.4" };
    },
  };
}

function notify(handle: number, flags: number, vmids: { vmid: number }[] = []) {
  // Only lists of SHARED and RECALL are sent at all.
  const { payload } = encode(memory.MEM_NOTIFY, { handle, flags, mem_info_tag: 7, vmids });
  return { payload: vmids.length > 0 ? payload : payload.subarray(0, 12) };
}

/** By the name of the request. */
export const MEMORY_CASES: Readonly<Record<string, Cases>> = {
  MEM_LEND: creating(memory.MEM_LEND, false),
  MEM_SHARE: {
    ...creating(memory.MEM_SHARE, true),
    MAP_FAILED: () => ({
      ...encode(memory.MEM_SHARE, parcel(255, { acl: [{ vmid: 255, rights: 6 }, { vmid: 3, rights: 6 }] })),
      fail: ["addrspace_map", ErrorCode.DENIED],
    }),
  },
  MEM_DONATE: {
    ...creating(memory.MEM_DONATE, false),
    DENIED: () => ({
      ...encode(memory.MEM_DONATE, parcel(255, { acl: [{ vmid: 255, rights: 6 }] })),
      rule: "memory is donated with all rights",
    }),
  },
  MEM_APPEND: {
    MSG_INVALID: malformed(new Uint8Array(11)),
    NORESOURCE: () => ({ payload: LIST_513(8), rule: "a list of 513 entries exceeds 512", section: "1.6" }),
    ARGUMENT_INVALID: () => ({ ...encode(memory.MEM_APPEND, { handle: 0, flags: 0, sgl: [] }), rule: "there is nothing to append" }),
    HANDLE_INVALID: () => ({
      ...encode(memory.MEM_APPEND, { handle: UNKNOWN_HANDLE, flags: 0, sgl: [{ address: PA, size: PAGE }] }),
      rule: "there is no parcel of this handle",
      object: "parcel:0x77",
    }),
    DENIED: (machine) => ({
      ...encode(memory.MEM_APPEND, { handle: lent(machine, 255), flags: 0, sgl: [{ address: PA + PAGE, size: PAGE }] }),
      rule: "the parcel is complete",
      object: "parcel:0x0",
    }),
    MEM_INVALID: (machine) => {
      const handle = lent(machine, 255, { flags: memory.CreateFlags.Append });
      const sgl = [{ address: PA + PAGE, size: PAGE }, { address: PA, size: PAGE }];
      const rule = "the memory is in this parcel already";
      return { ...encode(memory.MEM_APPEND, { handle, flags: 0, sgl }), rule, object: "parcel:0x0", section: "5.4" };
    },
    MAP_FAILED: (machine) => {
      const acl = [{ vmid: 255, rights: 6 }, { vmid: 3, rights: 6 }];
      const { handle } = machine.primary.get(memory.MEM_SHARE, parcel(255, { acl, flags: memory.CreateFlags.Append }));
      const request = encode(memory.MEM_APPEND, { handle, flags: 0, sgl: [{ address: PA + PAGE, size: PAGE }] });
      return { ...request, fail: ["addrspace_map", ErrorCode.DENIED] };
    },
  },
  MEM_ACCEPT: {
    MSG_INVALID: malformed(new Uint8Array(23)),
    NORESOURCE: (machine) => {
      const { vmid, client } = running(machine);
      const handle = lent(machine, vmid);
      const sgl = { entries: [{ address: 0x8000_0000n, size: PAGE }], annotation: 0 };
      const rule = "the address is taken or not available";
      return { ...encode(memory.MEM_ACCEPT, accept(handle, { sgl })), by: client, rule, values: { ipa: 0x8000_0000n } };
    },
    HANDLE_INVALID: () => ({ ...encode(memory.MEM_ACCEPT, accept(UNKNOWN_HANDLE)), rule: "there is no parcel of this handle" }),
    ARGUMENT_INVALID: (machine) => ({
      ...encode(memory.MEM_ACCEPT, accept(lent(machine, 255), { trans_type: 2 })),
      rule: "the parcel was given otherwise",
      values: { parcel: 1 },
    }),
    VALIDATE_FAILED: (machine) => ({
      ...encode(memory.MEM_ACCEPT, accept(lent(machine, 255), { flags: memory.AcceptFlags.ValidateLabel, label: 9 })),
      rule: "the label is another",
      object: "parcel:0x0",
    }),
    DENIED: (machine) => {
      const { client, handle } = borrowed(machine);
      const rule = "the owner, or who has the parcel already, cannot accept it";
      return { ...encode(memory.MEM_ACCEPT, accept(handle)), by: client, rule, object: "parcel:0x1" };
    },
    VMID_INVALID: (machine) => {
      const { client } = running(machine);
      const handle = lent(machine, 255);
      return { ...encode(memory.MEM_ACCEPT, accept(handle)), by: client, rule: "the VM is not in the parcel's ACL", object: "vm:0x80" };
    },
    MEM_INVALID: (machine) => {
      const { vmid, client } = running(machine);
      const { handle } = machine.primary.get(memory.MEM_DONATE, parcel(vmid, TWO_PIECES));
      const request = encode(memory.MEM_ACCEPT, accept(handle, { trans_type: 0 }));
      return { ...request, by: client, fail: ["memextent_donate", ErrorCode.MEMDB_NOT_OWNER, 2] };
    },
    MAP_FAILED: (machine) => {
      const { vmid, client } = running(machine);
      const request = encode(memory.MEM_ACCEPT, accept(lent(machine, vmid, TWO_PIECES)));
      return { ...request, by: client, fail: ["addrspace_map", ErrorCode.NOMEM, 2] };
    },
  },
  MEM_RELEASE: {
    MSG_INVALID: malformed(new Uint8Array(7)),
    HANDLE_INVALID: () => ({
      ...encode(memory.MEM_RELEASE, { handle: UNKNOWN_HANDLE, flags: 0 }),
      rule: "there is no parcel of this handle",
      object: "parcel:0x77",
    }),
    DENIED: (machine) => {
      const acl = [{ vmid: 255, rights: 6 }, { vmid: 3, rights: 6 }];
      const { handle } = machine.primary.get(memory.MEM_SHARE, parcel(255, { acl }));
      return { ...encode(memory.MEM_RELEASE, { handle, flags: 0 }), rule: "the owner has nothing to release", object: "parcel:0x0" };
    },
    MEM_RELEASED: (machine) => {
      const { vmid, client } = running(machine);
      const request = encode(memory.MEM_RELEASE, { handle: lent(machine, vmid), flags: 0 });
      return { ...request, by: client, rule: "the caller has not accepted the parcel", object: "parcel:0x1" };
    },
    ARGUMENT_INVALID: (machine) => {
      const { handle, client } = borrowed(machine, { acl: [{ vmid: 0x80, rights: 4 }] });
      const rule = "device memory, and memory that the VM cannot write, is not sanitized";
      return { ...encode(memory.MEM_RELEASE, { handle, flags: 1 }), by: client, rule, object: "parcel:0x1" };
    },
    MAP_FAILED: (machine) => {
      const { handle, client } = borrowed(machine, TWO_PIECES);
      return { ...encode(memory.MEM_RELEASE, { handle, flags: 0 }), by: client, fail: ["addrspace_unmap", ErrorCode.BUSY, 2] };
    },
  },
  MEM_RECLAIM: {
    MSG_INVALID: malformed(new Uint8Array(7)),
    HANDLE_INVALID: () => ({ ...encode(memory.MEM_RECLAIM, { handle: UNKNOWN_HANDLE, flags: 0 }), object: "parcel:0x77" }),
    DENIED: (machine) => {
      const { vmid, client } = running(machine);
      const request = encode(memory.MEM_RECLAIM, { handle: lent(machine, vmid), flags: 0 });
      return { ...request, by: client, rule: "the parcel belongs to another VM", object: "parcel:0x1", values: { owner: 3 } };
    },
    MEM_INUSE: (machine) => {
      const { handle, vmid } = borrowed(machine);
      const { addrspace } = machine.system.rm.state.vms.find((each) => each.vmid === vmid)!.objects!;
      const extent = machine.system.rm.state.parcels.find((each) => each.handle === handle)!.extent;
      const mappings = [{ ipa: 0x4000_1000, size: 0x1000 }];
      const values = { handle, borrower: vmid, mapped: true, mappings, addrspace_cap: addrspace, extent_cap: extent };
      return {
        ...encode(memory.MEM_RECLAIM, { handle, flags: 0 }),
        ...{ rule: "a borrower still has the parcel", object: "parcel:0x1", values },
      };
    },
    ARGUMENT_INVALID: (machine) => ({
      ...encode(memory.MEM_RECLAIM, { handle: deviceParcel(machine), flags: 1 }),
      rule: "device memory is not sanitized",
      object: "parcel:0x0",
    }),
    // The second of two pieces does not go back: the first is the parcel's again.
    MEM_INVALID: (machine) => {
      const handle = lent(machine, 255, TWO_PIECES);
      return { ...encode(memory.MEM_RECLAIM, { handle, flags: 0 }), fail: ["memextent_donate", ErrorCode.BUSY, 2] };
    },
  },
  MEM_NOTIFY: {
    MSG_INVALID: malformed(new Uint8Array(11)),
    NORESOURCE: () => ({
      payload: LIST_513(12).fill(memory.NotifyFlags.Shared, 4, 5),
      rule: "a list of 513 entries exceeds 512",
      section: "1.6",
    }),
    HANDLE_INVALID: () => ({ ...notify(UNKNOWN_HANDLE, 2), rule: "there is no parcel of this handle", object: "parcel:0x77" }),
    ARGUMENT_INVALID: (machine) => ({
      ...notify(lent(machine, 255), 3),
      rule: "the flags are not exactly one of the four",
      object: "parcel:0x0",
      values: { flags: 3 },
    }),
    DENIED: (machine) => {
      const { vmid, client } = running(machine);
      const rule = "the parcel belongs to another VM";
      return { ...notify(lent(machine, vmid), 1, [{ vmid }]), by: client, rule, object: "parcel:0x1" };
    },
    VMID_INVALID: (machine) => ({
      ...notify(lent(machine, 255), 1, [{ vmid: UNKNOWN_VMID }]),
      rule: "the list names a VM that does not exist",
      values: { vmid: UNKNOWN_VMID },
    }),
    MEM_INUSE: (machine) => {
      const { handle, client, vmid } = borrowed(machine);
      const values = { borrower: vmid, mappings: [{ ipa: 0x4000_1000, size: 0x1000 }] };
      return { ...notify(handle, 2), by: client, rule: "the caller still has the parcel", object: "parcel:0x1", values };
    },
    MEM_RELEASED: (machine) => {
      const { vmid, client } = running(machine);
      const rule = "the caller has not accepted the parcel";
      return { ...notify(lent(machine, vmid), 4), by: client, rule, object: "parcel:0x1" };
    },
  },
  MEM_QCOM_LOOKUP_SGL: {
    MSG_INVALID: malformed(new Uint8Array(15)),
    NORESOURCE: () => ({ payload: LIST_513(8), rule: "a list of 513 entries exceeds 512", section: "1.6" }),
    LOOKUP_FAILED: () => ({
      ...encode(memory.MEM_QCOM_LOOKUP_SGL, { mem_type: 0, label: 1, acl: [{ vmid: 255, rights: 7 }], sgl: [], attributes: [] }),
      rule: "the caller has no such parcel",
    }),
  },
};
