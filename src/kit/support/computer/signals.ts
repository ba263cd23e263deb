// Signals of the computer's system: Windows has two of them, and Deno refuses to listen for others
// there.

const WINDOWS: ReadonlySet<Deno.Signal> = new Set<Deno.Signal>(["SIGINT", "SIGBREAK"]);

/** Signals that ask a program to end, with its exit code then, as shells have it. */
export const END_CODES = { SIGHUP: 129, SIGINT: 130, SIGQUIT: 131, SIGTERM: 143 } as const;

export type EndSignal = keyof typeof END_CODES;

export const END_SIGNALS: readonly EndSignal[] = ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT"];

/** The parts of Deno that tests replace with another system's. */
export interface SignalSystem {
  readonly os: typeof Deno.build.os;
  add(signal: Deno.Signal, call: () => void): void;
  remove(signal: Deno.Signal, call: () => void): void;
}

const OWN: SignalSystem = {
  // The launcher of the npm package imports this module in Node, which has no Deno.
  get os() {
    return Deno.build.os;
  },
  add: (signal, call) => Deno.addSignalListener(signal, call),
  remove: (signal, call) => Deno.removeSignalListener(signal, call),
};

/** How many `onSignals` listen for a signal now. */
const heard = new Map<Deno.Signal, number>();

/**
 * Calls for each of these signals that the system has. The returned function ends that.
 */
export function onSignals<S extends Deno.Signal>(signals: readonly S[], call: (signal: S) => void, system = OWN): () => void {
  const end = listen(signals, call, system), count = (by: number) => signals.forEach((one) => heard.set(one, (heard.get(one) ?? 0) + by));
  count(1);
  let over = false;
  return () => {
    if (!over) count(-1);
    over = true;
    end();
  };
}

/** The same for signals that no `onSignals` hears when they come. */
export function onUnheardSignals<S extends Deno.Signal>(signals: readonly S[], call: (signal: S) => void, system = OWN): () => void {
  return listen(signals, (signal) => heard.get(signal) || call(signal), system);
}

function listen<S extends Deno.Signal>(signals: readonly S[], call: (signal: S) => void, system: SignalSystem): () => void {
  const known = signals.filter((signal) => system.os !== "windows" || WINDOWS.has(signal));
  const listeners = known.map((signal) => ({ signal, listener: () => call(signal) }));
  for (const { signal, listener } of listeners) system.add(signal, listener);
  return () => {
    for (const { signal, listener } of listeners) system.remove(signal, listener);
  };
}
