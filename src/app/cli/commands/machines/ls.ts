// `el2 ls`: the sessions.

import type { Command } from "@commander-js/extra-typings";
import { type CommandContext, examplesText } from "../../common/command.ts";
import { answer } from "../../common/answer.ts";
import { ExitCode, Failure } from "../../common/failure.ts";
import { type ListOptions, printListing, withListOptions } from "../../common/list-options.ts";
import { failingText, failingVms } from "./failing.ts";
import { output, printRows, report } from "../../common/print.ts";
import { openSession, START_ONE, withSessionOptions } from "../../common/session.ts";
import { type Owner, ownerOf, removeAbandoned, silence } from "../../../../session/control/ownership.ts";
import { lockedNames, sessionNames, socketPath } from "../../../../session/control/places.ts";
import type { SessionInfo } from "../../../../session/control/conversation.ts";
import { NoSession, sessionInfo } from "../../../../session/control/remote.ts";
import { formatId } from "../../../../model/queries/ids.ts";
import { documentText, SESSION_LIST, SESSIONS } from "../../../../model/queries/documents.ts";
import type { Json, ListRow } from "../../../../model/queries/table.ts";
import { lstatIfThere } from "../../../../kit/support/files/own-files.ts";
import { problemText } from "../../../../kit/support/problem.ts";
import { hint, hintText } from "../../../../kit/support/text/hint.ts";
import { wayOutText } from "../../../../kit/support/text/way-out.ts";

export function registerLs(program: Command, { exit }: CommandContext): void {
  withListOptions(withSessionOptions(
    program.command("ls").description("list the sessions; with a name, the memory of that session by part"),
  ))
    .argument("[session]", "a session: its name, or the path of its socket")
    .addHelpText("after", examplesText(["ls", "ls --json", "ls --columns name,state", "ls phone"]))
    .action(async (session, options) => {
      if (session === undefined) {
        await list(options);
        return exit(ExitCode.Done);
      }
      if (options.session !== undefined) throw new Failure("ls: a name and --session both name the session", "give one", ExitCode.Usage);
      using open = await openSession({ ...options, session });
      await answer(open, { table: "session.memory", args: {} }, options.json ?? false, { list: options });
      exit(ExitCode.Done);
    });
}

async function list(options: ListOptions & { readonly json?: boolean }): Promise<void> {
  await printListing(SESSION_LIST, options, async () => (await sessions()).map(fields), (rows) => {
    if (options.json) output(`${documentText(SESSIONS, { data: rows.map(({ state: _, ...row }) => row) })}\n`);
    else if (!rows.length) report(`el2: no session is running; ${wayOutText(START_ONE)}`);
    else {
      printRows(SESSION_LIST, rows, undefined, options);
      const lacking = rows.find(({ state }) => /^(?:runs|paused); /.test(String(state)));
      if (lacking) report(`el2: ${hintText(hint("diagnose", { session: String(lacking.name) }))} says what a VM lacks`);
    }
  });
}

/** A session; of one of another version only its name. */
type Listed = { readonly id: string; readonly failing?: string; readonly state?: string } & Partial<SessionInfo>;

async function sessions(): Promise<Listed[]> {
  const rows: Listed[] = [];
  for (const name of sessionNames()) {
    try {
      const path = socketPath(name), info = await sessionInfo(path);
      const failing = info.ended === undefined ? failingText(await failingVms(path)) : "";
      rows.push({ id: formatId({ kind: "session", name }), ...info, failing });
    } catch (error) {
      if (!(error instanceof NoSession)) throw error;
      const path = socketPath(name), owner = ownerOf(path);
      if (error.refused) rows.push({ ...unknown(name, error.message), state: error.message });
      else if (owner) rows.push(silentRow(name, problemText(silence(path, owner)), owner));
      else if (await wasKilled(path)) {
        report(`el2: the process of session ${name} was killed; its sockets and logs are removed`);
      }
    }
  }
  const reached = new Set(sessionNames());
  for (const name of lockedNames()) {
    const owner = reached.has(name) ? undefined : ownerOf(socketPath(name));
    if (owner === undefined) continue;
    rows.push(silentRow(name, `not reachable: its folder was removed; kill ${owner.pid} ends it in order`, owner));
  }
  return rows;
}

/** Whether the process of a session was killed, of which nothing is left then. */
async function wasKilled(path: string): Promise<boolean> {
  // One that ends in order takes its socket away before it leaves its name.
  return !ownerOf(path) && lstatIfThere(path) !== undefined && await removeAbandoned(path) === undefined;
}

/** A session of which only the name is known. */
function unknown(name: string, ended: string): Listed {
  return { id: formatId({ kind: "session", name }), name, what: "?", ended: { what: ended } };
}

/** A session that cannot be asked, whose process lives. */
function silentRow(name: string, state: string, { pid }: Owner): Listed {
  return { ...unknown(name, state), state, pid: Number(pid) };
}

/** The fields of a session, and its state in words. */
function fields(row: Listed): ListRow {
  const { paused, failing = "", state, ...rest } = row, ended = row.ended && problemText(row.ended);
  const how = ended === undefined ? `${paused ? "paused" : "runs"}${failing && `; ${failing}`}` : `ended: ${ended.split("\n", 1)[0]}`;
  const known: Record<string, Json> = { state: state ?? how };
  for (const [name, value] of Object.entries({ ...rest, ended, paused })) if (value !== undefined) known[name] = value;
  return known;
}
