// Services that the worker of guests may ask for: the files, folders, sockets and addresses that
// its plan and its client's requests name, and its places in the cache.

import { DEFAULT_NET_POLICY, type NetPolicy, plannedDevices, type SessionPlan } from "../../model/plans/plan.ts";
import { isStartImage } from "../../model/plans/start-images.ts";
import type { Request } from "../../model/protocol/protocol.ts";
import { type Address, DNS_PORT, ip, ip6, IP_BITS } from "../../kit/formats/ip-addresses.ts";
import type { CodeFolders } from "../../kit/support/files/code-folders.ts";
import { NatAddress, NatAddress6 } from "../../machine/virtio/net/nat/addresses.ts";
import { statesFile } from "../../kit/support/files/folder-names.ts";
import { leadsTo, placeOf } from "../../kit/support/files/real-place.ts";
import { judge, mayResolve } from "../../machine/virtio/net/nat/policy.ts";
import { LatestRequests } from "./latest-requests.ts";
import { node } from "../../kit/support/node-modules.ts";

/** Spellings of this computer that a guest knows. */
const ROUTERS: ReadonlyMap<Address, Address> = new Map<Address, Address>([
  [ip("127.0.0.1"), NatAddress.Router],
  [ip6("::1"), NatAddress6.Router],
]);
/** `Ip6`. */
const IP6 = /^[0-9a-f]{32}$/;
/** Names that begin with the digest of a program (assembly/generating-program.ts). */
const CORE = /^[0-9a-f]{64}-[\w.-]+\.core$/, CODE = /^[0-9a-f]{64}-[\w.-]+\.code$/;

/** Whether the worker sent an address and a port, each in the one form that rules compare. */
function isEndpoint(address: unknown, port: unknown): boolean {
  if (!Number.isInteger(port) || port as number < 1 || port as number > 65_535) return false;
  return typeof address === "string"
    ? IP6.test(address)
    : Number.isInteger(address) && address as number >= 0 && address as number < 2 ** IP_BITS;
}

/** A file that a request names, and where its path led then. */
interface NamedFile {
  readonly path: string;
  /** Whether it is a recording with images of disks beside it. */
  readonly images?: boolean;
  readonly place: string | undefined;
}

/** The files and addresses that may be used for the worker. */
export class Grants {
  /** Files that requests under way write as a whole. */
  readonly #requested = new LatestRequests<NamedFile>();
  /** Where each path led when it was named: a guest may put links into a folder that it shares. */
  readonly #places = new Map<string, string | undefined>();
  #consented: Readonly<Record<string, string>> = {};
  /** Files of reports of bugs, and files that grow. */
  readonly #reports = new Set<string>();
  readonly #growing = new Set<string>();
  /** Snapshots of first prompts, and states of recordings, in the cache. */
  readonly #prompts = new Set<string>();
  /** The recording that is written, and the beginning of the path for states of its run. */
  #recorded: { readonly path: string; readonly states: string } | undefined;
  readonly #logs = new Set<string>();
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
    else if (request.kind === "snapshot" || request.kind === "save-recording") {
      this.#requested.add(request.id, {
        path: request.path,
        images: request.kind === "save-recording" && request.images,
        place: leadsTo(request.path),
      });
    }
  }

  /** A client's request is done: its file is written, or will not be. */
  release(id: number): void {
    this.#requested.release(id);
  }

  /** Requests whose files may be written. */
  get requested(): number {
    return this.#requested.size;
  }

  /** A report of a bug may be written there. */
  report(base: string): void {
    for (const ending of ["rec", "txt"]) this.#name(`${base}.${ending}`, this.#reports);
  }

  mayWrite(path: string): boolean {
    if (this.#reports.has(path)) return this.#asNamed(path);
    const place = leadsTo(path);
    for (const named of this.#requested.values()) {
      const isImage = named.images && isStartImage(path, named.path);
      if (isImage ? place === `${named.place}${path.slice(named.path.length)}` : named.path === path && named.place === place) return true;
    }
    return false;
  }

  /** Whether it may write a file of the cache, for which older ones beside it are removed. */
  mayCache(path: string): boolean {
    if (this.#prompts.has(path)) return this.#asNamed(path);
    const { cores, code } = this.folders, folder = node.path.dirname(path), name = node.path.basename(path);
    return folder === cores && CORE.test(name) || folder === code && CODE.test(name);
  }

  /** Whether states of the run may be kept, for which the content of this file has to be known. */
  keepsStatesOf(path: string): boolean {
    return this.#recorded?.path === path;
  }

  /** The recording has this SHA-256: states of its run may be kept under it. */
  sealed(sha256: string): void {
    if (this.#recorded) this.#name(statesFile(this.#recorded.states, sha256), this.#prompts);
  }

  /** The place of a file that grows; undefined if it may not be written. */
  growing(path: string): string | undefined {
    return this.#growing.has(path) ? this.#placeAsNamed(path) : undefined;
  }

  /** The place of a log; undefined if it may not be written. */
  log(path: string): string | undefined {
    return this.#logs.has(path) ? this.#placeAsNamed(path) : undefined;
  }

  /** Whether a shared folder may be written; undefined if it is not one. */
  folder(path: string): { readonly writable: boolean } | undefined {
    const writable = this.#folders.get(path);
    return writable === undefined || !this.#asNamed(path) ? undefined : { writable };
  }

  /** Unix sockets of a vsock device: its own, and one per port. */
  mayConnect(path: string): boolean {
    const [, socket] = /^(.*)_\d+$/s.exec(path) ?? [];
    // The socket of a port may be made later, but must not be a link.
    return socket !== undefined && this.#sockets.has(socket) && this.#asNamed(socket) && leadsTo(path) === placeOf(path);
  }

  mayListenAt(path: string): boolean {
    return this.#sockets.has(path) && this.#asNamed(path);
  }

  mayListen(protocol: "tcp" | "udp", port: number): boolean {
    return this.#forwards.has(`${protocol}:${port}`);
  }

  /**
   * Whether a guest may reach an address, by the policy of any of its cards; `own`: also where it
   * turns out to be this computer's.
   */
  mayReach(address: Address, port: number, nameServer: Address): { readonly own: boolean } | undefined {
    if (!isEndpoint(address, port)) return undefined;
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

  #name(path: string, among: Set<string>): void {
    among.add(path);
    this.#places.set(path, this.#placeOf(path));
  }

  #nameFolder(path: string, writable: boolean): void {
    this.#folders.set(path, writable || this.#folders.get(path) === true);
    this.#places.set(path, this.#placeOf(path));
  }

  /** Where a path led when the user consented to it; what was typed leads where it does by now. */
  #placeOf(path: string): string | undefined {
    return Object.hasOwn(this.#consented, path) ? this.#consented[path] : leadsTo(path);
  }

  /** Whether a path leads where it did when it was named. */
  #asNamed(path: string): boolean {
    return leadsTo(path) === this.#places.get(path);
  }

  #placeAsNamed(path: string): string | undefined {
    return this.#asNamed(path) ? this.#places.get(path) : undefined;
  }

  #plan(plan: SessionPlan): void {
    const { from, instant, record, logs = {}, replay, places = {} } = plan;
    this.#consented = places;
    // A snapshot that cannot be loaded is made again.
    if (from?.spare) this.#name(from.path, this.#prompts);
    if (instant !== undefined) this.#name(instant, this.#prompts);
    if (replay?.states) this.#name(replay.states.path, this.#prompts);
    if (record) this.#name(record.path, this.#growing);
    if (record?.states !== undefined) this.#recorded = { path: record.path, states: record.states };
    for (const path of Object.values(logs)) this.#name(path, this.#logs);
    // A replay repeats what came in, and opens nothing.
    if (replay) return;
    for (const device of plannedDevices(plan)) {
      if (device.kind === "9p") this.#nameFolder(device.folder, device.mode === "rw");
      if (device.kind === "vsock" && device.path !== undefined) this.#name(device.path, this.#sockets);
      if (device.kind !== "net") continue;
      if (device.capture !== undefined) this.#name(device.capture, this.#growing);
      if (device.backend !== "user") continue;
      this.#policies.push(device.policy ?? DEFAULT_NET_POLICY);
      for (const { protocol, host } of device.forward) this.#forwards.add(`${protocol}:${host}`);
    }
  }
}
