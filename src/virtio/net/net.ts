// The network device (virtio 1.2 section 5.1): frames between two queues and a backend (user-mode NAT, a switch between VMs, none).

import { serve, type VirtioDevice, VirtioId, type VirtioPort } from "../device.ts";

const NetFeature = { MTU: 3, MAC: 5, STATUS: 16 } as const;
const RX = 0, TX = 1;
/** `struct virtio_net_hdr` with num_buffers, as VERSION_1 has it. */
const HEADER_SIZE = 12;
const NUM_BUFFERS_OFFSET = 10;
const Config = { Mac: 0, Status: 6, MaxVirtqueuePairs: 8, Mtu: 10, Size: 12 } as const;
const STATUS_LINK_UP = 1;

/** Bytes of an Ethernet frame without its checksum. */
export const FRAME_MIN = 14;
export const FRAME_MAX = 1514;
const MTU = 1500;
/** Frames that wait for buffers of the guest; more are lost, as on any wire. */
const WAITING_MAX = 256;

/** What a network device is connected to. */
export interface NetBackend {
  /** A frame from the guest. The bytes are the callee's. */
  send(frame: Uint8Array): void;
  /** The guest has room for frames again. */
  drained(): void;
}

/** A network card. */
export class NetDevice implements VirtioDevice {
  readonly id = VirtioId.Net;
  readonly name = "net";
  readonly queueCount = 2;
  readonly features = [NetFeature.MTU, NetFeature.MAC, NetFeature.STATUS];
  /** What it is connected to; frames are lost while there is nothing. */
  backend: NetBackend | undefined;
  /** Sees every frame in both directions, for captures. */
  onFrame: ((direction: "to-guest" | "from-guest", frame: Uint8Array) => void) | undefined;
  #port: VirtioPort | undefined;
  /** Frames for the guest, oldest first. */
  #waiting: Uint8Array[] = [];
  #metrics = { rx_frames: 0, rx_bytes: 0, tx_frames: 0, tx_bytes: 0, rx_dropped: 0, tx_dropped: 0 };

  /** @param mac its address, 6 bytes */
  constructor(readonly mac: Uint8Array) {}

  attach(port: VirtioPort): void {
    this.#port = port;
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
    serve(this.#port!, this.#port!.queues[TX], (chain) => {
      const bytes = chain.readAll();
      const frame = bytes.subarray(HEADER_SIZE);
      if (frame.length < FRAME_MIN || frame.length > FRAME_MAX) {
        this.#metrics.tx_dropped++;
        return;
      }
      this.#metrics.tx_frames++;
      this.#metrics.tx_bytes += frame.length;
      this.onFrame?.("from-guest", frame);
      this.backend?.send(frame);
    });
  }

  /** Whether `receive` would keep a frame: who has more holds it back. */
  get room(): boolean {
    return this.#waiting.length < WAITING_MAX;
  }

  /** A frame for the guest, from outside of its own accesses. */
  receive(frame: Uint8Array): void {
    const port = this.#port!;
    if (!port.running || !this.room) {
      this.#metrics.rx_dropped++;
      return;
    }
    this.#waiting.push(frame);
    port.perform(() => this.#deliver());
  }

  reset(): void {
    this.#waiting = [];
  }

  metrics(): Readonly<Record<string, number>> {
    return { ...this.#metrics };
  }

  save(): unknown {
    return { waiting: this.#waiting.map((frame) => frame.slice()), metrics: { ...this.#metrics } };
  }

  restore(state: unknown): void {
    const { waiting, metrics } = state as { waiting: Uint8Array[]; metrics: Record<string, number> };
    this.#waiting = waiting.map((frame) => frame.slice());
    Object.assign(this.#metrics, metrics);
  }

  #deliver(): void {
    const port = this.#port!;
    const queue = port.queues[RX];
    while (this.#waiting.length) {
      const chain = queue.pop();
      if (!chain) break;
      const frame = this.#waiting.shift()!;
      if (chain.writable < HEADER_SIZE + frame.length) {
        this.#metrics.rx_dropped++;
      } else {
        const header = new Uint8Array(HEADER_SIZE);
        header[NUM_BUFFERS_OFFSET] = 1;
        chain.write(header);
        chain.write(frame);
        this.#metrics.rx_frames++;
        this.#metrics.rx_bytes += frame.length;
        this.onFrame?.("to-guest", frame);
      }
      queue.push(chain);
    }
    port.signal(queue);
  }
}
