// The place of sessions: a folder of the user's, with a socket and logs for each session by its
// name.

import { checkOwner, lstatIfThere, NoTemporaryFile, NotOurs, ownUid, ROOT } from "../../kit/support/files/own-files.ts";
import { ownFolder } from "../../kit/support/files/own-folders.ts";
import { problemOf, UserError } from "../../kit/support/problem.ts";
import { way } from "../../kit/support/text/way-out.ts";

/** No session folder that belongs to the user exists, and none can be made. */
export class NoPlace extends UserError {}

/**
 * The folder, made with mode 0700 when it does not exist.
 * @throws NoPlace, also if other users made it or have rights to it
 */
export function sessionFolder(environment: (name: string) => string | undefined = (name) => Deno.env.get(name)): string {
  const runtime = environment("XDG_RUNTIME_DIR"), temporary = environment("TMPDIR") ?? "/tmp";
  let folder = runtime ? `${runtime}/el2` : `${temporary}/el2-USER`;
  try {
    // A service or cron job has no USER, and the same user's terminal has: the number is the same.
    if (!runtime) folder = `${temporary}/el2-${ownUid() ?? "user"}`;
    // Another user's el2, such as root's with that user's environment, would leave its own folder.
    if (runtime) checkRuntimeFolder(runtime);
    return ownFolder(folder);
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    if (error instanceof NoTemporaryFile) throw new NoPlace(error.problem.what, error.problem.wayOut);
    // Below a device Deno asks for all permissions before the system can say what is wrong.
    const why = error instanceof Deno.errors.NotCapable ? "no folder can be made there" : error.message.split(",")[0];
    const { what, wayOut } = error instanceof NotOurs ? error.problem : problemOf(why, `sessions need ${folder}`);
    const other = "set XDG_RUNTIME_DIR to your own folder";
    throw new NoPlace(what, wayOut === undefined ? other : way`${wayOut}, or ${other}`);
  }
}

/**
 * Checks that a runtime folder that exists is ours or root's.
 * @throws NotOurs
 */
function checkRuntimeFolder(path: string): void {
  const info = lstatIfThere(path);
  if (info && info.uid !== ROOT) checkOwner(path, info);
}

/** Bytes of `sun_path` without the zero at its end, which a socket's path may have. */
const LINUX_PATH_MAX = 107, BSD_PATH_MAX = 103;

/**
 * The socket of a session: by its name, or a path as given.
 * @throws NoPlace if the path is too long for a socket
 */
export function socketPath(session: string, os: typeof Deno.build.os = Deno.build.os): string {
  const path = session.includes("/") ? session : `${sessionFolder()}/${session}.sock`;
  const bytes = new TextEncoder().encode(path).length;
  const most = os === "linux" || os === "android" ? LINUX_PATH_MAX : BSD_PATH_MAX;
  if (bytes > most) {
    throw new NoPlace(
      `the path of the socket ${path} has ${bytes} bytes, at most ${most} are possible`,
      "set XDG_RUNTIME_DIR to a shorter folder",
    );
  }
  return path;
}

/** The files beside a session's socket. */
export interface BesideSocket {
  /** Locked by the session's process for life; holds its process id. */
  readonly lock: string;
  /** Clients authenticate with it. */
  readonly token: string;
  /** Socket of a gdb server: a session has one debugger at a time. */
  readonly gdb: string;
  /** Socket of the process that serves its screens to browsers. */
  readonly pages: string;
  /** The last words of the session's process. */
  readonly log: string;
  /** Folder of the logs of consoles. */
  readonly consoles: string;
}

export function besideSocket(socket: string): BesideSocket {
  const stem = socket.replace(/\.sock$/, "");
  return {
    lock: `${stem}.lock`,
    token: `${stem}.token`,
    gdb: `${stem}.gdb`,
    pages: `${stem}.web`,
    log: `${stem}.log`,
    consoles: `${stem}.consoles`,
  };
}

/** Names of the sessions that have a socket, whether or not a process listens on it. */
export function sessionNames(): string[] {
  return namesWith(".sock");
}

/** Names of the sessions that have a lock, whether or not a process holds it. */
export function lockedNames(): string[] {
  return namesWith(".lock");
}

function namesWith(suffix: string): string[] {
  const names = Array.from(Deno.readDirSync(sessionFolder()), ({ name }) => name);
  return names.filter((name) => name.endsWith(suffix)).map((name) => name.slice(0, -suffix.length)).sort();
}
