// Signals of the computer's system: Windows has two of them, and Deno refuses to listen for others
// there.

const WINDOWS: ReadonlySet<Deno.Signal> = new Set<Deno.Signal>(["SIGINT", "SIGBREAK"]);

/** The parts of Deno that tests replace with another system's. */
export interface SignalSystem {
  readonly os: typeof Deno.build.os;
  add(signal: Deno.Signal, call: () => void): void;
  remove(signal: Deno.Signal, call: () => void): void;
}

const OWN: SignalSystem = {
  os: Deno.build.os,
  add: (signal, call) => Deno.addSignalListener(signal, call),
  remove: (signal, call) => Deno.removeSignalListener(signal, call),
};

/**
 * Calls for each of these signals that the system has. The returned function ends that.
 */
export function onSignals<S extends Deno.Signal>(signals: readonly S[], call: (signal: S) => void, system = OWN): () => void {
  const known = signals.filter((signal) => system.os !== "windows" || WINDOWS.has(signal));
  const listeners = known.map((signal) => ({ signal, listener: () => call(signal) }));
  for (const { signal, listener } of listeners) system.add(signal, listener);
  return () => {
    for (const { signal, listener } of listeners) system.remove(signal, listener);
  };
}
