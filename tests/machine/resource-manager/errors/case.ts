// A case of errors_test.ts, and the parts of most of them.

import type { ErrorCode } from "../../../../src/machine/abi/errors.ts";
import type { HypercallName } from "../../../../src/machine/abi/hypercalls.ts";
import * as memory from "../../../../src/machine/abi/rpc/messages/memory.ts";
import * as platform from "../../../../src/machine/abi/rpc/messages/platform.ts";
import { VM_ALLOCATE } from "../../../../src/machine/abi/rpc/messages/lifecycle.ts";
import type { Fields, Values } from "../../../../src/machine/abi/rpc/layout.ts";
import type { RpcRequest } from "../../../../src/machine/abi/rpc/message.ts";
import type { Client } from "../client.ts";
import { DT_OFFSET, DT_SIZE, guestTree, type Machine, rmRpc } from "../machine.ts";

/** A request that has to be refused. */
export interface Attempt {
  readonly payload: Uint8Array;
  /** The requester; the primary by default. */
  readonly by?: Client;
  /**
   * The hypercall of the Resource Manager that fails, so that the error is reached: the first of
   * its name, or that of this number.
   */
  readonly fail?: readonly [HypercallName, ErrorCode, nth?: number];
  /** A VM that the refusal leaves in INIT_FAILED. */
  readonly ruins?: number;
  /** Usage once that VM is gone, if not that after the boot. */
  readonly usage?: unknown;
  /** The rule; with `fail`, the hypervisor's reason counts. */
  readonly rule?: string | RegExp;
  /** The object of the reason. */
  readonly object?: string;
  /** Values of the reason, some of them. */
  readonly values?: Readonly<Record<string, unknown>>;
  /** Section of the reason, where it is not the message's. */
  readonly section?: string;
}

/** Brings a machine to where the request has to be refused. */
export type Case = (machine: Machine) => Attempt;

/** The cases of a request by the name of the error. */
export type Cases = Readonly<Record<string, Case>>;

/** Memory of the primary that parcels are made of, and a VMID and a handle that nobody has. */
export const PA = 0x4700_0000n;

export const PAGE = 0x1000n;

export const UNKNOWN_VMID = 0x99;

export const UNKNOWN_HANDLE = 0x77;

/** The payload of a request. */
export function encode<Q extends Fields, R extends Fields>(message: RpcRequest<Q, R>, value: Values<Q>): { payload: Uint8Array } {
  return { payload: message.request.encode(value) };
}

/** A payload that no layout takes. */
export const malformed = (payload = new Uint8Array(3)): Case => () => ({ payload, rule: /too short|fewer than|follow the last/ });

/** A word too much, for requests of no or of any length. */
export const surplus = malformed(new Uint8Array(64).fill(0xff));

/** A running VM with a link and a console, and its side of the link. */
export function running(machine: Machine): { vmid: number; handle: number; client: Client } {
  const made = machine.start(guestTree("guest", [rmRpc({ "console-dev": true })]));
  return { ...made, client: machine.guest(made.vmid) };
}

/** A VM in the state LOAD. */
export function allocated(machine: Machine): number {
  return machine.primary.get(VM_ALLOCATE, { vmid: 0 }).vmid;
}

/** The request that makes a parcel of one page for a VM. */
export function parcel(vmid: number, more: Partial<Values<typeof memory.MEM_LEND.request.fields>> = {}) {
  const sgl = [{ address: PA, size: PAGE }];
  return { mem_type: 0, flags: 0, label: 0, acl: [{ vmid, rights: 7 }], sgl, attributes: [], ...more };
}

/** A parcel of two regions: when the second fails, the first goes back to what it was. */
export const TWO_PIECES = { sgl: [{ address: PA, size: PAGE }, { address: PA + 4n * PAGE, size: PAGE }] };

/** The handle of a parcel that the primary lends. */
export function lent(machine: Machine, vmid: number, more: Parameters<typeof parcel>[1] = {}): number {
  return machine.primary.get(memory.MEM_LEND, parcel(vmid, more)).handle;
}

/** A payload whose list, after `before` bytes, has more entries than any may have. */
export const LIST_513 = (before: number) => {
  const payload = new Uint8Array(before + 4 + 20);
  new DataView(payload.buffer).setUint16(before, 513, true);
  return payload;
};

/** The link of a running VM. */
export const onGuestSide = (machine: Machine) => running(machine).client;

/** Where VM_CONFIG_IMAGE finds the devicetree. */
export const image = { image_offset: 0n, image_size: 0n, dt_offset: BigInt(DT_OFFSET), dt_size: BigInt(DT_SIZE) };

/** Loads a firmware image of two pages and locks it. */
export function firmware(machine: Machine): void {
  const acl = [{ vmid: 255, rights: 7 }];
  const { handle } = machine.primary.get(memory.MEM_DONATE, parcel(255, { acl, sgl: [{ address: PA, size: 2n * PAGE }] }));
  machine.primary.get(platform.FW_SET_VM_FIRMWARE, { auth_type: 2, handle, offset: 0n, size: 2n * PAGE });
}
