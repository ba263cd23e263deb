// Sessions that a screen is starting: of those that still start when it is left, somebody else has
// to tell the person.

/** A session that was still being started when its screen was left. */
export interface UnseenStart {
  /** What it is made of. */
  readonly what: string;
  /** Its name, or what is wrong with it. */
  readonly started: Promise<string>;
}

/** What a screen is starting, until it is left. */
export class Starts {
  readonly #starting = new Set<UnseenStart>();
  #left = false;

  /** Follows the start of a session, of which the screen says how it went. */
  follow(what: string, started: Promise<string>): Promise<string> {
    const start = { what, started };
    this.#starting.add(start);
    const seen = () => {
      if (!this.#left) this.#starting.delete(start);
    };
    started.then(seen, seen);
    return started;
  }

  /** The screen is left: nobody sees from now on how a start went. */
  leave(): void {
    this.#left = true;
  }

  /** What was being started when the screen was left. */
  get unseen(): readonly UnseenStart[] {
    return [...this.#starting];
  }
}
