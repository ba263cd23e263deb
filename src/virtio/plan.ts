// What a VM's virtio devices are made of: plain data, resolved from command line and configuration
// before the machine starts.

/** A TCP or UDP port of the computer (127.0.0.1) that leads to one of the guest. */
export interface PortForward {
  /** TCP, or UDP. */
  readonly protocol: "tcp" | "udp";
  /** Port of 127.0.0.1. */
  readonly host: number;
  /** Port of the guest. */
  readonly guest: number;
}

/** `2222:22`, or `udp:5353:53`; undefined where it is neither. */
export function parseForward(text: string): PortForward | undefined {
  const match = /^(?:(tcp|udp):)?(\d{1,5}):(\d{1,5})$/.exec(text);
  if (!match) return undefined;
  const [host, guest] = [Number(match[2]), Number(match[3])];
  const isPort = (port: number) => port >= 1 && port <= 65535;
  return isPort(host) && isPort(guest) ? { protocol: match[1] === "udp" ? "udp" : "tcp", host, guest } : undefined;
}

/**
 * Where a network card's cable ends: `user`: NAT to the computer's network; `pair:NAME`: a switch
 * that all with this name share; `none`.
 */
export type NetBackend = "none" | "user" | `pair:${string}`;

/** Kinds of input devices. */
export const INPUT_TYPES = ["keyboard", "tablet"] as const;
/** One of `INPUT_TYPES`. */
export type InputType = (typeof INPUT_TYPES)[number];

/** One device. */
export type DevicePlan =
  /** `overlay`: changes stay in memory; `rw`: they go to the file; `ro`: there are none. */
  | { readonly kind: "block"; readonly image: string; readonly mode: "ro" | "rw" | "overlay" }
  /** `capture`: a pcapng file of all frames. */
  | { readonly kind: "net"; readonly backend: NetBackend; readonly forward: readonly PortForward[]; readonly capture?: string }
  | { readonly kind: "rng" }
  /** `path`: the Unix socket where the computer's programs meet the guest; none without. */
  | { readonly kind: "vsock"; readonly cid: number; readonly path: string | undefined }
  /** Ports by name; the first is the guest's hvc0. */
  | { readonly kind: "console"; readonly ports: readonly string[] }
  /** A folder of the computer; `tag` is what the guest mounts. */
  | { readonly kind: "9p"; readonly folder: string; readonly mode: "ro" | "rw"; readonly tag: string }
  | { readonly kind: "balloon" }
  | { readonly kind: "input"; readonly type: InputType };

/** Most characters of a tag. */
export const TAG_LENGTH = 31;

/** Whether a text is a tag that guests can mount. */
export function isTag(text: string): boolean {
  return /^[\w.-]+$/.test(text) && text.length <= TAG_LENGTH;
}

/** Tag of a share that was given none. */
export const DEFAULT_TAG = "share";

/**
 * How a device of a VM is called: `dev:debian/blk0`, whose number is that of its slot. `name` is
 * the device's own, such as `block`.
 */
export function deviceId(vm: string, name: string, slot: number): string {
  return `dev:${vm}/${name === "block" ? "blk" : name}${slot}`;
}
