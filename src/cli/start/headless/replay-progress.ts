// How far a replay without screens has come, on a terminal. Consoles print between the lines; none
// is drawn into an unfinished line of theirs.

import { Progress } from "../../common/progress.ts";
import type { RecordedRun } from "../../../plans/recorded-run.ts";
import type { SessionEvent } from "../../../protocol/protocol.ts";
import type { SessionClient } from "../../../session/client.ts";

const NEW_LINE = 10;

/** The client, whose samples are shown. Ctrl-C is the session's to handle. */
export function withProgress(client: SessionClient, { end, checks }: RecordedRun): SessionClient {
  if (!Deno.stderr.isTerminal()) return client;
  const all = end?.end.instructions ?? checks.at(-1)?.check.instructions;
  const progress = new Progress("replaying", "instructions", () => {}), shared = Deno.stdout.isTerminal();
  let within = false;
  const shown: SessionClient = {
    send: (request) => client.send(request),
    onEvent() {},
    close() {
      progress[Symbol.dispose]();
      client.close();
    },
  };
  client.onEvent = (event: SessionEvent) => {
    if (event.kind === "sample" && !within) progress.at(event.sample.instructions, all);
    else if (event.kind === "console" && shared) {
      progress.hide();
      within = event.bytes.at(-1) !== NEW_LINE;
    } else if (event.kind === "ended" || event.kind === "failed") progress.hide();
    shown.onEvent(event);
  };
  return shown;
}
