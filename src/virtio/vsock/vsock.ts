// The socket device (virtio 1.2 section 5.10): packets between a guest and the owner of their
// destination context id.

import * as v from "valibot";
import { bytes, countersLike, demand, inForm, list } from "../../support/forms.ts";
import { serve, type VirtioDevice, VirtioId, type VirtioPort } from "../device.ts";
import { readVsock, resetOf, VSOCK_HEADER_SIZE, VSOCK_STREAM, VsockOp, type VsockPacket, writeVsock } from "./packet.ts";

const RX = 0, TX = 1;
const CONFIG_SIZE = 8;
/**
 * Packets that wait for buffers of the guest. Credits bound the data; a peer that ignores them
 * loses its connections.
 */
const WAITING_MAX = 1024;
/**
 * Bytes of a packet that a guest sends; Linux makes none that are longer. Credit is between the
 * peers, so only this and `WAITING_MAX` bound what waits.
 */
const PAYLOAD_MAX = 1 << 16;

/** The carrier of packets between context ids. */
export interface VsockFabric {
  /** A packet of the guest; its payload is the callee's. */
  send(packet: VsockPacket): void;
}

/** A guest's socket device. */
export class VsockDevice implements VirtioDevice {
  readonly id = VirtioId.Vsock;
  readonly name = "vsock";
  readonly queueCount = 3;
  readonly features = [];
  fabric: VsockFabric | undefined;
  #port: VirtioPort | undefined;
  #waiting: VsockPacket[] = [];
  #metrics = { rx_packets: 0, rx_bytes: 0, tx_packets: 0, tx_bytes: 0, malformed: 0, dropped: 0 };

  /** @param cid the guest's context id */
  constructor(readonly cid: number) {}

  attach(port: VirtioPort): void {
    this.#port = port;
    port.queues[TX].chainBytesMax = VSOCK_HEADER_SIZE + PAYLOAD_MAX;
  }

  configuration(): Uint8Array {
    const bytes = new Uint8Array(CONFIG_SIZE);
    new DataView(bytes.buffer).setUint32(0, this.cid, true);
    return bytes;
  }

  notify(queue: number): void {
    if (queue === RX) return this.#deliver();
    if (queue !== TX) return;
    const packets: VsockPacket[] = [];
    serve(this.#port!, this.#port!.queues[TX], (chain) => {
      const packet = readVsock(chain.readAll());
      if (packet && packet.sourceCid === this.cid) packets.push(packet);
      else this.#metrics.malformed++;
    });
    for (const packet of packets) {
      this.#metrics.tx_packets++;
      this.#metrics.tx_bytes += packet.payload.length;
      if (packet.type === VSOCK_STREAM && this.fabric) this.fabric.send(packet);
      else if (packet.op !== VsockOp.RST) this.receive(resetOf(packet));
    }
  }

  /** A packet for the guest. */
  receive(packet: VsockPacket): void {
    if (!this.#port!.running || this.#waiting.length >= WAITING_MAX) {
      this.#metrics.dropped++;
      return;
    }
    this.#waiting.push(packet);
    this.#port!.perform(() => this.#deliver());
  }

  reset(): void {
    this.#waiting = [];
  }

  metrics(): Readonly<Record<string, number>> {
    return { ...this.#metrics };
  }

  save(): unknown {
    return { waiting: this.#waiting.map(writeVsock), metrics: { ...this.#metrics } };
  }

  restore(state: unknown): void {
    const { waiting, metrics } = inForm(v.strictObject({ waiting: list(bytes), metrics: countersLike(this.#metrics) }), state);
    demand(waiting.length <= WAITING_MAX, "waiting", "there are too many packets");
    this.#waiting = waiting.map((bytes) => {
      const packet = readVsock(bytes);
      if (!packet) throw new Error("waiting: it is not a packet");
      return packet;
    });
    Object.assign(this.#metrics, metrics);
  }

  /** Fills the guest's buffers; data that is longer than one goes into several packets. */
  #deliver(): void {
    const queue = this.#port!.queues[RX];
    while (this.#waiting.length) {
      const chain = queue.pop();
      if (!chain) break;
      const packet = this.#waiting[0];
      const room = chain.writable - VSOCK_HEADER_SIZE;
      if (room < Math.min(1, packet.payload.length)) {
        queue.push(chain);
        continue;
      }
      const part = packet.payload.subarray(0, room);
      chain.write(writeVsock({ ...packet, payload: part }));
      queue.push(chain);
      this.#metrics.rx_packets++;
      this.#metrics.rx_bytes += part.length;
      if (part.length < packet.payload.length) this.#waiting[0] = { ...packet, payload: packet.payload.subarray(part.length) };
      else this.#waiting.shift();
    }
    this.#port!.signal(queue);
  }
}
