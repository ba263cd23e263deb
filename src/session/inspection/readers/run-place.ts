// A place of a session's run that it knows by name.

export interface RunPlace {
  readonly kind: "start" | "snapshot" | "mark" | "shown" | "now";
  /** Instructions that had been retired. */
  readonly instructions: number;
  /** Virtual time, ns. */
  readonly time: number;
  /** The snapshot's. */
  readonly file?: string;
  /** The mark's. */
  readonly name?: string;
  readonly text?: string;
  readonly by?: string;
}
