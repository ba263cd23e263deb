// What a client and a session's socket say beside requests and events: who they are, and what was
// refused or lost.

import type { Request, SessionEvent } from "../protocol/protocol.ts";

/** First message of a client. */
export interface Hello {
  readonly kind: "hello";
  readonly version: number;
  /** It will change nothing; what would is refused. */
  readonly readOnly: boolean;
  /** It wants console output and samples, not only answers. */
  readonly follow: boolean;
}

/** A session, for people. */
export interface SessionInfo {
  readonly name: string;
  /** What runs: a file, an image, `demo`. */
  readonly what: string;
  /** Its process. */
  readonly pid: number;
  /** When it began, ISO 8601. */
  readonly started: string;
  /** Clients that are attached. */
  readonly clients: number;
  /** How it ended, once it did. */
  readonly ended: string | undefined;
  readonly paused: boolean;
  /** Folder of the console logs. */
  readonly logs: string | undefined;
}

/** First message of a session. */
export interface Welcome {
  readonly kind: "welcome";
  readonly version: number;
  readonly info: SessionInfo;
}

/** What a client says. */
export type ClientMessage =
  | Hello
  | Request
  /** Ends the session: its machine, then the process. */
  | { readonly kind: "down" };

/** What a session says. */
export type ServerMessage =
  | Welcome
  | SessionEvent
  /** A request that a read-only client may not make. */
  | { readonly kind: "refused"; readonly request: string; readonly message: string }
  /** Console output that this client was too slow for. */
  | { readonly kind: "lost"; readonly console: string; readonly bytes: number };

/** Requests that change the machine. */
const CHANGING: ReadonlySet<string> = new Set(
  [
    "start",
    "input",
    "input-ended",
    "pause",
    "resume",
    "stop",
    "act",
    "move",
    "snapshot",
    "save-recording",
    "debug-attach",
    "debug",
    "debug-stop",
    "debug-continue",
    "debug-back",
    "debug-detach",
    "debug-release",
    "stop-rule",
    "down",
  ],
);

/** Whether a request changes the machine: read-only clients may not make it. */
export function changes(request: ClientMessage): boolean {
  return CHANGING.has(request.kind);
}
