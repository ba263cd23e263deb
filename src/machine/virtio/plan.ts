// The plan of a VM's virtio devices: plain data, resolved from command line and configuration
// before the machine starts.

import { IP6_BITS, IP_BITS, networkOf, parseIp, parseIp6 } from "../../kit/formats/ip-addresses.ts";

/**
 * A TCP or UDP port of the computer (127.0.0.1) that leads to one of the guest.
 *
 * ```ts
 * import type { PortForward } from "@el2/el2";
 *
 * const ssh: PortForward = { protocol: "tcp", host: 2222, guest: 22 };
 * console.log(ssh.host);
 * ```
 */
export interface PortForward {
  /** TCP, or UDP. */
  readonly protocol: "tcp" | "udp";
  /** Port of 127.0.0.1. */
  readonly host: number;
  /** Port of the guest. */
  readonly guest: number;
}

/** `2222:22`, or `udp:5353:53`; undefined if it is neither. */
export function parseForward(text: string): PortForward | undefined {
  const match = /^(?:(tcp|udp):)?(\d{1,5}):(\d{1,5})$/.exec(text);
  if (!match) return undefined;
  const [host, guest] = [Number(match[2]), Number(match[3])];
  const isPort = (port: number) => port >= 1 && port <= 65535;
  return isPort(host) && isPort(guest) ? { protocol: match[1] === "udp" ? "udp" : "tcp", host, guest } : undefined;
}

/**
 * The other end of a network card's cable: `user`: NAT to the computer's network; `pair:NAME`: the
 * switch of this name, shared by all cards that name it; `none`.
 *
 * ```ts
 * import type { NetBackend } from "@el2/el2";
 *
 * const backends: NetBackend[] = ["user", "pair:lan", "none"];
 * console.log(backends.length);
 * ```
 */
export type NetBackend = "none" | "user" | `pair:${string}`;

/**
 * Addresses that a rule of a network policy is about: `10.1.0.0/16`, and one port or all.
 *
 * ```ts
 * import type { NetRule } from "@el2/el2";
 *
 * const ssh: NetRule = { network: 0x0a01_0000, bits: 16, port: 22 };
 * console.log(ssh.port);
 * ```
 */
export interface NetRule {
  /** An IPv4 address as a number, or an IPv6 address as 32 hexadecimal digits. */
  readonly network: number | string;
  /** Bits that count, 0 to 32 or 128. */
  readonly bits: number;
  /** One port, 1 to 65535; all by default. */
  readonly port?: number;
}

/**
 * A guest's access through `user`; rules come first, those that deny before those that allow.
 *
 * ```ts
 * import type { DevicePlan, NetPolicy } from "@el2/el2";
 *
 * const allow = [{ network: 0x0a00_0202, bits: 32, port: 8080 }];
 * const policy: NetPolicy = { host: false, lan: false, internet: false, allow, deny: [] };
 * const card: DevicePlan = { kind: "net", backend: "user", forward: [], policy };
 * console.log(card.kind);
 * ```
 */
export interface NetPolicy {
  /** This computer: its loopback, as 10.0.2.2 and fd10:0:2::2 too, and its own addresses. */
  readonly host: boolean;
  /** Private networks. */
  readonly lan: boolean;
  /** All other addresses but link-local ones. */
  readonly internet: boolean;
  /** Destinations allowed in spite of the kinds above. */
  readonly allow: readonly NetRule[];
  /** Destinations that are never allowed. */
  readonly deny: readonly NetRule[];
}

export const DEFAULT_NET_POLICY: NetPolicy = { host: false, lan: false, internet: true, allow: [], deny: [] };

/**
 * `10.1.0.0/16`, `192.168.1.5`, `10.0.2.2:8080`, `fd00::/8` or `[2001:db8::7]:443`; undefined if
 * it is none of these.
 */
export function parseNetRule(text: string): NetRule | undefined {
  const [, four, six, alone, bitsText, portText] = /^(?:([\d.]+)|\[([^\]]*)\]|([^/[\]]+))(?:\/(\d{1,3}))?(?::(\d{1,5}))?$/.exec(text) ?? [];
  const address = four !== undefined ? parseIp(four) : parseIp6(six ?? alone ?? "");
  if (address === undefined) return undefined;
  const most = typeof address === "number" ? IP_BITS : IP6_BITS;
  const bits = Number(bitsText ?? most), port = portText === undefined ? undefined : Number(portText);
  if (bits > most || port !== undefined && (port < 1 || port > 65535)) return undefined;
  return { network: networkOf(address, bits), bits, ...port !== undefined && { port } };
}

/**
 * Kinds of input devices.
 *
 * ```ts
 * import type { INPUT_TYPES } from "@el2/el2";
 *
 * const all: typeof INPUT_TYPES = ["keyboard", "tablet"];
 * console.log(all.length);
 * ```
 */
export const INPUT_TYPES = ["keyboard", "tablet"] as const;
/**
 * One of `INPUT_TYPES`.
 *
 * ```ts
 * import type { DevicePlan, InputType } from "@el2/el2";
 *
 * const type: InputType = "tablet";
 * console.log({ kind: "input", type } satisfies DevicePlan);
 * ```
 */
export type InputType = (typeof INPUT_TYPES)[number];

/**
 * An image of a disk.
 *
 * ```ts
 * import type { DiskImage } from "@el2/el2";
 *
 * const disk: DiskImage = { image: "disk.img", mode: "overlay" };
 * console.log(disk.image);
 * ```
 */
export interface DiskImage {
  /** A path: `*.qcow2` is a qcow2 image, all else is raw. */
  readonly image: string;
  /** `overlay`: changes stay in memory; `rw`: they go to the file; `ro`: there are none. */
  readonly mode: "ro" | "rw" | "overlay";
  /** Its bytes, instead of those of the file, which is not opened; not with `rw`. */
  readonly content?: Uint8Array;
}

/**
 * A part of a disk that several images make. Those with a label are partitions of a GUID partition
 * table, which el2 makes around them. Those with an offset lie at that byte, and no table is made.
 *
 * ```ts
 * import type { DevicePlan, DiskPartition } from "@el2/el2";
 *
 * const root: DiskPartition = { label: "root", image: "root.img", mode: "ro" };
 * const data: DiskPartition = { label: "data", image: "data.img", mode: "overlay" };
 * const disk: DevicePlan = { kind: "block", partitions: [root, data] };
 * console.log(disk.kind);
 * ```
 */
export interface DiskPartition extends DiskImage {
  /** The name in the table. */
  readonly label?: string;
  /** The unique GUID in the table; one that follows from the device and the place otherwise. */
  readonly guid?: string;
  /** Byte of the disk at which the image begins; it ends where the next begins. */
  readonly offset?: number;
}

/**
 * One device.
 *
 * ```ts
 * import { type DevicePlan, PrimaryMachine } from "@el2/el2";
 *
 * const image = await Deno.readFile("assets/guests/hello.bin");
 * const devices: DevicePlan[] = [{ kind: "console", ports: ["hvc0"] }, { kind: "rng" }];
 * const machine = new PrimaryMachine({ image, memory: 64 << 20, devices });
 * console.log(machine.time); // 0
 * ```
 */
export type DevicePlan =
  /** `sector`: bytes of a sector, 512 by default. */
  | { readonly kind: "block"; readonly sector?: SectorSize } & DiskImage
  /** A disk of several images. */
  | { readonly kind: "block"; readonly sector?: SectorSize; readonly partitions: readonly DiskPartition[] }
  /** `capture`: a pcapng file of all frames. `policy`: of `user`, or the default. */
  | {
    readonly kind: "net";
    readonly backend: NetBackend;
    readonly forward: readonly PortForward[];
    readonly capture?: string;
    readonly policy?: NetPolicy;
  }
  | { readonly kind: "rng" }
  /** `path`: the Unix socket on which programs of the computer reach the guest. */
  | { readonly kind: "vsock"; readonly cid: number; readonly path: string | undefined }
  /** Ports by name; the first is the guest's hvc0. */
  | { readonly kind: "console"; readonly ports: readonly string[] }
  /** A folder of the computer; `tag` is what the guest mounts. */
  | { readonly kind: "9p"; readonly folder: string; readonly mode: "ro" | "rw"; readonly tag: string }
  | { readonly kind: "balloon" }
  | { readonly kind: "input"; readonly type: InputType };

/**
 * Bytes that a sector of a disk can have.
 *
 * ```ts
 * import type { DevicePlan, SectorSize } from "@el2/el2";
 *
 * const sector: SectorSize = 4096;
 * const disk: DevicePlan = { kind: "block", image: "disk.img", mode: "overlay", sector };
 * console.log(disk.kind);
 * ```
 */
export type SectorSize = 512 | 4096;
export const SECTOR_SIZES: readonly SectorSize[] = [512, 4096];

/** Most images of one disk: 128 partitions, what is between them, and the tables. */
export const PARTITIONS_MAX = 260;

/** The images of a device that is a disk. */
export function imagesOf(device: DevicePlan): readonly DiskImage[] {
  if (device.kind !== "block") return [];
  return "partitions" in device ? device.partitions : [device];
}

/** Most characters of a tag. */
export const TAG_LENGTH = 31;

/** Whether a text is a tag that guests can mount. */
export function isTag(text: string): boolean {
  return /^[\w.-]+$/.test(text) && text.length <= TAG_LENGTH;
}

/** Default tag of a share. */
export const DEFAULT_TAG = "share";

/** The name of a VM's device, such as `blk0`: of its kind, such as `block`, and its slot. */
export function deviceName(kind: string, slot: number): string {
  return `${kind === "block" ? "blk" : kind}${slot}`;
}
