// A session's machine paused, resumed, and shown at other places of its run.

import { answer } from "./answer.ts";
import { ExitCode, failed, Failure } from "./failure.ts";
import { output, report } from "./print.ts";
import { Progress } from "./progress.ts";
import type { OpenSession } from "./session.ts";
import type { Move } from "../../../model/queries/move.ts";
import { documentText, PLACE } from "../../../model/queries/documents.ts";
import { endProblem, hasEnded } from "../../../model/queries/facts/problem.ts";
import { timeText } from "../../../kit/support/text/number-text.ts";

/** How a move is shown, and the wall time (ns) that it has. */
interface MoveOptions {
  readonly json?: boolean;
  readonly timeout?: number;
}

/** Moves to another place in the run of a session, and prints where it is. */
export async function goTo(open: OpenSession, to: Move, { json = false, timeout }: MoveOptions): Promise<void> {
  // The first Ctrl-C stops on the way, and the session stays paused there.
  const cancel = () => void open.asker.move({ kind: "here" });
  using progress = new Progress("replaying", "instructions", cancel);
  let late = false;
  const timer = timeout === undefined ? undefined : setTimeout(() => {
    late = true;
    cancel();
  }, timeout / 1e6);
  const moved = await open.asker.move(to, (done, all) => progress.at(done, all)).finally(() => clearTimeout(timer));
  if ("error" in moved) throw new Failure(moved.error, undefined, late ? ExitCode.TimedOut : ExitCode.Failed);
  const { instructions, time, text } = moved;
  const place = documentText(PLACE, {
    t: time === undefined ? null : String(Math.round(time)),
    insn: String(instructions),
    reached: text ?? null,
  });
  const at = time === undefined ? "" : `t=${timeText(time)}s, `;
  output(`${json ? place : `now at ${at}instruction ${instructions}${text === undefined ? "" : `: ${text}`}`}\n`);
}

/** Pauses the machine of a session or resumes it, and says where it is. */
export async function setPaused(open: OpenSession, paused: boolean, { json = false }: MoveOptions): Promise<void> {
  const { session } = open;
  if (session.info.ended !== undefined) throw failed(hasEnded(session.info.ended));
  const done = session.info.paused === paused
    ? undefined
    : open.next((event) => event.kind === "ended" || event.kind === "paused" && event.paused === paused ? event : undefined);
  // Sent even without a change of state, so that a read-only client is refused.
  session.send({ kind: paused ? "pause" : "resume" });
  const event = await done;
  if (event?.kind === "ended") throw failed(hasEnded(endProblem(event.end)));
  if (json) return void await answer(open, { table: "vcpu.ls", args: {} }, true);
  const { at } = await open.asker.ask({ table: "vm.ls", args: { limit: 1 } });
  report(`el2: ${paused ? "paused" : "running"} at t=${timeText(Number(at.ns))}, ${at.insn} instructions`);
}
