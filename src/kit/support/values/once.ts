// Values that are made when they are first asked for, so that loading a module takes no time for
// those that a run may never need.

/** A function that calls `make` once, the first time, and always returns its result. */
export function once<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined;
  return () => (made ??= { value: make() }).value;
}
