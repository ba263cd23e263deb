// Words between the sockets of the thread that has rights and the worker whose guests use them.
// Numbers that the worker gives are positive, those of accepted connections negative.

import type { Address } from "../../kit/formats/ip-addresses.ts";
import type { DatagramPeer } from "../../machine/virtio/outside-network.ts";

/** The worker's words. */
export type SocketCommand =
  | { readonly kind: "connect" | "datagrams"; readonly id: number; readonly address: Address; readonly port: number }
  | { readonly kind: "listen" | "datagram-port"; readonly id: number; readonly port: number }
  | { readonly kind: "connect-unix" | "listen-unix"; readonly id: number; readonly path: string }
  | { readonly kind: "write"; readonly id: number; readonly bytes: Uint8Array }
  | { readonly kind: "send"; readonly id: number; readonly bytes: Uint8Array; readonly peer?: DatagramPeer }
  | { readonly kind: "end" | "destroy" | "pause" | "resume" | "close"; readonly id: number }
  /** The guest's side has taken this many bytes of a stream, or datagrams: as many may follow. */
  | { readonly kind: "took"; readonly id: number; readonly count: number };

export type SocketEvent =
  | { readonly kind: "connected" | "ended" | "full" | "drained"; readonly id: number }
  | { readonly kind: "data"; readonly id: number; readonly bytes: Uint8Array }
  | { readonly kind: "datagram"; readonly id: number; readonly bytes: Uint8Array; readonly peer?: DatagramPeer }
  | { readonly kind: "closed"; readonly id: number; readonly problem: string | undefined }
  | { readonly kind: "problem"; readonly id: number; readonly message: string }
  | { readonly kind: "accepted"; readonly id: number; readonly stream: number };
