// Parts of a session's machine besides hypervisor and native guests: devices of the platform, input
// typed ahead, the session's own notes.

import { UserError } from "../../kit/support/problem.ts";
import type { Page } from "./page-map.ts";

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

/** A part of a state besides its fields and pages, which is in this thread and in no file. */
export interface KeptOutside {
  /** Stays as long as the state does. */
  readonly what: object;
  /** Nobody goes back to that state any more. */
  release(): void;
}

/** Keeps what disks had before they were written. */
export interface OldBytes {
  /** Keeps a block. */
  keep(bytes: Uint8Array): Page;
  /** So many kept blocks are not needed any more. */
  forget(blocks: number): void;
  /** The disk's bytes of the past cannot be known from now on. */
  lose(why: string): void;
}
