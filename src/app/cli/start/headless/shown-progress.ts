// How far a machine without screens has come, on a terminal: with its snapshot, and with the run
// that it repeats. Consoles print between the lines; none is drawn into an unfinished line of
// theirs.

import { Progress } from "../../common/progress.ts";
import type { SessionPlan } from "../../../../model/plans/plan.ts";
import type { SessionEvent } from "../../../../model/protocol/protocol.ts";
import type { SessionClient } from "../../../../session/worker/client.ts";

const NEW_LINE = 10;

/** The client, whose samples are shown. Ctrl-C is the session's to handle. */
export function withProgress(client: SessionClient, { replay, from }: Pick<SessionPlan, "replay" | "from">): SessionClient {
  if (!Deno.stderr.isTerminal()) return client;
  const loading = from && new Progress(`loading ${from.path}`, "pages", () => {});
  const replaying = replay && new Progress("replaying", "instructions", () => {}), shared = Deno.stdout.isTerminal();
  const all = replay?.recording.end?.end.instructions ?? replay?.recording.checks.at(-1)?.check.instructions;
  let within = false, unwritten = 0;
  const shown: SessionClient = {
    send: (request) => {
      if (request.kind === "taken") unwritten -= request.bytes;
      client.send(request);
    },
    onEvent() {},
    close() {
      loading?.[Symbol.dispose]();
      replaying?.[Symbol.dispose]();
      client.close();
    },
  };
  client.onEvent = (event: SessionEvent) => {
    if (event.kind === "loading") loading?.at(event.done, event.total);
    else loading?.hide();
    // Output is written later than this, and would be over a line that is drawn now.
    if (event.kind === "sample" && !within && unwritten === 0) replaying?.at(event.sample.instructions, all);
    else if (event.kind === "console" && shared) {
      replaying?.hide();
      unwritten += event.bytes.length;
      within = event.bytes.at(-1) !== NEW_LINE;
    } else if (event.kind === "ended" || event.kind === "failed") replaying?.hide();
    shown.onEvent(event);
  };
  return shown;
}
