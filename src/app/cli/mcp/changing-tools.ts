// Tools of `el2 mcp` that change a machine, start one, or write files. They exist only with
// --allow-change.

import { flag, hostOf, option, options, SESSION_ARGUMENT, sessionOf, type Tool, tool } from "./tool.ts";
import { ExitCode, failed, Failure } from "../common/failure.ts";
import { problemOf } from "../../../kit/support/problem.ts";

/** A command that changes something in a session, for the tool `act`. */
export interface ActCommand {
  /** `vm stop`. */
  readonly path: string;
  readonly help: string;
  readonly arguments: readonly string[];
}

const WAIT = "60s";
const RULES = {
  type: "texts",
  doc:
    "rules of faults to inject, such as 'rpc msg=MEM_LEND nth=2 -> NOMEM' or 'virq vm=ping -> lose' (resource el2://docs/fault-injection.md)",
} as const;
const RUN_HINT = 'run for less virtual time with "for"';

/** The tools; `act` offers these commands. */
export function changingTools(commands: readonly ActCommand[]): readonly Tool[] {
  return [...SESSION_TOOLS, ...TIME_TOOLS, ...RUN_TOOLS, actTool(commands)];
}

const SESSION_TOOLS: readonly Tool[] = [
  tool({
    name: "up",
    doc: "Starts a session in the background.",
    args: {
      what: { type: "text", path: "read", doc: "a configuration (FILE.toml), an arm64 image, debian, demo, or a snapshot", required: true },
      name: { type: "text", doc: "name of the session (default: made from what)" },
      inject: RULES,
      turbo: { type: "flag", doc: "skip idle time instead of sleeping" },
    },
    changes: true,
    run: ({ what, name, inject, turbo }, { el2, host }) =>
      el2(["up", ...hostOf(host), ...option("name", name), ...options("inject", inject), ...flag("turbo", turbo), "--", what]),
  }),
  tool({
    name: "down",
    doc: "Ends a session.",
    args: { session: { type: "text", doc: "name of the session", required: true } },
    changes: true,
    run: ({ session }, { el2 }) => el2(["down", "--", session]),
  }),
  tool({
    name: "type",
    doc: "Types into a guest's console, and waits for what it prints.",
    args: {
      vm: { type: "text", doc: "the VM", required: true },
      text: { type: "text", doc: "what to type; \\n is Enter, \\xNN a byte", required: true },
      expect: { type: "text", doc: "regular expression: wait until the new output matches it" },
      timeout: { type: "text", doc: "wall time to wait, such as 30s (default: 5s)" },
      ...SESSION_ARGUMENT,
    },
    changes: true,
    run: ({ vm, text, expect, timeout, session }, { el2 }) =>
      el2([
        ...["console", ...option("send", text), ...option("expect", expect), ...option("timeout", timeout), ...sessionOf(session)],
        ...["--", vm],
      ]),
  }),
  tool({
    name: "inject",
    doc: "Adds fault injection rules to a session or removes them; answers with the rules and how often each took effect.",
    args: { rules: RULES, remove: { type: "text", doc: "inject:NUMBER, or all" }, ...SESSION_ARGUMENT },
    changes: true,
    run: ({ rules = [], remove, session }, { el2 }) =>
      el2(["inject", "--json", ...option("remove", remove), ...sessionOf(session), "--", ...rules]),
  }),
  tool({
    name: "rpc_send",
    doc: "Sends a request to the Resource Manager as the host VM, and answers with its reply.",
    args: {
      message: { type: "text", doc: "name or id, such as MEM_RECLAIM", required: true },
      fields: { type: "texts", doc: "FIELD=VALUE, such as handle=0x3" },
      ...SESSION_ARGUMENT,
    },
    changes: true,
    run: ({ message, fields = [], session }, { el2 }) =>
      el2(["rpc", "send", ...sessionOf(session), "--", message, ...fields], { answers: [ExitCode.Failed] }),
  }),
  tool({
    name: "snapshot",
    doc: "Saves the whole state of a session to a file, from which up starts another session.",
    args: { file: { type: "text", path: "written", doc: "file to write", required: true }, ...SESSION_ARGUMENT },
    changes: true,
    run: ({ file, session }, { el2 }) => el2(["snapshot", "save", ...sessionOf(session), "--", file]),
  }),
];

const TIME_TOOLS: readonly Tool[] = [
  tool({
    name: "pause",
    doc: "Stops a session's machine, and its virtual time, where it is.",
    args: SESSION_ARGUMENT,
    changes: true,
    run: ({ session }, { el2 }) => el2(["pause", "--json", ...sessionOf(session)]),
  }),
  tool({
    name: "resume",
    doc: "Continues a stopped machine.",
    args: SESSION_ARGUMENT,
    changes: true,
    run: ({ session }, { el2 }) => el2(["resume", "--json", ...sessionOf(session)]),
  }),
  tool({
    name: "go",
    doc:
      "Shows the machine as it was at another time of its run: every other tool then answers for that time. Give one argument. The past is read-only; now returns to the present.",
    args: {
      back_to_event: { type: "text", doc: "filter of events: the last match before here, such as kind=rpc refused=yes" },
      on_to_event: { type: "text", doc: "filter of events: the next match after here; at the present, the machine runs until it occurs" },
      at: { type: "text", doc: "back to the last time this instruction was about to execute: VM:SYMBOL, VM:FILE:LINE or VM:ADDRESS" },
      instructions: { type: "whole", doc: "the place at which this many instructions had been retired" },
      back_by: { type: "whole", doc: "this many instructions back", least: 1 },
      on_by: { type: "whole", doc: "this many instructions forward", least: 1 },
      mark: { type: "text", doc: "the mark of this name (tool mark)" },
      now: { type: "flag", doc: "the present" },
      ...SESSION_ARGUMENT,
    },
    changes: true,
    run: ({ session, back_to_event, on_to_event, at, instructions, back_by, on_by, mark, now }, { el2 }) => {
      const places = [
        ...option("event", back_to_event).map((word) => ["back", word]),
        ...option("event", on_to_event).map((word) => ["on", word]),
        ...option("at", at).map((word) => ["back", word]),
        ...option("to", instructions).map((word) => ["back", word]),
        ...option("by", back_by).map((word) => ["back", word]),
        ...option("by", on_by).map((word) => ["on", word]),
        ...option("mark", mark).map((word) => ["back", word]),
        ...flag("now", now).map((word) => ["back", word]),
      ];
      if (places.length !== 1) throw new Failure(`go takes one place, and ${places.length} were given`, 'for example "now": true');
      return el2([...places[0], "--json", ...sessionOf(session)]);
    },
  }),
  tool({
    name: "mark",
    doc: "Names the place of a session's run that is shown, for go; recordings keep the names. Without a name: lists the marks.",
    args: { name: { type: "text", doc: "letters, digits, - _ and ." }, ...SESSION_ARGUMENT },
    changes: true,
    run: ({ name, session }, { el2 }) => el2(["mark", "--json", ...sessionOf(session), ...name === undefined ? [] : ["--", name]]),
  }),
  tool({
    name: "break",
    doc: "Stops a session's machine at an event or before an instruction, and waits for that. Stop rules do not change the run.",
    args: {
      events: { type: "texts", doc: "filters of events, such as kind=rpc refused=yes" },
      at: { type: "texts", doc: "instructions: VM:SYMBOL, VM:FILE:LINE or VM:ADDRESS" },
      wait: { type: "flag", doc: `wait up to ${WAIT} of wall time until a rule stops the machine` },
      remove: { type: "text", doc: "instead of adding rules, remove stop:NUMBER or all" },
      ...SESSION_ARGUMENT,
    },
    changes: true,
    run: ({ events = [], at, wait, remove, session }, { el2 }) =>
      el2([
        ...[
          "break",
          "--json",
          ...options("at", at),
          ...flag("wait", wait),
          ...wait ? [`--timeout=${WAIT}`] : [],
          ...option("remove", remove),
        ],
        ...[...sessionOf(session), "--", ...events],
      ]),
  }),
  tool({
    name: "step",
    doc: "Runs until a vCPU has executed some instructions, and stops the machine there.",
    args: {
      vcpu: { type: "text", doc: "vcpu:VM/INDEX", required: true },
      count: { type: "whole", doc: "instructions (default: 1)", least: 1, most: 1_000_000 },
      ...SESSION_ARGUMENT,
    },
    changes: true,
    run: ({ vcpu, count, session }, { el2 }) =>
      el2(["vcpu", "step", "--json", ...option("count", count), ...sessionOf(session), "--", vcpu]),
  }),
];

const RUN_TOOLS: readonly Tool[] = [
  tool({
    name: "run",
    doc:
      "Runs a configuration to its end or for some virtual time, without a session; answers with the consoles and the exit code. All errors of a configuration are reported before anything starts.",
    args: {
      what: { type: "text", path: "read", doc: "a configuration (FILE.toml), an arm64 image, debian or demo", required: true },
      for: { type: "text", doc: "virtual time, such as 100ms (default: 10s)" },
      until: { type: "text", doc: "filter of events: stop at the first match; exit code 4 if there is none" },
      inject: RULES,
      record: { type: "text", path: "written", doc: "file for a recording of the run" },
    },
    changes: true,
    run: ({ what, for: time = "10s", until, inject, record }, { el2, host }) =>
      el2([
        ...["run", "--headless", "--turbo", `--for=${time}`, "--timeout=240s", ...option("until", until), ...options("inject", inject)],
        ...[...hostOf(host), ...option("record", record), "--", what],
      ], { hint: RUN_HINT }),
  }),
  tool({
    name: "boot",
    doc: "Boots a kernel as the primary VM, types into its console, and answers with what the console showed.",
    args: {
      image: { type: "text", path: "read", doc: "arm64 Linux Image or ELF file, or debian", required: true },
      initrd: { type: "text", path: "read", doc: "initial ramdisk" },
      append: { type: "text", doc: "kernel command line" },
      memory: { type: "text", doc: "memory, such as 512MiB" },
      type: { type: "text", doc: "text to type into the console from the start; lines end with a newline" },
      timeout: { type: "text", doc: "wall time after which the run ends (default: 240s)" },
      record: { type: "text", path: "written", doc: "file for a recording of the run" },
    },
    changes: true,
    run: ({ image, initrd, append, memory, type = "", timeout = "240s", record }, { el2 }) =>
      el2([
        ...["boot", "--stdio", "--turbo", `--timeout=${timeout}`, ...option("initrd", initrd), ...option("append", append)],
        ...[...option("memory", memory), ...option("record", record), "--", image],
      ], { stdin: type }),
  }),
  tool({
    name: "record",
    doc: "Writes a recording of a session's run until now.",
    args: { file: { type: "text", path: "written", doc: "file to write", required: true }, ...SESSION_ARGUMENT },
    changes: true,
    run: ({ file, session }, { el2 }) => el2(["record", ...sessionOf(session), "--", file]),
  }),
  tool({
    name: "test",
    doc:
      "Runs a scenario and answers in TAP. A scenario that fails leaves a recording in the working folder (tool replay). Its format: resource el2://docs/scenarios.md.",
    args: {
      file: { type: "text", path: "written", doc: "the scenario (FILE.test.toml)", required: true },
      text: { type: "text", doc: "write this scenario to the file first" },
      junit: { type: "text", path: "written", doc: "write the results as JUnit XML to this file" },
    },
    changes: true,
    run: async ({ file, text, junit }, { el2, host }) => {
      if (text !== undefined) await written(file, text);
      return await el2(["test", ...hostOf(host), ...option("junit", junit), "--", file], { answers: [ExitCode.Failed] });
    },
  }),
  tool({
    name: "trace",
    doc: "Writes the events of a recording to a file: .pftrace (Perfetto), .json (Chrome), .pcapng (messages, for Wireshark), .ndjson.",
    args: {
      file: { type: "text", path: "written", doc: "file to write; its ending selects the format", required: true },
      recording: { type: "text", path: "read", doc: "the recording", required: true },
    },
    changes: true,
    run: ({ file, recording }, { el2, host }) => el2(["trace", "export", ...hostOf(host), `--recording=${recording}`, "--", file]),
  }),
];

/**
 * Writes a scenario.
 * @throws Failure with the system's error
 */
async function written(file: string, text: string): Promise<void> {
  if (!file.endsWith(".toml")) throw new Failure(`scenario "${file}": the name must end in .toml`);
  try {
    await Deno.writeTextFile(file, text);
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    throw failed(problemOf(error, `scenario ${file}`));
  }
}

/** Every other command that changes something. */
function actTool(commands: readonly ActCommand[]): Tool {
  const described = commands.map(({ path, arguments: args, help }) => `${[path, ...args.map((name) => `<${name}>`)].join(" ")} (${help})`);
  return tool({
    name: "act",
    doc: `Changes a session by one of these commands: ${described.join("; ")}.`,
    args: {
      command: { type: "text", doc: "the command", required: true, choices: commands.map(({ path }) => path) },
      arguments: { type: "texts", doc: "its arguments, in order" },
      ...SESSION_ARGUMENT,
    },
    changes: true,
    run: ({ command, arguments: args = [], session }, { el2 }) => el2([...command.split(" "), ...sessionOf(session), "--", ...args]),
  });
}
