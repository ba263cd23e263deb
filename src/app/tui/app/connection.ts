// The connection to the session that is shown: how it is lost, and reached again.

import { RETRY } from "./services/session-state.ts";
import type { SessionClient } from "../../../session/worker/client.ts";
import type { Request, SessionEvent } from "../../../model/protocol/protocol.ts";
import type { Problem } from "../../../kit/support/problem.ts";

const GONE: Problem = { what: "the session is gone" };
/** Between two pictures of the countdown to the next try, ms. */
const TICK = 1000;

/** A session's client that can report a lost connection. */
export type Client = SessionClient & { onGone?: () => void };

/** Events of the connection. */
interface ConnectionListener {
  readonly event: (event: SessionEvent) => void;
  readonly lost: () => void;
  readonly found: () => void;
  /** The time until the next try has changed: draw. */
  readonly ticked: () => void;
}

/** The connection of a TUI to its session. */
export class Connection {
  #current: Client;
  #lost = false;
  #gone = Promise.withResolvers<Problem>();
  #retry: ReturnType<typeof setInterval> | undefined;
  #countdown: ReturnType<typeof setInterval> | undefined;

  /**
   * @param reach reconnects to the session; it rejects while the session cannot be reached.
   * Undefined: a lost connection is lost for good
   */
  constructor(client: Client, readonly reach: (() => Promise<Client>) | undefined, readonly listener: ConnectionListener) {
    this.#current = client;
  }

  /** The session is gone, for now. */
  get lost(): boolean {
    return this.#lost;
  }

  /** Resolves when the session is lost: open requests are not answered then. */
  get gone(): Promise<Problem> {
    return this.#gone.promise;
  }

  send(request: Request): void {
    this.#current.send(request);
  }

  /** From now on the listener hears of it. */
  open(): void {
    this.#adopt(this.#current);
  }

  /** Tries to reach a lost session again, now. */
  async tryAgain(): Promise<void> {
    if (!this.#lost || !this.reach) return;
    try {
      const found = await this.reach();
      this.#stopTrying();
      this.#lost = false;
      this.#gone = Promise.withResolvers();
      this.#adopt(found);
      this.listener.found();
    } catch {
      this.listener.ticked(); // still not reachable: the screen says since when
    }
  }

  /** Stops reconnecting. */
  close(): void {
    this.#stopTrying();
    if (this.reach) this.#current.onGone = () => this.#gone.resolve(GONE);
  }

  #adopt(client: Client): void {
    this.#current = client;
    client.onEvent = this.listener.event;
    if (this.reach) client.onGone = () => this.#lose();
  }

  #lose(): void {
    this.#lost = true;
    this.#gone.resolve(GONE);
    this.listener.lost();
    this.#retry = setInterval(() => void this.tryAgain(), RETRY);
    this.#countdown = setInterval(this.listener.ticked, TICK);
  }

  #stopTrying(): void {
    clearInterval(this.#retry);
    clearInterval(this.#countdown);
  }
}
