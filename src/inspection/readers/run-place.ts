// A place of a session's run that it knows by name.

export interface RunPlace {
  readonly kind: "start" | "snapshot" | "shown" | "now";
  /** Instructions that had been retired. */
  readonly instructions: number;
  /** Virtual time, ns. */
  readonly time: number;
  /** The snapshot's. */
  readonly file?: string;
}
