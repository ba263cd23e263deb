// A dump that one command asks: a session in this process, in a thread without rights, which ends
// with the command.

import { ExitCode, Failure } from "./failure.ts";
import { common } from "./common-options.ts";
import { offering } from "./command-tree.ts";
import { Option } from "@commander-js/extra-typings";
import type { OpenedDump, SessionEvent } from "../../../model/protocol/protocol.ts";
import { defaultName } from "../../../session/control/session-names.ts";
import type { RemoteSession } from "../../../session/control/remote.ts";
import { connectEmbedded, type SessionClient } from "../../../session/worker/client.ts";

/** Words of `open` and `--core`. */
export const DUMP_FILES = "an ELF core file, kdump's compressed form, LiME's, a region of ramoops, or raw memory as FILE@ADDRESS";

/** A dump that a command names. */
export interface NamedCore {
  /** The program's module, for the thread that opens it. */
  readonly entry: URL;
  /** As `dumpFile` takes them. */
  readonly files: readonly string[];
}

/** `--core`, of commands that only look. */
export const coreOption = (entry: URL) =>
  common(offering(
    new Option("--core <file>", `ask a dump instead of a session: ${DUMP_FILES}; again for each of several files`)
      .argParser((text, before?: NamedCore): NamedCore => ({ entry, files: [...before?.files ?? [], text] })).conflicts("session"),
    "files",
  ));

/** `FILE@ADDRESS` with the address that raw memory has. */
const PLACED = /^(.+)@(0x[0-9a-f]{1,13}|\d{1,16})$/is;

/** The file that a word of a command line names. */
export function dumpFile(text: string): OpenedDump {
  const [, path, address] = PLACED.exec(text) ?? [];
  return path === undefined ? { path: text } : { path, address: Number(address) };
}

/**
 * Has a machine's thread open a dump, and waits until it answers. Returns what it has said.
 * @throws Failure that says why it cannot be opened
 */
export async function opened(client: SessionClient, files: readonly OpenedDump[]): Promise<readonly SessionEvent[]> {
  const { promise, resolve, reject } = Promise.withResolvers<readonly SessionEvent[]>(), heard: SessionEvent[] = [];
  client.onEvent = (event) => {
    heard.push(event);
    if (event.kind === "paused") resolve(heard);
    if (event.kind === "ended") reject(new Failure(event.end.problem ?? event.end.message, undefined, event.end.code));
    if (event.kind === "failed") reject(new Failure(event.message, undefined, ExitCode.Failed));
  };
  client.send({ kind: "open", files });
  return await promise;
}

/** @throws Failure */
export async function coreSession({ entry, files }: NamedCore): Promise<RemoteSession> {
  const client = connectEmbedded(entry);
  try {
    await opened(client, files.map(dumpFile));
  } catch (error) {
    client.close();
    throw error;
  }
  const what = files.join(" ");
  const info = { name: defaultName(files[0]), what, pid: Deno.pid, started: new Date().toISOString(), clients: 1, paused: true };
  return {
    info,
    path: what,
    readOnly: false,
    caughtUp: Promise.resolve(),
    beforeInput: () => 0,
    send: (request) => client.send(request),
    get onEvent() {
      return client.onEvent;
    },
    set onEvent(listener) {
      client.onEvent = listener;
    },
    close: () => client.close(),
    down: () => client.close(),
    onGone() {},
    onRefused() {},
    onLost() {},
  };
}
