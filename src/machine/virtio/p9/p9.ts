// The 9P transport device (Linux' virtio_9p; device id 9 of virtio 1.2 section 5): one queue of
// requests, each with room for its answer. The server is outside the machine, so an answer comes
// between two slices, like data from a socket.

import * as v from "valibot";
import { count, demand, inForm, list } from "../../../kit/support/values/forms.ts";
import { LIMITS, P9_MESSAGE_MAX } from "../limits.ts";
import { AttachedDevice, type VirtioDevice, VirtioId } from "../device.ts";
import type { Chain, ChainState } from "../virtqueue.ts";

const P9Feature = { MOUNT_TAG: 0 } as const;
/** Bytes of a tag. */
const TAG_MAX = 255;

/** The server of one device's requests. */
export interface P9Backend {
  /**
   * Takes a request; the device's `answer` is called once with its ticket, later or at once.
   * `room`: bytes for the answer.
   */
  request(ticket: number, bytes: Uint8Array, room: number): void;
  /** The device was reset: no fid is left. */
  reset(): void;
  metrics(): Readonly<Record<string, number>>;
  save(): unknown;
  restore(state: unknown): void;
}

interface P9State {
  readonly next: number;
  /** Requests without an answer yet: the guest's chains. */
  readonly pending: readonly { readonly ticket: number; readonly chain: ChainState }[];
  readonly backend: unknown;
}

const STATE = v.strictObject({ next: count, pending: list(v.strictObject({ ticket: count, chain: v.unknown() })), backend: v.unknown() });

/** A share of a folder. */
export class P9Device extends AttachedDevice implements VirtioDevice {
  readonly id = VirtioId.P9;
  readonly name = "9p";
  readonly queueCount = 1;
  readonly features = [P9Feature.MOUNT_TAG];
  readonly #tag: Uint8Array;
  readonly #pending = new Map<number, Chain>();
  /** Bytes of the requests under way and of the room for their answers. */
  #underWay = 0;
  #next = 0;

  /** @param tag what the guest mounts, 1 to 255 bytes */
  constructor(tag: string, readonly backend: P9Backend) {
    super();
    this.#tag = new TextEncoder().encode(tag);
    if (this.#tag.length < 1 || this.#tag.length > TAG_MAX) throw new RangeError(`a tag has 1 to ${TAG_MAX} bytes: ${JSON.stringify(tag)}`);
  }

  limits() {
    return LIMITS.p9;
  }

  configuration(): Uint8Array {
    return Uint8Array.of(this.#tag.length & 0xff, this.#tag.length >> 8, ...this.#tag);
  }

  notify(): void {
    const queue = this.port.queues[0];
    // A hostile guest can make more requests than the ring has entries. They wait until answers
    // have gone out.
    while (this.#pending.size < queue.size && this.#underWay < queue.limits.turn) {
      const chain = queue.pop();
      if (!chain) break;
      // A longer message is malformed, and so is its beginning.
      const bytes = new Uint8Array(Math.min(chain.readable, P9_MESSAGE_MAX));
      chain.read(bytes);
      const ticket = this.#next++;
      this.#keep(ticket, chain);
      this.backend.request(ticket, bytes, Math.min(chain.writable, P9_MESSAGE_MAX));
    }
  }

  /**
   * The answer to a request; undefined for a malformed request, which the guest sees as an answer
   * without bytes.
   */
  answer(ticket: number, bytes: Uint8Array | undefined): void {
    const port = this.port;
    const chain = this.#pending.get(ticket);
    if (!chain) return; // asked for before a reset
    this.#pending.delete(ticket);
    this.#underWay -= chain.bytes;
    port.perform(() => {
      if (!port.running) return;
      if (bytes) chain.write(bytes);
      port.queues[0].push(chain);
      port.signal(port.queues[0]);
      // Not at once: a ring that answers fill would never end.
      if (port.queues[0].available > 0) port.continueLater(port.queues[0]);
    });
  }

  #keep(ticket: number, chain: Chain): void {
    this.#pending.set(ticket, chain);
    this.#underWay += chain.bytes;
  }

  reset(): void {
    this.#pending.clear();
    this.#underWay = 0;
    this.backend.reset();
  }

  metrics(): Readonly<Record<string, number>> {
    return { pending: this.#pending.size, ...this.backend.metrics() };
  }

  save(): P9State {
    const pending = [...this.#pending].map(([ticket, chain]) => ({ ticket, chain: chain.save() }));
    return { next: this.#next, pending, backend: this.backend.save() };
  }

  restore(state: unknown): void {
    const { next, pending, backend } = inForm(STATE, state);
    this.#next = next;
    this.#pending.clear();
    this.#underWay = 0;
    const [queue] = this.port.queues;
    for (const { ticket, chain } of pending) {
      demand(ticket < next && !this.#pending.has(ticket), "pending", `${ticket} is taken, or was never given`);
      this.#keep(ticket, queue.kept(chain as ChainState));
    }
    this.backend.restore(backend);
  }
}
