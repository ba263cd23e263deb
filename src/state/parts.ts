// Parts of a session's machine beside hypervisor and native guests: devices of the platform, what
// was typed ahead, the session's own notes.

/** A part that is saved as plain data. */
export interface SavedPart {
  readonly name: string;
  /** @throws UnsavableError where it cannot be saved now. */
  save(): unknown;
  /** Takes up what `save` gave. @throws Error where that is none of its states. */
  restore(state: unknown): void;
}

/**
 * Something has no place in a snapshot: a file that is written through, a connection to the
 * outside. The message names it and the way out.
 */
export class UnsavableError extends Error {}
