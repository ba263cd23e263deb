// Services of Deno that need no permission, and that the worker of guests does without: the cache
// API writes to the disk, and another worker would have it again.

const GIVEN_UP = ["caches", "Worker"] as const;

/** From now on this thread's code finds them no more. */
export function giveUpServices(): void {
  for (const name of GIVEN_UP) Reflect.deleteProperty(globalThis, name);
}
