// An engine's requirements on its worker, and work in pieces.

import type { ContainedBug } from "../assembly/system/system.ts";
import type { SessionEvent } from "../../model/protocol/protocol.ts";
import type { PageFile } from "../state/page-file.ts";
import type { Again } from "./session-run.ts";
import type { Standing } from "./standing.ts";

/** The engine's requirements on its worker. */
export interface EnginePort {
  readonly post: (event: SessionEvent) => void;
  /** Posts made meanwhile go out in one message, since each wakes its receiver. */
  readonly together: (work: () => void) => void;
  /** Questions that are answered again with samples. */
  readonly standing: Standing;
  /** Wraps every piece of work, so that a bug of ours is reported and not lost. */
  readonly guarded: (work: () => void) => void;
  /** Reports a bug that has ended a part of the machine, or an answer. */
  readonly contained: (bug: ContainedBug) => void;
  /** Whether a request waits to be let in. */
  readonly requested: () => boolean;
  /** Whether the client has yet to hear so much that the machine waits. */
  readonly lags: () => boolean;
  /** A file for states for which there is no room in memory. */
  readonly pages?: PageFile | undefined;
  /** Another machine of the same plan, at its start or in a state, without sockets. */
  readonly again: Again;
}

/** Wall time (ms) for which a piece of a way through the past keeps requests waiting. */
export const MOVE_SLICE = 20;
/** Wall time (ms) between two progress reports of a move or a search. */
export const PROGRESS_INTERVAL = 500;

/**
 * Does something piece by piece, with requests let in between, until a piece is the last: it
 * answers true.
 */
export function inPieces({ guarded }: EnginePort, piece: () => boolean): void {
  const next = () => {
    if (!piece()) setTimeout(() => guarded(next), 0);
  };
  next();
}
