// `el2 back`: an earlier place in the run of a session.

import type { Command } from "@commander-js/extra-typings";
import { MARKS } from "./mark.ts";
import { answer } from "../../common/answer.ts";
import type { CommandContext } from "../../common/command.ts";
import { checkAnswered, ExitCode, failed, Failure } from "../../common/failure.ts";
import { output } from "../../common/print.ts";
import { Progress } from "../../common/progress.ts";
import { type ListOptions, withListOptions } from "../../common/list-options.ts";
import { type OpenSession, openSession, withSessionOptions } from "../../common/session.ts";
import { checkedEventFilter, parseDuration, parseWhole } from "../../common/values.ts";
import type { Move } from "../../../../model/protocol/protocol.ts";
import { rowsOf } from "../../../../model/queries/query.ts";
import { PLACES } from "../../../../model/queries/tables.ts";
import { didYouMeanOneOf } from "../../../../kit/support/text/did-you-mean.ts";
import { documentText, PLACE } from "../../../../model/queries/documents.ts";
import { timeText } from "../../../../kit/support/text/number-text.ts";

const COUNT = parseWhole(1, Number.MAX_SAFE_INTEGER);

export function registerBack(program: Command, { exit }: CommandContext): void {
  withListOptions(withSessionOptions(
    program.command("back").description(
      "go back in time: show an earlier point of a session's run; pauses the machine; changes the machine",
    ),
  ))
    .option("--by <n>", "go back this many instructions (default: 1)", COUNT)
    .option("--to <n>", "go back to the point where this many instructions had been retired", parseWhole(0, Number.MAX_SAFE_INTEGER))
    .option("--event <filter>", "go back to the previous event that matches the filter; repeat for earlier ones")
    .option(
      "--at <place>",
      "go back to just before the last execution of this instruction: VM:SYMBOL, VM:FILE:LINE or VM:ADDRESS; or to the last return of syscall:NAME[:RESULT]",
    )
    .option("--mark <name>", "go back to a mark (el2 mark)")
    .option("--now", "return to the present")
    .option("--timeout <time>", MOVE_TIMEOUT, parseDuration)
    .option("--list", "only list the start of the run, its snapshots and marks, the place that is shown, and the present")
    .addHelpText(
      "after",
      `
Examples:
  el2 back                  one instruction back
  el2 back --to 120000
  el2 back --event 'kind=rpc refused=yes'
  el2 back --event 'kind=state vm=ping'
  el2 back --at debian:vfs_open && el2 vcpu stack debian/0
  el2 back --mark before-the-reset
  el2 back --now`,
    )
    .action(async (options) => exit(options.list ? await list(options) : await move(options, wantedPlace(options))));
}

/** A place to move to; only a session knows where its marks are. */
type Wanted = Move | { readonly kind: "mark"; readonly name: string };

/**
 * The place that the options name.
 * @throws Failure if they name several, or an invalid one
 */
function wantedPlace(options: { by?: number; to?: number; event?: string; at?: string; mark?: string; now?: true }): Wanted {
  const places: readonly (Wanted | undefined)[] = [
    options.by === undefined ? undefined : { kind: "step", by: -options.by },
    options.to === undefined ? undefined : { kind: "instructions", count: options.to },
    options.event === undefined ? undefined : { kind: "event", filter: checkedEventFilter("--event", options.event) },
    options.at === undefined ? undefined : { kind: "place", at: options.at },
    options.mark === undefined ? undefined : { kind: "mark", name: options.mark },
    options.now && { kind: "now" },
  ];
  const [place = { kind: "step", by: -1 }, ...others] = places.filter((one) => one !== undefined);
  if (others.length) throw new Failure("back: --by, --to, --event, --at, --mark and --now are mutually exclusive", "give one");
  return place;
}

/**
 * Instructions at a mark.
 * @throws Failure if there is none of this name
 */
async function markedPlace({ asker }: OpenSession, name: string): Promise<number> {
  const answer = await asker.ask(MARKS);
  checkAnswered(answer);
  const marks = rowsOf(PLACES, answer), mark = marks.find((one) => one.name === name);
  if (mark) return Number(mark.insn);
  const names = marks.map((one) => one.name ?? "");
  throw failed(
    `there is no mark "${name}"`,
    names.length ? didYouMeanOneOf(name, names) : "el2 mark NAME makes one",
  );
}

async function list(options: ListOptions & { session?: string; json?: boolean }): Promise<number> {
  using open = await openSession(options);
  return (await answer(open, { table: "time.ls", args: {} }, options.json ?? false, { list: options })) ? ExitCode.Done : ExitCode.Failed;
}

/** Help of `--timeout` where a way through the run may be long. */
export const MOVE_TIMEOUT = "wall time; exits with 4 after it, and the session stays paused at the place that it has reached";

/** Moves to another place in the run of a session, and prints where it is. */
export async function move(
  options: { session?: string; json?: boolean; timeout?: number },
  wanted: Wanted,
): Promise<number> {
  using open = await openSession(options);
  const to: Move = wanted.kind === "mark" ? { kind: "instructions", count: await markedPlace(open, wanted.name) } : wanted;
  // The first Ctrl-C stops on the way, and the session stays paused there.
  const cancel = () => void open.asker.move({ kind: "here" });
  using progress = new Progress("replaying", "instructions", cancel);
  let late = false;
  const timer = options.timeout === undefined ? undefined : setTimeout(() => {
    late = true;
    cancel();
  }, options.timeout / 1e6);
  const moved = await open.asker.move(to, (done, all) => progress.at(done, all)).finally(() => clearTimeout(timer));
  if ("error" in moved) throw new Failure(moved.error, undefined, late ? ExitCode.TimedOut : ExitCode.Failed);
  const { instructions, time, text } = moved;
  const place = documentText(PLACE, {
    t: time === undefined ? null : String(Math.round(time)),
    insn: String(instructions),
    reached: text ?? null,
  });
  const at = time === undefined ? "" : `t=${timeText(time)}s, `;
  output(`${options.json ? place : `now at ${at}instruction ${instructions}${text === undefined ? "" : `: ${text}`}`}\n`);
  return ExitCode.Done;
}
