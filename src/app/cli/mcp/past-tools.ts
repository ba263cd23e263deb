// Tools of `el2 mcp` about the run of a session, or of recordings: who did something and where, the
// points of the run, and the code that it executed.

import { done, pageText, type ToolAnswer } from "./answers.ts";
import type { ValuesOf } from "./arguments.ts";
import { withSession } from "./live.ts";
import { hostOf, option, SESSION_ARGUMENT, sessionOf, type Tool, tool, type ToolContext } from "./tool.ts";
import { failed, Failure } from "../common/failure.ts";
import { ArgumentError, type Kind } from "../../../model/commands/argument.ts";
import { placeOfRun, value as numberOf64Bits } from "../../../model/commands/kinds.ts";
import { within } from "../../../kit/support/problem.ts";
import { COUNTED_KINDS } from "../../../session/inspection/execution/event-counts.ts";
import { findArguments } from "../../../model/queries/find.ts";
import type { QueryArgument } from "../../../model/queries/query-arguments.ts";
import { placeOf } from "../../../model/queries/texts/who-text.ts";

/** Bytes of one answer about memory. */
const MEMORY_MAX = 4096;
/** Rows of a page, and lines of a function. */
const PAGE = 50, LINES_MAX = 10_000;

/** Which rows an answer has. */
const PAGE_ARGUMENTS = {
  after: { type: "whole", doc: "the next of an answer: the rows after those (default: 0)", least: 0 },
  limit: { type: "whole", doc: `at most this many rows (default: ${PAGE})`, least: 1, most: 1000 },
} as const;

/** Runs whose instructions are counted. */
const COUNTED_ARGUMENTS = {
  recordings: {
    type: "texts",
    path: "read",
    doc: "recordings to add up (default: the run of the session so far; pause it for pages of one run)",
  },
  vm: { type: "text", doc: "only this VM" },
  ...PAGE_ARGUMENTS,
  ...SESSION_ARGUMENT,
} as const;

/**
 * An argument's text as a command's option would be read.
 * @throws Failure that names the argument
 */
function parsed<T>(argument: string, kind: Kind<T>, text: string | undefined): T | undefined {
  try {
    return text === undefined ? undefined : kind.parse(text);
  } catch (error) {
    if (!(error instanceof ArgumentError)) throw error;
    throw new Failure(within(argument, error.problem));
  }
}

/** Tools that only look. */
export const PAST_TOOLS: readonly Tool[] = [
  tool({
    name: "who",
    doc:
      "Who wrote bytes of memory, or changed a register, interrupt, capability, queue or parcel last: instruction, function, source line, call frames, VM, value before and after. A search through the past of a session, which runs on meanwhile. Newest first; older has the at for the rows before.",
    args: {
      target: {
        type: "text",
        doc: "pa:ADDRESS, ipa:VM/ADDRESS, va:VM/ADDRESS, VM:SYMBOL, reg:VM/INDEX/NAME, irq:VM/INTID, cap:VM/SLOT, mq:N, db:N or parcel:N",
        required: true,
      },
      access: {
        type: "text",
        doc: "the accesses to memory that count (default: write); owner: changes of the page's owner and mappings",
        choices: ["write", "read", "exec", "owner"],
      },
      size: { type: "whole", doc: "bytes from there on (default: 1)", least: 1, most: MEMORY_MAX },
      at: { type: "whole", doc: "ask from the place where this many instructions had been retired" },
      limit: { type: "whole", doc: "how many accesses (default: 1)", least: 1, most: 30 },
      back: {
        type: "whole",
        doc: "instead, follow the value back to its origin, through at most this many stores, loads and moves",
        least: 1,
        most: 30,
      },
      ...SESSION_ARGUMENT,
    },
    run: async ({ target, access, size, at: count, limit = 1, back, session }) =>
      await withSession(session, async (live) => {
        const before = count === undefined ? undefined : { kind: "instructions", count } as const;
        const args = { at: target, access: access as QueryArgument<"access"> | undefined, size, before, limit, back };
        const { at, rows } = await live.ask({ table: "who", args }), [oldest] = rows;
        const older = back === undefined && oldest && oldest.kind !== "never" ? { at: placeOf(oldest.id) } : null;
        return done(JSON.stringify({ session: live.session.info.name, at, rows: back === undefined ? rows.toReversed() : rows, older }));
      }),
  }),
  tool({
    name: "find",
    doc:
      "Where in the past of a session code was executed, memory or a register got a value, or events occurred that the event log may no longer have: each with vCPU, function, source line and place of the run. A search backward, newest first; older has the at for the rows before.",
    args: {
      target: {
        type: "text",
        doc:
          "code: VM:SYMBOL, VM:FILE:LINE, VM:ADDRESS; with value: pa:ADDRESS, ipa:VM/ADDRESS, va:VM/ADDRESS, VM:SYMBOL or reg:VM/INDEX/NAME",
      },
      value: { type: "text", doc: "where the memory or register got this value: decimal, or hexadecimal after 0x" },
      size: { type: "whole", doc: "bytes of memory that have the value, the lowest first (default: 8)", least: 1, most: 8 },
      event: { type: "text", doc: "instead of a target: a filter of events, also over time (A before B)" },
      at: { type: "text", doc: "only before that: instructions retired, or the at of an answer" },
      limit: { type: "whole", doc: "how many (default: 10)", least: 1, most: 30 },
      ...SESSION_ARGUMENT,
    },
    run: async ({ target, value, size, event, at: before, limit = 10, session }) => {
      if ((target === undefined) === (event === undefined)) throw failed("find needs a target or an event, not both", "give one");
      const args = findArguments({
        at: target,
        filter: event,
        value: parsed("value", numberOf64Bits, value),
        size,
        before: parsed("at", placeOfRun, before),
        limit,
      });
      return await withSession(session, async (live) => {
        const { at, rows } = await live.ask({ table: "who", args }), [oldest] = rows;
        const older = oldest && oldest.kind !== "never" ? { at: oldest.id } : null;
        return done(JSON.stringify({ session: live.session.info.name, at, rows: rows.toReversed(), older }));
      });
    },
  }),
  tool({
    name: "history",
    doc:
      "Points of a session's run: its start, snapshots, marks, the point that is shown, and the present, each with its instructions retired. The tool go shows one of them.",
    args: { ...PAGE_ARGUMENTS, ...SESSION_ARGUMENT },
    run: async ({ after = 0, limit = PAGE, session }) =>
      await withSession(session, async (live) => {
        const { rows } = await live.ask({ table: "time.ls", args: {} });
        return done(pageText(rows, { after, limit }));
      }),
  }),
  tool({
    name: "source",
    doc:
      "The source lines of code: file and line as the compiler named them, addresses, symbol. Of a line: each piece of its code; with function: all lines of the function there.",
    args: {
      at: { type: "text", doc: "VM:SYMBOL, VM:FILE:LINE, VM:ADDRESS or VM/INDEX:pc", required: true },
      function: { type: "flag", doc: "all lines of the function" },
      ...PAGE_ARGUMENTS,
      ...SESSION_ARGUMENT,
    },
    run: async ({ at, function: isWhole, after = 0, limit = PAGE, session }) =>
      await withSession(session, async (live) => {
        const { rows } = await live.ask({ table: "code.lines", args: { at, size: isWhole ? LINES_MAX : 1 } });
        return done(pageText(rows, { after, limit }));
      }),
  }),
  tool({
    name: "profile",
    doc:
      "Where VMs executed their instructions, exactly: by function, source line, process of Linux or VM, the most first; or their exits, calls, waits, latencies. The run is repeated and counted, which takes as long as it took.",
    args: {
      by: {
        type: "text",
        doc: "what is counted together (default: function)",
        choices: ["function", "line", "process", "vm", ...COUNTED_KINDS, "latency"],
      },
      ...COUNTED_ARGUMENTS,
    },
    run: ({ by, ...runs }, context) => counted("profile", [...option("by", by), "--limit=1000000"], runs, context),
  }),
  tool({
    name: "coverage",
    doc: "Which functions, lines and branches of VMs' code have run: a row per VM and per source file. The run is repeated and counted.",
    args: COUNTED_ARGUMENTS,
    run: (runs, context) => counted("coverage", [], runs, context),
  }),
];

/** A page of the rows of a command that counts runs. */
function counted(
  command: string,
  options: readonly string[],
  { recordings = [], vm, session, after = 0, limit = PAGE }: ValuesOf<typeof COUNTED_ARGUMENTS>,
  { el2, host }: ToolContext,
): Promise<ToolAnswer> {
  return el2([command, "--json", ...options, ...option("vm", vm), ...hostOf(host), ...sessionOf(session), "--", ...recordings], {
    page: { after, limit },
  });
}
