// How long a test waits for what must happen before it says that it does not.

/**
 * Wall time (ms). It is far more than anything takes on a busy computer, and less than the time
 * after which `deno task test` ends a process that prints nothing.
 */
export const PATIENCE = 600_000;
