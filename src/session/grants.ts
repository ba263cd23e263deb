// Services that the worker of guests may ask for: the files, folders, sockets and addresses that
// its plan and its client's requests name, and its places in the cache.

import { basename, dirname } from "node:path";
import { DEFAULT_NET_POLICY, type NetPolicy, plannedDevices, plannedVariables, type SessionPlan } from "../plans/plan.ts";
import type { Request } from "../protocol/protocol.ts";
import { type Address, ip, ip6 } from "../formats/ip-addresses.ts";
import type { CodeFolders } from "../support/code-folders.ts";
import { NatAddress, NatAddress6 } from "../virtio/net/nat/nat.ts";
import { judge, mayResolve } from "../virtio/net/nat/policy.ts";

/** Spellings of this computer that a guest knows. */
const ROUTERS: ReadonlyMap<Address, Address> = new Map<Address, Address>([
  [ip("127.0.0.1"), NatAddress.Router],
  [ip6("::1"), NatAddress6.Router],
]);
const DNS_PORT = 53;
const CORE = /^[0-9a-f]{64}\.core$/, CODE = /^[0-9a-f]{64}\.code$/;

/** The files and addresses that may be used for the worker. */
export class Grants {
  /** Files that it may write as a whole, those that grow, and those that it may read. */
  readonly #whole = new Set<string>();
  readonly #growing = new Set<string>();
  readonly #read = new Set<string>();
  /** Snapshots of first prompts, in the cache. */
  readonly #prompts = new Set<string>();
  readonly #logs = new Set<string>();
  /** Disks, and whether they may be written. */
  readonly #disks = new Map<string, boolean>();
  /** Folders, and whether they may be written. */
  readonly #folders = new Map<string, boolean>();
  readonly #sockets = new Set<string>();
  readonly #forwards = new Set<string>();
  readonly #policies: NetPolicy[] = [];

  /** @param folders those of the cache that it may use */
  constructor(readonly folders: CodeFolders) {}

  /** A client's request names files. */
  request(request: Request): void {
    if (request.kind === "start") this.#plan(request.plan);
    else if (request.kind === "snapshot" || request.kind === "save-recording") this.#whole.add(request.path);
  }

  /** A report of a bug may be written there. */
  report(base: string): void {
    this.#growing.add(`${base}.rec`);
    this.#whole.add(`${base}.txt`);
  }

  mayWrite(path: string): boolean {
    return this.#whole.has(path);
  }

  /** Whether it may write a file of the cache, for which older ones beside it are removed. */
  mayCache(path: string): boolean {
    if (this.#prompts.has(path)) return true;
    const { cores, code } = this.folders, folder = dirname(path), name = basename(path);
    return folder === cores && CORE.test(name) || folder === code && CODE.test(name);
  }

  mayEmpty(path: string): boolean {
    return this.#growing.has(path);
  }

  mayRead(path: string): boolean {
    return this.#read.has(path);
  }

  mayLog(path: string): boolean {
    return this.#logs.has(path);
  }

  mayOpenDisk(path: string, readOnly: boolean): boolean {
    const writable = this.#disks.get(path);
    return writable !== undefined && (readOnly || writable);
  }

  /** Whether a shared folder may be written; undefined where it is none. */
  folder(path: string): { readonly writable: boolean } | undefined {
    const writable = this.#folders.get(path);
    return writable === undefined ? undefined : { writable };
  }

  /** Unix sockets of a vsock device: its own, and one per port. */
  mayConnect(path: string): boolean {
    const [, socket] = /^(.*)_\d+$/s.exec(path) ?? [];
    return socket !== undefined && this.#sockets.has(socket);
  }

  mayListenAt(path: string): boolean {
    return this.#sockets.has(path);
  }

  mayListen(protocol: "tcp" | "udp", port: number): boolean {
    return this.#forwards.has(`${protocol}:${port}`);
  }

  /**
   * Whether a guest may reach an address, by the policy of any of its cards; `own`: also where it
   * turns out to be this computer's.
   */
  mayReach(address: Address, port: number, nameServer: Address): { readonly own: boolean } | undefined {
    let found: { own: boolean } | undefined;
    for (const policy of this.#policies) {
      if (address === nameServer && port === DNS_PORT && mayResolve(policy)) return { own: true };
      for (const spelling of [address, ROUTERS.get(address) ?? address]) {
        const { allowed, own } = judge(policy, spelling, address, port);
        if (allowed) found = { own: own || (found?.own ?? false) };
      }
    }
    return found;
  }

  #plan(plan: SessionPlan): void {
    const { from, instant, record, logs = {}, replay } = plan;
    if (from) this.#read.add(from.path);
    // A snapshot that cannot be loaded is made again.
    if (from?.spare) this.#prompts.add(from.path);
    if (instant !== undefined) this.#prompts.add(instant);
    if (record) this.#growing.add(record.path);
    for (const path of Object.values(logs)) this.#logs.add(path);
    const variables = plannedVariables(plan);
    if (variables !== undefined) this.#disks.set(variables, true);
    for (const device of plannedDevices(plan)) {
      if (device.kind === "block") this.#disks.set(device.image, device.mode === "rw" || this.#disks.get(device.image) === true);
      // A replay repeats what came in, and opens nothing.
      if (replay) continue;
      if (device.kind === "9p") this.#folders.set(device.folder, device.mode === "rw" || this.#folders.get(device.folder) === true);
      if (device.kind === "vsock" && device.path !== undefined) this.#sockets.add(device.path);
      if (device.kind !== "net") continue;
      if (device.capture !== undefined) this.#growing.add(device.capture);
      if (device.backend !== "user") continue;
      this.#policies.push(device.policy ?? DEFAULT_NET_POLICY);
      for (const { protocol, host } of device.forward) this.#forwards.add(`${protocol}:${host}`);
    }
  }
}
