// `el2 ls`: the sessions.

import type { Command } from "@commander-js/extra-typings";
import { type CommandContext, examplesText } from "../common/command.ts";
import { answer } from "../common/answer.ts";
import { ExitCode, Failure } from "../common/failure.ts";
import { watching, watchOption } from "../common/list-options.ts";
import { output, report } from "../common/print.ts";
import { openSession, withSessionOptions } from "../common/session.ts";
import { sessionNames, socketPath } from "../../control/places.ts";
import type { SessionInfo } from "../../control/conversation.ts";
import { NoSession, sessionInfo } from "../../control/remote.ts";
import { documentText, SESSIONS } from "../../queries/documents.ts";
import type { Json } from "../../queries/table.ts";

/** Adds the command. */
export function registerLs(program: Command, { exit }: CommandContext): void {
  withSessionOptions(program.command("ls").description("list the sessions; with a name, the memory of that session by part"))
    .argument("[session]", "a session: its name, or the path of its socket")
    .addOption(watchOption())
    .addHelpText("after", examplesText(["ls", "ls --json", "ls phone"]))
    .action(async (session, options) => {
      const json = options.json ?? false;
      if (session === undefined) return exit(await watching(options, json, () => list(json)));
      if (options.socket !== undefined) throw new Failure("ls: a name and --socket both name the session; give one", ExitCode.Usage);
      using open = await openSession({ ...options, socket: session });
      await answer(open, { table: "session.memory", args: {} }, json, { list: options });
      exit(ExitCode.Done);
    });
}

async function list(json: boolean): Promise<number> {
  const rows: ({ readonly id: string } & Partial<SessionInfo>)[] = [];
  for (const name of sessionNames()) {
    try {
      rows.push({ id: `session:${name}`, ...await sessionInfo(socketPath(name)) });
    } catch (error) {
      if (!(error instanceof NoSession)) throw error;
      if (error.otherVersion) rows.push({ id: `session:${name}`, name, what: "?", ended: error.message });
    }
  }
  if (json) output(`${documentText(SESSIONS, { data: rows.map(fields) })}\n`);
  else if (!rows.length) report("el2: no session is running; start one with el2 up demo");
  else {
    for (const { name, what, clients, ended, paused, started, logs } of rows) {
      const state = ended ? `ended: ${ended}` : paused ? "paused" : "runs";
      output(`${name}  ${what}  ${state}  clients ${clients}  since ${started}${logs === undefined ? "" : `  consoles in ${logs}`}\n`);
    }
  }
  return ExitCode.Done;
}

/** The fields of a session. */
function fields(row: { readonly id: string } & Partial<SessionInfo>): Json {
  const known: Record<string, Json> = {};
  for (const [name, value] of Object.entries(row)) if (value !== undefined) known[name] = value;
  return known;
}
