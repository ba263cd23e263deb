// What a VM's virtio devices are made of: plain data, resolved from command line and configuration before the machine starts.

/** A TCP or UDP port of the host (127.0.0.1) that leads to one of the guest. */
export interface PortForward {
  readonly protocol: "tcp" | "udp";
  readonly host: number;
  readonly guest: number;
}

/** One device. */
export type DevicePlan =
  /** `overlay`: changes stay in memory; `rw`: they go to the file; `ro`: there are none. */
  | { readonly kind: "block"; readonly image: string; readonly mode: "ro" | "rw" | "overlay" }
  /** `user`: NAT to the host's network; `pair:NAME`: a switch that all with this name share; `none`: no cable. */
  | { readonly kind: "net"; readonly backend: "none" | "user" | `pair:${string}`; readonly forward: readonly PortForward[] }
  | { readonly kind: "rng" }
  /** `path`: the Unix socket where the host's programs meet the guest; none without. */
  | { readonly kind: "vsock"; readonly cid: number; readonly path: string | undefined }
  /** Ports by name; the first is the guest's hvc0. */
  | { readonly kind: "console"; readonly ports: readonly string[] };
