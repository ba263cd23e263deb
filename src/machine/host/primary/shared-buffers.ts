// Memory of the host that it shares with VMs: `[link]` of kind shm. A page is in one parcel, so
// that one parcel is for all VMs of a buffer: it is made when each has its VMID and none has
// started, as the Resource Manager maps it where a VM starts (docs/spec/resource-manager.md §5.3),
// and taken back when the last of them is gone.

import { RmError, rmErrorName } from "../../abi/rpc/errors.ts";
import { decodeReply, encodeRequest } from "../../abi/rpc/message.ts";
import { MEM_RECLAIM, MEM_SHARE, MemType } from "../../abi/rpc/messages/memory.ts";
import { Vmid } from "../../abi/rpc/messages/vm.ts";
import { Access } from "../../abi/words.ts";
import type { HostServices } from "./host-guest.ts";
import type { SharedBuffer } from "../data/plan.ts";
import { PAGE_SIZE } from "../../../kit/support/values/sizes.ts";

/** One buffer: plain data. */
interface BufferState {
  /** Memory object, kept after its first use. */
  object: number | undefined;
  /** Tag of the request whose reply is awaited. */
  tag: number | undefined;
  handle: number | undefined;
  /**
   * The Resource Manager refused it, or memory has run out: not tried again while one of its VMs
   * exists.
   */
  failed: boolean;
  /** VMIDs that the parcel is for, by VM. */
  vmids: Record<string, number>;
}

/** State of all buffers of a host, in the order of its plan. */
export type SharedBuffersState = readonly BufferState[];

/** The buffers of a host. */
export class SharedBuffers {
  readonly #buffers: readonly SharedBuffer[];
  #states: BufferState[];

  /**
   * @param problem is called with errors; the VMs then do not start, as the Resource Manager misses
   * their memory.
   */
  constructor(buffers: readonly SharedBuffer[], readonly problem: (message: string) => void) {
    this.#buffers = buffers;
    this.#states = buffers.map(() => ({ object: undefined, tag: undefined, handle: undefined, failed: false, vmids: {} }));
  }

  save(): SharedBuffersState {
    return structuredClone(this.#states);
  }

  restore(states: SharedBuffersState): void {
    this.#states = structuredClone([...states]);
  }

  /**
   * Shares the buffers that these VMs wait for. True when nothing is left to wait for.
   * @param vmids of the VMs that are about to start, by name; missing ones do not exist
   */
  share(host: HostServices, vmids: ReadonlyMap<string, number>): boolean {
    let ready = true;
    this.#buffers.forEach((buffer, index) => {
      const wanted = buffer.access.filter(({ vm }) => vmids.has(vm));
      if (wanted.length === 0) return;
      const state = this.#states[index];
      if (state.tag !== undefined) ready = false;
      else if (state.failed) return;
      else if (state.handle === undefined) ready = this.#share(host, buffer, state, vmids) && ready;
      else this.#check(buffer, state, vmids);
    });
    return ready;
  }

  /** Takes back what no VM of these has any more. */
  reclaim(host: HostServices, existing: ReadonlySet<string>): void {
    this.#buffers.forEach(({ access }, index) => {
      const state = this.#states[index];
      if (state.tag !== undefined || access.some(({ vm }) => existing.has(vm))) return;
      state.failed = false;
      if (state.handle === undefined) return;
      state.tag = host.request(MEM_RECLAIM.id, encodeRequest(MEM_RECLAIM, { handle: state.handle, flags: 0 }));
    });
  }

  /** A reply; false if no buffer has this tag. */
  reply(tag: number, payload: Uint8Array): boolean {
    const index = this.#states.findIndex((state) => state.tag === tag);
    if (index < 0) return false;
    const state = this.#states[index];
    const what = `shared memory of label ${this.#buffers[index].label}`;
    state.tag = undefined;
    if (state.handle !== undefined) {
      state.handle = undefined;
      state.vmids = {};
      this.#refused(what, MEM_RECLAIM.name, decodeReply(MEM_RECLAIM, payload));
      return true;
    }
    const decoded = decodeReply(MEM_SHARE, payload);
    if (this.#refused(what, MEM_SHARE.name, decoded)) state.failed = true;
    else if (decoded.ok) state.handle = decoded.value.value?.handle;
    return true;
  }

  #share(host: HostServices, { label, size, access }: SharedBuffer, state: BufferState, vmids: ReadonlyMap<string, number>): boolean {
    const object = state.object === undefined
      ? host.kernel.memory.createContiguous(size / PAGE_SIZE)
      : host.kernel.memory.object(state.object);
    if (object === undefined) {
      this.problem(`shared memory of label ${label}: the host has no ${size} bytes left`);
      return state.failed = true;
    }
    state.object = object.id;
    const borrowers = access.flatMap(({ vm, write }) => {
      const vmid = vmids.get(vm);
      return vmid === undefined ? [] : [{ vm, vmid, rights: write ? Access.RW : Access.R }];
    });
    state.vmids = Object.fromEntries(borrowers.map(({ vm, vmid }) => [vm, vmid]));
    state.tag = host.request(
      MEM_SHARE.id,
      encodeRequest(MEM_SHARE, {
        mem_type: MemType.Normal,
        flags: 0,
        label,
        attributes: [],
        acl: [...borrowers.map(({ vmid, rights }) => ({ vmid, rights })), { vmid: Vmid.Hlos, rights: Access.RW }],
        sgl: [{ address: BigInt(object.runs[0].ipa), size: BigInt(size) }],
      }),
    );
    return false;
  }

  /**
   * A VM that starts again while the other one runs finds its parcel only under the VMID that it
   * had.
   */
  #check({ label, access }: SharedBuffer, { vmids }: BufferState, starting: ReadonlyMap<string, number>): void {
    for (const { vm } of access) {
      const vmid = starting.get(vm);
      if (vmid === undefined || vmids[vm] === vmid) continue;
      this.problem(`shared memory of label ${label} is not for ${vm}, whose VMID is ${vmid} now; stop the other VM of this link too`);
    }
  }

  #refused(what: string, message: string, decoded: ReturnType<typeof decodeReply>): boolean {
    const error = decoded.ok ? decoded.value.error : decoded.error;
    if (error === RmError.OK) return false;
    this.problem(`${what}: ${message}: ${rmErrorName(error)}`);
    return true;
  }
}
