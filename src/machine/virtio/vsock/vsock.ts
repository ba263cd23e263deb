// The socket device (virtio 1.2 section 5.10): packets between a guest and the owner of their
// destination context id.

import * as v from "valibot";
import { bytes, countersLike, demand, inForm, list } from "../../../kit/support/values/forms.ts";
import { LIMITS } from "../limits.ts";
import { AttachedDevice, serve, type VirtioDevice, VirtioId } from "../device.ts";
import { MiB } from "../../../kit/support/values/sizes.ts";
import { readVsock, resetOf, VSOCK_HEADER_SIZE, VSOCK_STREAM, VsockOp, type VsockPacket, writeVsock } from "./packet.ts";

const RX = 0, TX = 1;
const CONFIG_SIZE = 8;
/**
 * Packets that wait for buffers of the guest. Credits bound the data; a peer that ignores them
 * loses its connections.
 */
const WAITING_MAX = 1024;
/** Bytes of their payloads. Credit is between the peers, so only these two bound what waits. */
const WAITING_BYTES_MAX = 8 * MiB;

/** The carrier of packets between context ids. */
export interface VsockFabric {
  /** A packet of the guest; its payload is the callee's. */
  send(packet: VsockPacket): void;
}

export class VsockDevice extends AttachedDevice implements VirtioDevice {
  readonly id = VirtioId.Vsock;
  readonly name = "vsock";
  readonly queueCount = 3;
  readonly features = [];
  fabric: VsockFabric | undefined;
  #waiting: VsockPacket[] = [];
  #waitingBytes = 0;
  #metrics = { rx_packets: 0, rx_bytes: 0, tx_packets: 0, tx_bytes: 0, malformed: 0, dropped: 0 };

  /** @param cid the guest's context id */
  constructor(readonly cid: number) {
    super();
  }

  override takesInput(queue: number): boolean {
    return queue !== TX;
  }

  limits(queue: number) {
    return queue === TX ? LIMITS.vsockSend : LIMITS.vsockReceive;
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
    serve(this.port, this.port.queues[TX], (chain) => {
      const bytes = chain.readAll(), packet = readVsock(bytes);
      // The rest of the buffer does not wait with the payload.
      const short = packet && packet.payload.length + VSOCK_HEADER_SIZE < bytes.length;
      if (packet?.sourceCid === this.cid) packets.push(short ? { ...packet, payload: packet.payload.slice() } : packet);
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
    const full = this.#waiting.length >= WAITING_MAX || this.#waitingBytes + packet.payload.length > WAITING_BYTES_MAX;
    if (!this.port.running || full) {
      this.#metrics.dropped++;
      return;
    }
    this.#waiting.push(packet);
    this.#waitingBytes += packet.payload.length;
    this.port.perform(() => this.#deliver());
  }

  reset(): void {
    this.#waiting = [];
    this.#waitingBytes = 0;
  }

  metrics(): Readonly<Record<string, number>> {
    return { ...this.#metrics };
  }

  save(): unknown {
    return { waiting: this.#waiting.map(writeVsock), metrics: { ...this.#metrics } };
  }

  restore(state: unknown): void {
    const { waiting, metrics } = inForm(v.strictObject({ waiting: list(bytes), metrics: countersLike(this.#metrics) }), state);
    this.#waiting = waiting.map((bytes) => {
      const packet = readVsock(bytes);
      if (!packet) throw new Error("waiting: it is not a packet");
      return packet;
    });
    this.#waitingBytes = this.#waiting.reduce((sum, { payload }) => sum + payload.length, 0);
    demand(waiting.length <= WAITING_MAX && this.#waitingBytes <= WAITING_BYTES_MAX, "waiting", "there are too many packets");
    Object.assign(this.#metrics, metrics);
  }

  /** Fills the guest's buffers; data that is longer than one goes into several packets. */
  #deliver(): void {
    const queue = this.port.queues[RX];
    // A ring that the device itself fills with small buffers must not keep it for ever.
    for (let count = 0; this.#waiting.length && count < queue.size; count++) {
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
      this.#waitingBytes -= part.length;
      if (part.length < packet.payload.length) this.#waiting[0] = { ...packet, payload: packet.payload.subarray(part.length) };
      else this.#waiting.shift();
    }
    this.port.signal(queue);
    if (this.#waiting.length && queue.available > 0) this.port.continueLater(queue);
  }
}
