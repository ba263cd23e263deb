// The network device (virtio 1.2 section 5.1): frames between two queues and a backend (user-mode
// NAT, a switch between VMs, none).

import * as v from "valibot";
import { countersLike, type Form, inForm, list, object, ofBits } from "../../../kit/support/values/forms.ts";
import { LIMITS } from "../limits.ts";
import { AttachedDevice, serve, type VirtioDevice, VirtioId } from "../device.ts";
import type { Chain, Virtqueue } from "../virtqueue.ts";
import { finish, NET_HEADER_SIZE, type Offload, readOffload, WHOLE, writeOffload } from "./offload.ts";

const NetFeature = {
  CSUM: 0,
  GUEST_CSUM: 1,
  MTU: 3,
  MAC: 5,
  GUEST_TSO4: 7,
  GUEST_TSO6: 8,
  HOST_TSO4: 11,
  HOST_TSO6: 12,
  MRG_RXBUF: 15,
  STATUS: 16,
} as const;
const RX = 0, TX = 1;
const Config = { Mac: 0, Status: 6, MaxVirtqueuePairs: 8, Mtu: 10, Size: 12 } as const;
const STATUS_LINK_UP = 1;

/** Bytes of an Ethernet frame without its checksum. */
export const FRAME_MIN = 14;
const FRAME_MAX = 1514;
/** The same of one that is still to be cut into segments. */
const LONG_FRAME_MAX = 14 + 40 + 65_535;
/** Bytes of a packet that the link carries. */
export const MTU = 1500;
/** Frames that wait for buffers of the guest; more are lost, as on any wire. */
const WAITING_MAX = 256;

/** A network device's peer. */
export interface NetPeer {
  /** A frame from the guest, and what is still to be done to it. The bytes stay as they are. */
  send(frame: Uint8Array, offload: Offload): void;
  /** The guest has room for frames again. */
  drained(): void;
  /** Destinations that the guest may reach, for display, if there is a policy. */
  readonly reach?: string;
  /** The cards at the other ends, where nothing else sends to this one. */
  readonly others?: () => readonly NetDevice[];
}

export class NetDevice extends AttachedDevice implements VirtioDevice {
  readonly id = VirtioId.Net;
  readonly name = "net";
  readonly queueCount = 2;
  readonly features = Object.values(NetFeature);
  /** Its peer; without one, frames are lost. */
  backend: NetPeer | undefined;
  /** Sees every frame in both directions, for captures. */
  onFrame: ((direction: "to-guest" | "from-guest", frame: Uint8Array) => void) | undefined;
  /** Frames for the guest, oldest first. */
  #waiting: WaitingFrame[] = [];
  #metrics = { rx_frames: 0, rx_bytes: 0, tx_frames: 0, tx_bytes: 0, rx_dropped: 0, tx_dropped: 0 };

  /** @param mac its address, 6 bytes */
  constructor(readonly mac: Uint8Array) {
    super();
  }

  override takesInput(queue: number): boolean {
    return queue === RX;
  }

  limits(queue: number) {
    return queue === TX ? LIMITS.netSend : LIMITS.netReceive;
  }

  configuration(): Uint8Array {
    const bytes = new Uint8Array(Config.Size);
    const view = new DataView(bytes.buffer);
    bytes.set(this.mac, Config.Mac);
    view.setUint16(Config.Status, STATUS_LINK_UP, true);
    view.setUint16(Config.MaxVirtqueuePairs, 1, true);
    view.setUint16(Config.Mtu, MTU, true);
    return bytes;
  }

  notify(queue: number): void {
    if (queue === RX) {
      this.#deliver();
      if (this.#waiting.length === 0) this.backend?.drained();
      return;
    }
    serve(this.port, this.port.queues[TX], (chain) => {
      const bytes = chain.readAll();
      const frame = bytes.subarray(NET_HEADER_SIZE);
      const offload = frame.length < FRAME_MIN ? undefined : readOffload(bytes, frame);
      if (!offload || frame.length > (offload.segments ? LONG_FRAME_MAX : FRAME_MAX)) {
        this.#metrics.tx_dropped++;
        return;
      }
      this.#metrics.tx_frames++;
      this.#metrics.tx_bytes += frame.length;
      this.onFrame?.("from-guest", frame);
      this.backend?.send(frame, offload);
    });
  }

  /** A frame of the guest goes nowhere. */
  lose(): void {
    this.#metrics.tx_dropped++;
  }

  /** Whether `receive` would keep a frame: senders hold more back. */
  get room(): boolean {
    return this.#waiting.length < WAITING_MAX;
  }

  /**
   * A frame for the guest, from outside of its own accesses. Unfinished offloads are completed here
   * if the guest does not accept them.
   */
  receive(frame: Uint8Array, offload = WHOLE): void {
    const port = this.port;
    if (!port.running || !this.room) {
      this.#metrics.rx_dropped++;
      return;
    }
    const checksum = port.accepted(NetFeature.GUEST_CSUM);
    const taker = {
      checksum,
      tcp4: checksum && port.accepted(NetFeature.GUEST_TSO4),
      tcp6: checksum && port.accepted(NetFeature.GUEST_TSO6),
    };
    this.#waiting.push(...finish(frame, offload, taker));
    port.perform(() => this.#deliver());
  }

  reset(): void {
    this.#waiting = [];
  }

  metrics(): Readonly<Record<string, number>> {
    return { ...this.#metrics };
  }

  save(): unknown {
    return { waiting: copied(this.#waiting), metrics: { ...this.#metrics } };
  }

  restore(state: unknown): void {
    const { waiting, metrics } = inForm(v.strictObject({ waiting: WAITING, metrics: countersLike(this.#metrics) }), state);
    this.#waiting = copied(waiting);
    Object.assign(this.#metrics, metrics);
  }

  #deliver(): void {
    const port = this.port;
    const queue = port.queues[RX];
    while (this.#waiting.length) {
      const { frame, offload } = this.#waiting[0];
      const chains = this.#room(queue, NET_HEADER_SIZE + frame.length);
      if (!chains) break;
      this.#waiting.shift();
      if (chains.reduce((sum, { writable }) => sum + writable, 0) < NET_HEADER_SIZE + frame.length) {
        this.#metrics.rx_dropped++;
      } else {
        this.onFrame?.("to-guest", frame);
        this.#metrics.rx_frames++;
        this.#metrics.rx_bytes += frame.length;
        chains[0].write(writeOffload(offload, frame, chains.length));
        let done = 0;
        for (const chain of chains) done += chain.write(frame.subarray(done));
      }
      for (const chain of chains) queue.push(chain);
    }
    port.signal(queue);
  }

  /**
   * Buffers of the guest for this many bytes: one, or with MRG_RXBUF as many as needed. If they are
   * too small, no others will come.
   * @returns undefined if they are not available yet
   */
  #room(queue: Virtqueue, bytes: number): Chain[] | undefined {
    const most = this.port.accepted(NetFeature.MRG_RXBUF) ? queue.size : 1;
    const chains: Chain[] = [];
    for (let room = 0; room < bytes && chains.length < most;) {
      const chain = queue.pop();
      if (!chain) {
        for (const one of chains.reverse()) queue.unpop(one);
        return undefined;
      }
      chains.push(chain);
      // The header does not go over from one to the next.
      if (chains.length === 1 && chain.writable < NET_HEADER_SIZE) break;
      room += chain.writable;
    }
    return chains;
  }
}

/** A frame that waits for buffers of the guest. */
interface WaitingFrame {
  readonly frame: Uint8Array;
  readonly offload: Offload;
}

const HALF = ofBits(16);
const OFFLOAD: Form<Offload> = v.pipe(
  object,
  v.strictObject({
    checksum: v.exactOptional(v.strictObject({ start: HALF, offset: HALF })),
    segments: v.exactOptional(v.strictObject({ type: ofBits(8), size: HALF })),
  }),
);
const FRAME = v.custom<Uint8Array>((value) => value instanceof Uint8Array && value.length <= LONG_FRAME_MAX, "it is not a frame");
const WAITING: Form<WaitingFrame[]> = list(v.strictObject({ frame: FRAME, offload: OFFLOAD }));

function copied(frames: readonly WaitingFrame[]): WaitingFrame[] {
  return frames.map(({ frame, offload }) => ({ frame: frame.slice(), offload }));
}
