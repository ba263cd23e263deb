// `el2 who`: who wrote this, and when.

import { Argument, type Command } from "@commander-js/extra-typings";
import { answer } from "../../common/answer.ts";
import { type CommandContext, examplesText } from "../../common/command.ts";
import { ExitCode, Failure } from "../../common/failure.ts";
import { type ListOptions, withListOptions } from "../../common/list-options.ts";
import { openSession, withSessionOptions } from "../../common/session.ts";
import { parsePlaceOfRun, parseSizeIn, parseWhole, placeOf } from "../../common/values.ts";
import type { QueryArgument } from "../../../../model/queries/query-arguments.ts";
import { WHO } from "../../../../model/queries/tables.ts";
import { whoText } from "../../../../model/queries/texts/who-text.ts";

/** Accesses that `--all` prints by default. */
const HISTORY = 100;

export function registerWho(program: Command, { exit }: CommandContext): void {
  withListOptions(withSessionOptions(
    program.command("who").description(
      "find who wrote this last: the instruction, device or program that wrote bytes of memory, or changed a register, interrupt, capability, queue or parcel",
    ),
  ))
    .argument(
      "<target>",
      "pa:ADDRESS, ipa:VM/ADDRESS, va:VM/ADDRESS, VM:SYMBOL, reg:VM/INDEX/NAME, irq:VM/INTID, cap:VM/SLOT, mq:N, db:N or parcel:N",
    )
    .addArgument(
      new Argument("[access]", "the accesses to memory that count; owner: changes of the page's owner and mappings")
        .choices(["write", "read", "exec", "owner"] as const).default("write" as const),
    )
    .option("--size <bytes>", "bytes of memory from there on (default: 1)", parseSizeIn(1, 4096))
    .option("--at <place>", "ask from an earlier place of the run: instructions retired, or a virtual time such as 12ms", parsePlaceOfRun)
    .option("--all", "list the history, oldest first, instead of the last access")
    .option("--back <n>", "follow the value back to its origin, through at most this many stores, loads and moves", parseWhole(1, 100))
    .option("--limit <rows>", `with --all, at most this many of the latest accesses (default: ${HISTORY})`, parseWhole(1, 10_000))
    .addHelpText(
      "after",
      `
el2 searches with a second machine, which repeats the run from the nearest kept state; the session runs on meanwhile. A write
counts even if the bytes stay the same; of everything else, only changes count. Reads by devices are not recorded.
${
        examplesText([
          "who ipa:ping/0x80001000 --size 8",
          "who pa:0x41801000 --all --limit 20",
          "who debian:jiffies --size 8",
          "who ipa:ping/0x80000000 exec",
          "who reg:ping/0/x0 --at 120000",
          "who ipa:ping/0x80001000 --size 8 --back 5",
          "who irq:ping/27 --all",
          "who pa:0x41801000 owner",
        ])
      }`,
    )
    .action(async (target, access, options) => exit(await who(target, access, options)));
}

interface WhoOptions extends ListOptions {
  readonly size?: number;
  readonly at?: QueryArgument<"before">;
  readonly all?: true;
  readonly back?: number;
  readonly limit?: number;
  readonly session?: string;
  readonly json?: boolean;
}

async function who(
  target: string,
  access: QueryArgument<"access">,
  { size, at: before, all, back, limit, json = false, ...options }: WhoOptions,
): Promise<number> {
  if (all && back !== undefined) throw new Failure("who: --all and --back are mutually exclusive", "give one");
  using open = await openSession(options);
  const at = placeOf(target);
  const args = { at, access, size, before, back, limit: all ? limit ?? HISTORY : 1 };
  await answer(open, { table: WHO.name, args }, json, { ...all ? {} : { text: whoText }, list: options });
  return ExitCode.Done;
}
