// The time of a session's machine: pausing it, showing another place of its run, stopping it there.

import { flag, maybe, option, options, words } from "./argument.ts";
import { command, move, type Step } from "./command.ts";
import { anyCount, author, duration, eventFilter, markName, markNote, placeOfRun, PLACES_OF_RUN, text } from "./kinds.ts";
import { rowIn } from "../queries/rows.ts";
import type { StopChange } from "../queries/stop-rule.ts";
import type { Selected } from "../queries/table.ts";
import { EVENTS, REASONS, RPCS, SLICES } from "../queries/tables.ts";
import { hintFor } from "./words.ts";

/** Help of `--timeout` where a way through the run may be long. */
const MOVE_TIMEOUT = "wall time; exits with 4 after it, and the session stays paused at the place that it has reached";

export const PAUSE = command("pause", {
  doc: "pause a session's machine and its virtual time",
  args: {},
  right: "changes",
  examples: ["pause && el2 vcpu ls && el2 resume"],
  steps: () => [{ kind: "pause" }],
});

export const RESUME = command("resume", {
  doc: "continue a paused session from the present",
  args: {},
  right: "changes",
  examples: ["resume"],
  steps: () => [{ kind: "resume" }],
});

/**
 * The event of a row, by what is the same whenever the run is gone through again: numbers of events
 * are not.
 */
function eventOf(selected: Selected): string {
  const event = rowIn(EVENTS, selected), request = rowIn(RPCS, selected);
  const reason = rowIn(REASONS, selected), slice = rowIn(SLICES, selected);
  if (event) return `kind=${event.kind} name=${event.name} t=${event.t}ns`;
  if (request) return `kind=rpc name=${request.msg} t=${request.t}ns`;
  if (reason) return `refused=yes t=${reason.t}ns`;
  if (slice) return `kind=sched t=${slice.t}ns`;
  throw new Error(`a row of ${selected.table.name} is not an event`);
}

export const BACK = command("back", {
  doc: "go back in time: show an earlier point of a session's run; pauses the machine",
  args: {
    by: option(anyCount(1), "go back this many instructions (default: 1)", { value: "n" }),
    to: option(placeOfRun, `go back to a place of the run: ${PLACES_OF_RUN}`, { value: "place" }),
    event: option(eventFilter, "go back to the previous event that matches the filter; repeat for earlier ones", { value: "filter" }),
    at: option(
      text,
      "go back to just before the last execution of this instruction: VM:SYMBOL, VM:FILE:LINE or VM:ADDRESS; or to the last return of syscall:NAME[:RESULT]",
      { value: "place" },
    ),
    mark: option(markName, "go back to a mark (el2 mark)", { value: "name" }),
    now: flag("return to the present"),
    timeout: option(duration, MOVE_TIMEOUT, { value: "time", lineOnly: true }),
    list: flag("only list the start of the run, its snapshots and marks, the place that is shown, and the present"),
  },
  right: "changes",
  excludes: [["by", "to", "event", "at", "mark", "now", "list"]],
  examples: [
    "back                  one instruction back",
    "back --to 120000",
    "back --to 12ms",
    "back --event 'kind=rpc refused=yes'",
    "back --event 'kind=state vm=ping'",
    "back --at debian:vfs_open && el2 vcpu stack debian/0",
    "back --mark before-the-reset",
    "back --now",
  ],
  lists: true,
  steps: ({ by = 1, to, event, at, mark, now, list }): readonly Step[] => {
    if (list) return [];
    if (to !== undefined) return move(to);
    if (event !== undefined) return move({ kind: "event", filter: event });
    if (at !== undefined) return move({ kind: "place", at });
    if (mark !== undefined) return move({ kind: "mark", name: mark });
    return move(now ? { kind: "now" } : { kind: "step", by: -by });
  },
  ask: ({ list }) => list ? { table: "time.ls", args: {} } : undefined,
  prints: { "time.ls": { list: true } },
  menus: [{
    name: "time.event",
    on: ["ev", "rpc", "why"],
    key: "t",
    label: "go back to that time",
    fromNow: true,
    of: (_, selected) => ({ event: eventOf(selected) }),
    disabled: (_, { readOnly }) => readOnly ? "off: read-only" : undefined,
  }],
});

export const ON = command("on", {
  doc: "step forward from a pause or from an earlier point",
  args: {
    by: option(anyCount(1), "go forward this many instructions (default: 1)", { value: "n" }),
    event: option(eventFilter, "go forward to the next matching event; at the present, run until it occurs", { value: "filter" }),
    timeout: option(duration, MOVE_TIMEOUT, { value: "time", lineOnly: true }),
  },
  right: "changes",
  excludes: [["by", "event"]],
  examples: ["on --by 1000", "on --event kind=rpc --timeout 10s"],
  steps: ({ by = 1, event }) => move(event === undefined ? { kind: "step", by } : { kind: "next-event", filter: event }),
});

export const MARK = command("mark", {
  doc: "mark the point of a session's run that is shown; recordings keep marks; without a name: list them",
  args: {
    name: maybe(markNote, "a word, or a text from which its name follows, {EXPRESSION} as its value; moves a mark of that name"),
    by: option(author, "who marks it", { value: "name" }),
  },
  right: "notes",
  needs: [["by", "name"]],
  examples: [
    "mark before-the-reset",
    'mark "here it is lost" --by ann',
    "mark 'ticks: {ping:*ticks}'",
    "mark",
    "back --mark here-it-is-lost",
  ],
  lists: true,
  steps: ({ name: note, by }) => note === undefined ? [] : [{ kind: "mark", ...note, ...by !== undefined && { by } }],
  ask: ({ name }) => name === undefined ? { table: "time.ls", args: { filter: "kind=mark" } } : undefined,
  printed: () => ({ none: "no marks" }),
  done: () => "marked",
  next: ({ name }) => ({ hint: hintFor(BACK, { mark: name?.name }), does: "goes there" }),
});

export const BREAK = command("break", {
  doc: "stop a session's machine at the next event that matches a filter, or before an instruction",
  args: {
    rule: words(eventFilter, "event filters, one per argument; without any, list the active rules"),
    at: options(
      text,
      "stop before this instruction, VM:SYMBOL, VM:MODULE:SYMBOL or VM:ADDRESS, or as a system call of Linux returns, syscall:NAME[:RESULT]; repeatable",
      { value: "place" },
    ),
    if: option(text, "with --at: only where this is other than 0, such as $x0 > 4096 (el2 print)", { value: "expr" }),
    list: flag("list the active rules, and where they stopped the machine"),
    remove: option(text, "remove a rule: stop:NUMBER, or all", { value: "id" }),
    wait: flag("wait until a rule stops the machine, and print the rule and the place", { lineOnly: true }),
    timeout: option(duration, "wall time for --wait; exits with 4 after it", { value: "time", lineOnly: true }),
  },
  right: "changes",
  excludes: [["remove", "rule"], ["remove", "at"]],
  needs: [["if", "at"]],
  notes:
    "el2 resume continues the machine. el2 symbols lists the symbols. Only one VM at a time can have breakpoints or a gdb. VM:MODULE:SYMBOL waits for a module of Linux that is not loaded, and follows it.",
  examples: [
    "break 'kind=rpc refused=yes' --wait         stop at the next request that the Resource Manager refuses",
    "break 'kind=hvc name=addrspace_map vm=rm'",
    "break --at debian:vfs_open --wait --timeout 60s && el2 vcpu stack debian/0",
    "break --at debian:vfs_open --if '$x1 && init_task.pid == 0'",
    "break --at syscall:openat:ENOENT --wait     stop as a program of Linux does not find a file",
    "break --remove all && el2 resume",
  ],
  lists: true,
  steps: ({ rule, at = [], if: holds, remove }) => {
    const changes: StopChange[] = [
      ...rule.map((filter): StopChange => ({ kind: "event", filter })),
      ...at.map((one): StopChange => ({ kind: "place", at: one, ...holds !== undefined && { holds } })),
    ];
    if (remove !== undefined) changes.push({ kind: "remove", rule: remove });
    return changes.map((change) => ({ kind: "stop-rule", change }));
  },
  ask: () => ({ table: "stop.ls", args: {} }),
  prints: { "stop.ls": { list: true } },
});

export const TIME_COMMANDS = [PAUSE, RESUME, BACK, ON, MARK, BREAK];
