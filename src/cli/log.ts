// `--log FILE`: the events of a session as lines of text, beside whatever shows it.

import { Failure } from "./failure.ts";
import type { SessionClient } from "../workstation/client.ts";
import { writeAll, WriteFailure } from "../workstation/write-all.ts";
import type { MachineEvent, SessionEvent } from "../workstation/protocol.ts";
import { warn } from "../workstation/warn.ts";

/** What is logged: what was refused or is wrong, or all. */
export const LOG_LEVELS = ["error", "info"] as const;
export type LogLevel = typeof LOG_LEVELS[number];

/** The client, with each event written to `path` before the listener gets it. @throws Failure when the file cannot be written. */
export function withLog(client: SessionClient, path: string | undefined, level: LogLevel = "info"): SessionClient {
  if (path === undefined) return client;
  const file = open(path);
  const text = new TextEncoder();
  let full = false;
  const line = (content: string) => {
    if (full) return;
    try {
      writeAll(file, text.encode(`${content}\n`), `--log ${path}`);
    } catch (error) {
      if (!(error instanceof WriteFailure)) throw error;
      // The run is worth more than its log.
      full = true;
      warn(`${error.message}; nothing more is logged`);
    }
  };
  let listener: (event: SessionEvent) => void = () => {};
  client.onEvent = (event) => {
    if (event.kind === "events") {
      for (const one of event.events) if (level === "info" || one.refused) line(eventLine(one));
      if (event.dropped) line(`${event.dropped} events were lost here`);
    } else if (event.kind === "ended") {
      line(`ended with ${event.end.code}: ${event.end.message}`);
    }
    listener(event);
  };
  return {
    send: (request) => client.send(request),
    close: () => client.close(),
    get onEvent() {
      return listener;
    },
    set onEvent(value) {
      listener = value;
    },
  };
}

/** One event: `!` where something was refused, time in seconds, who, kind, what. */
function eventLine(event: MachineEvent): string {
  return `${event.refused ? "!" : " "}${(event.time / 1e9).toFixed(6)} ${event.vcpu} ${event.kind} ${event.text}`;
}

function open(path: string): Deno.FsFile {
  try {
    return Deno.openSync(path, { write: true, create: true, truncate: true });
  } catch (error) {
    throw new Failure(`--log ${path}: ${error instanceof Error ? error.message : error}`);
  }
}
