// A connection of a guest that a stream outside of the machine carries on: what TCP and vsock
// share.

import { KiB } from "../../kit/support/values/sizes.ts";
import type { OutsideStream, StreamListener } from "./outside-network.ts";
import { StreamBacklog } from "./stream-backlog.ts";

/**
 * Bytes per connection that may wait: from the guest for the stream, and from the stream for the
 * guest.
 */
export const CONNECTION_BUFFER = 256 * KiB;

/** The state of both directions. Protocols say how bytes and the end reach the guest. */
export abstract class CarriedConnection implements StreamListener {
  /** Bytes for the guest, which it may not have yet. */
  protected readonly backlog = new StreamBacklog(CONNECTION_BUFFER);
  /** The stream sends no more. */
  protected streamEnded = false;
  /** The stream takes nothing for now. */
  protected stuck = false;

  /** The stream that carries it; undefined before `carry`. */
  get stream(): OutsideStream | undefined {
    return this.backlog.stream;
  }

  /** @throws Error before `carry` */
  protected get carrier(): OutsideStream {
    return this.backlog.carrier;
  }

  /** Sets the stream that carries it, before anything else. */
  carry(stream: OutsideStream): void {
    this.backlog.stream = stream;
  }

  abstract connected(): void;

  data(bytes: Uint8Array): void {
    this.backlog.push(bytes);
    this.transmit();
  }

  ended(): void {
    this.streamEnded = true;
    this.transmit();
  }

  full(): void {
    this.stuck = true;
  }

  drained(): void {
    if (!this.stuck) return;
    this.stuck = false;
    this.unstuck();
  }

  closed(problem: string | undefined): void {
    if (this.isOver) return;
    // A stream that ends in order has `ended` before; the guest still gets what is left.
    if (problem === undefined && this.streamEnded && this.hasRest) return;
    this.reset();
  }

  /** Whether nothing more is sent to the guest. */
  protected abstract get isOver(): boolean;

  /** Whether the guest still gets bytes of a stream that has ended. */
  protected abstract get hasRest(): boolean;

  /** Sends what the guest has room for, and the end when all is sent. */
  protected abstract transmit(): void;

  /** The stream takes bytes again: the guest may send more. */
  protected abstract unstuck(): void;

  /** Ends the connection as one that failed. */
  protected abstract reset(): void;
}
