// Threads of a DAP client: the vCPUs of the machine's VMs. A thread keeps its id as long as the
// session lasts, also when its VM starts again.

import type { DebuggedVcpu, DebugSpace } from "../../../machine/hypervisor/interface.ts";
import type { BlockCode } from "../../../model/queries/facts/wait.ts";
import { addressOf, RequestError } from "./arguments.ts";
import { vmOfName } from "../../../model/queries/ids.ts";

/** An address, and the vCPU whose translation it means. */
export interface VcpuAddress {
  readonly vcpu: number;
  readonly space: DebugSpace;
  readonly address: bigint;
}

/** A thread that has appeared or ended. */
export interface ThreadChange {
  readonly threadId: number;
  readonly reason: "started" | "exited";
}

/** Id of a thread that a client may name before the first vCPU exists. */
const FIRST = 1;

/** The threads of one session. */
export class Threads {
  #vcpus: readonly DebuggedVcpu[] = [];
  /** By name of the vCPU, such as `rt/0`: its number may become that of another VM's. */
  readonly #ids = new Map<string, number>();

  /** Learns the present vCPUs. */
  learn(vcpus: readonly DebuggedVcpu[]): ThreadChange[] {
    const before = this.#vcpus, changes: ThreadChange[] = [];
    const has = (list: readonly DebuggedVcpu[], name: string) => list.some((one) => one.name === name);
    for (const { name } of before) if (!has(vcpus, name)) changes.push({ threadId: this.#id(name), reason: "exited" });
    for (const { name } of vcpus) if (!has(before, name)) changes.push({ threadId: this.#id(name), reason: "started" });
    this.#vcpus = vcpus;
    return changes;
  }

  /** Forgets all vCPUs: the machine is another one. */
  forget(): void {
    this.#vcpus = [];
  }

  #id(name: string): number {
    let id = this.#ids.get(name);
    if (id === undefined) this.#ids.set(name, id = FIRST + this.#ids.size);
    return id;
  }

  /** The threads in the order of the machine's vCPUs. */
  get all(): readonly { readonly id: number; readonly name: string; readonly waits: readonly BlockCode[] }[] {
    return this.#vcpus.map(({ name, waits }) => ({ id: this.#id(name), name, waits }));
  }

  /** Names of the VMs that have vCPUs. */
  get vms(): string[] {
    return [...new Set(this.#vcpus.map(({ name }) => vmOfName(name)))];
  }

  ofVm(vm: string): number[] {
    return this.#vcpus.filter(({ name }) => vmOfName(name) === vm).map(({ name }) => this.#id(name));
  }

  /** The thread that is a vCPU. */
  idOf(vcpu: number): number {
    const found = this.#vcpus.find(({ index }) => index === vcpu);
    return found ? this.#id(found.name) : FIRST;
  }

  /**
   * The vCPU that is a thread.
   * @throws RequestError
   */
  vcpuOf(id: number): number {
    const found = this.#vcpus.find(({ name }) => this.#id(name) === id);
    if (!found) throw new RequestError(`there is no thread ${id}`);
    return found.index;
  }

  /** A vCPU's name: `rt/0`. */
  nameOf(vcpu: number): string {
    return this.#vcpus.find(({ index }) => index === vcpu)?.name ?? String(vcpu);
  }

  vmOf(vcpu: number): string {
    return vmOfName(this.nameOf(vcpu));
  }

  /** An address as text for the client; of several vCPUs, it names the one that it means. */
  reference(vcpu: number, address: bigint): string {
    const text = `0x${address.toString(16)}`;
    return this.#vcpus.length > 1 ? `${this.nameOf(vcpu)}:${text}` : text;
  }

  /**
   * The meaning of a client's reference: `0x80000000`, `pa:0x80000000`, `rt:0x80000000`,
   * `rt/1:ipa:0x80000000`.
   * @param current the vCPU of an address without a name, and of the name of its VM
   * @throws RequestError
   */
  place(reference: string, current: number): VcpuAddress {
    const [, owner, space, address] = /^(?:([^:]+):)??(?:(va|el1|el2|ipa|pa):)?([^:]+)$/.exec(reference) ??
      ["", undefined, undefined, reference];
    return {
      vcpu: owner === undefined ? current : this.#vcpuOfOwner(owner, current),
      space: (space ?? "va") as DebugSpace,
      address: addressOf(address),
    };
  }

  #vcpuOfOwner(owner: string, current: number): number {
    if (this.vmOf(current) === owner) return current;
    const found = this.#vcpus.find(({ name }) => name === owner || vmOfName(name) === owner);
    if (!found) throw new RequestError(`no VM or vCPU ${JSON.stringify(owner)} executes instructions`);
    return found.index;
  }
}
