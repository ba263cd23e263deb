// Parts of a session's machine besides hypervisor and native guests: devices of the platform, input
// typed ahead, the session's own notes.

import { UserError } from "../../kit/support/problem.ts";

/** A part that is saved as plain data. */
export interface SavedPart {
  readonly name: string;
  /** @throws UnsavableError if it cannot be saved now. */
  save(): unknown;
  /**
   * Restores a state from `save`.
   * @throws Error for anything else.
   */
  restore(state: unknown): void;
}

/**
 * A part that cannot be in a snapshot: a file in write-through mode, a connection to the outside.
 * The message names it and the remedy.
 */
export class UnsavableError extends UserError {}
