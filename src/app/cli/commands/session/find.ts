// `el2 find`: where in the run something happened.

import type { Command } from "@commander-js/extra-typings";
import { answer } from "../../common/answer.ts";
import { type CommandContext, examplesText } from "../../common/command.ts";
import { ExitCode, Failure } from "../../common/failure.ts";
import { type ListOptions, withListOptions } from "../../common/list-options.ts";
import { openSession, withSessionOptions } from "../../common/session.ts";
import { checkedEventFilter, parsePlaceOfRun, parseSizeIn, parseValue, parseWhole, placeOf } from "../../common/values.ts";
import { findArguments } from "../../../../model/queries/find.ts";
import type { QueryArgument } from "../../../../model/queries/query-arguments.ts";
import { WHO } from "../../../../model/queries/tables.ts";

/** Places that are listed by default. */
const PLACES = 20;

export function registerFind(program: Command, { exit }: CommandContext): void {
  withListOptions(withSessionOptions(
    program.command("find").description(
      "list where in the run code was executed, a register or memory got a value, or events occurred; oldest first",
    ),
  ))
    .argument(
      "[target]",
      "code: VM:SYMBOL, VM:FILE:LINE, VM:ADDRESS; with --value: pa:ADDRESS, ipa:VM/ADDRESS, va:VM/ADDRESS, VM:SYMBOL or reg:VM/INDEX/NAME",
    )
    .option("--value <number>", "where the memory or the register got this value", parseValue)
    .option("--size <bytes>", "bytes of memory that have the value, the lowest first (default: 8)", parseSizeIn(1, 8))
    .option("--event <filter>", "instead of a target: events that the filter lets through, also over time (A before B)")
    .option("--at <place>", "only before that: instructions retired, a virtual time such as 12ms, or the id of a row", parsePlaceOfRun)
    .option("--limit <rows>", `at most this many of the latest places (default: ${PLACES})`, parseWhole(1, 10_000))
    .addHelpText(
      "after",
      `
el2 searches the run backward with a second machine; the session runs on meanwhile. For earlier places, give the first row's
id to --at. A system call that took longer than 20 ms may be missing if a kept state is between its beginning and its end.
${
        examplesText([
          "find ping:0x80000000",
          "find reg:ping/0/x0 --value 0",
          "find ipa:ping/0x80001000 --size 4 --value 0x1234",
          "find --event 'kind=rpc refused=yes'",
          "find --event 'kind=hvc name=msgqueue_send vm=ping' --limit 3",
        ])
      }`,
    )
    .action(async (target, options) => exit(await find(target, options)));
}

interface FindOptions extends ListOptions {
  readonly value?: bigint;
  readonly size?: number;
  readonly event?: string;
  readonly at?: QueryArgument<"before">;
  readonly limit?: number;
  readonly session?: string;
  readonly json?: boolean;
}

async function find(
  target: string | undefined,
  { event, at: before, limit = PLACES, json = false, ...options }: FindOptions,
): Promise<number> {
  const { value, size } = options;
  if ((target === undefined) === (event === undefined)) throw new Failure("find: give a target or --event");
  if (value === undefined && size !== undefined) throw new Failure("find: --size needs --value");
  if (event !== undefined && value !== undefined) throw new Failure("find: --event and --value are mutually exclusive", "give one");
  const at = target === undefined ? undefined : placeOf(target);
  const filter = event === undefined ? undefined : checkedEventFilter("--event", event);
  using open = await openSession(options);
  await answer(open, { table: WHO.name, args: findArguments({ at, filter, value, size, before, limit }) }, json, { list: options });
  return ExitCode.Done;
}
