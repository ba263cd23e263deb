// Counters that the worker shares with the thread that started it: neither has to wait for its
// event loop to know how far the other one is.

/** Their places in `Connection.bell`, as Int32; they wrap around. */
export const Bell = {
  /**
   * Rises before each request. A busy worker's event loop serves its own wake-ups first, so it
   * checks this between two pieces of work and lets requests in when there are any.
   */
  Requests: 0,
  /** Rises after each message of the worker that was heard. */
  Heard: 1,
} as const;

export const BELL_WORDS = 2;
