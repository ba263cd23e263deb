// Sessions that a screen is starting: when the screen closes, its caller has to report those that
// are still starting.

/** A session that was still being started when its screen was left. */
export interface UnseenStart {
  /** The argument that it is started from. */
  readonly what: string;
  /** Resolves to its name, or rejects with the error. */
  readonly started: Promise<string>;
}

/** The sessions that a screen is starting, until it closes. */
export class Starts {
  readonly #starting = new Set<UnseenStart>();
  #left = false;

  /** Follows the start of a session, which the screen reports. */
  follow(what: string, started: Promise<string>): Promise<string> {
    const start = { what, started };
    this.#starting.add(start);
    const seen = () => {
      if (!this.#left) this.#starting.delete(start);
    };
    started.then(seen, seen);
    return started;
  }

  /** The screen closes: it reports no more starts from now on. */
  leave(): void {
    this.#left = true;
  }

  /** The sessions that were being started when the screen closed. */
  get unseen(): readonly UnseenStart[] {
    return [...this.#starting];
  }
}
