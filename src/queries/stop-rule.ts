// Stop rules as people write them and read them: plain data, the same in process and over a socket.

/** What a person wants of the stop rules. */
export type StopChange =
  /** A filter of events. */
  | { readonly kind: "event"; readonly filter: string }
  /** A place of code: `VM:SYMBOL`, `VM:ADDRESS` or `VM/INDEX:pc`. */
  | { readonly kind: "place"; readonly at: string }
  /** Once: when the vCPU has executed so many instructions from now on. */
  | { readonly kind: "step"; readonly vcpu: string; readonly count: number }
  /** `stop:N`, or `all`. */
  | { readonly kind: "remove"; readonly rule: string };

/** Where a breakpoint is. */
export interface BreakPlace {
  readonly vm: string;
  readonly address: bigint;
}

/** A rule. */
export interface StopRule {
  /** `stop:N`. */
  readonly id: string;
  readonly kind: "event" | "place";
  /** The filter, or the place as the person has written it. */
  readonly text: string;
  /** How often it has stopped the machine. */
  hits: number;
  /** What it stopped at, the last time. */
  last: { readonly time: number; readonly text: string } | undefined;
}

/** Why the machine stands still. */
export interface StopHit {
  /** `stop:N`, or `step`. */
  readonly rule: string;
  /** What happened, or where. */
  readonly text: string;
}
