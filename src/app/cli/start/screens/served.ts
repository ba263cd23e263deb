// The screens of a session in pages of browsers. A page is a client of the session like another,
// with the rights that it was given. It has nothing of this computer: it starts no programs and no
// sessions, and writes no files beside what the session writes for it.

import { ServingSocket } from "./serving-socket.ts";
import { surroundings, uiOfFile } from "../look/surroundings.ts";
import { ExitCode, Failure } from "../../common/failure.ts";
import { output, report } from "../../common/print.ts";
import { besideSocket } from "../../../../session/control/places.ts";
import { connectSession, NoSession, type RemoteSession } from "../../../../session/control/remote.ts";
import { runTui, type TuiOptions } from "../../../tui/app/run.ts";
import { ESCAPE_WAIT } from "../../../tui/terminal/read-keys.ts";
import { ServedScreen } from "../../../web/served-screen.ts";
import { ScreenServer } from "../../../web/screen-server.ts";
import { onEnd } from "../../../../kit/support/computer/launcher.ts";
import { END_CODES, END_SIGNALS } from "../../../../kit/support/computer/signals.ts";
import { hint } from "../../../../kit/support/text/hint.ts";
import { way, wayOutText } from "../../../../kit/support/text/way-out.ts";

/** How a session is served. */
export interface Serving {
  /** Pages may change the session; otherwise they look. */
  readonly control: boolean;
  /** All pages show the screen of the first one. */
  readonly follow: boolean;
  readonly hostname: string;
  /** 0: any free one. */
  readonly port: number;
}

/** The last words to pages. */
const ENDED = "The session is not served any more";

/** The reason for what a page cannot do. */
const ELSEWHERE = "not from a browser: use a terminal on that computer";

/** Serves a session until it ends, a signal comes, or somebody asks for the end; the exit code. */
export async function serveScreens(session: RemoteSession, serving: Serving): Promise<number> {
  const { info: { name }, path } = session, { promise: over, resolve: end } = Promise.withResolvers<ServingEnd>();
  const socket = await ServingSocket.open(besideSocket(path).pages, name, () => end({ code: ExitCode.Done, why: ENDED }));
  session.onGone = (reason) => end({ code: ExitCode.NoSession, why: reason ?? `session ${name} has ended` });
  const endSignals = onEnd(END_SIGNALS, (signal) => end({ code: END_CODES[signal], why: ENDED }));
  let server: ScreenServer | undefined;
  try {
    server = serverOf(session, serving);
    tell(name, serving, server);
    const { code, why } = await over;
    await server.close(why);
    if (code === ExitCode.NoSession) report(`el2: ${why}`);
    return code;
  } finally {
    endSignals();
    socket.close();
  }
}

/** Why no pages are served any more, and the exit code. */
interface ServingEnd {
  readonly code: number;
  readonly why: string;
}

function tell(name: string, { control, follow }: Serving, server: ScreenServer): void {
  const seen = follow ? "all pages show the screen of the first one" : "each page has its own screen";
  report(`el2: serves session ${name}: ${seen}; ${control ? "who has the link can change the session" : "pages only look"}`);
  if (!server.isLocal) {
    report(
      `el2: warning: ${server.address} is reached from other computers, without encryption: ` +
        "who sees the traffic has the key; without --listen, ssh -L forwards the port",
    );
  }
  output(`${server.link}\n`);
  report(`el2: Ctrl-C ends it; ${wayOutText(way`so does ${hint("serve", name, { end: true })}`)}`);
}

/** @throws Failure if nothing can listen there */
function serverOf(session: RemoteSession, { control, follow, hostname, port }: Serving): ScreenServer {
  let shared: ServedScreen | undefined;
  const open = () => {
    const screen = new ServedScreen();
    showOn(screen, session, control).catch((error) => {
      // The pages of others continue.
      report(`el2: the screens of a page have failed: ${error instanceof Error ? error.stack : error}`);
      screen.end("the screens have failed; the terminal of the server says more");
    });
    return screen;
  };
  try {
    return new ScreenServer(hostname, port, (viewer) => {
      viewer.say({ kind: "title", title: `${session.info.name} - el2` });
      if (!follow) return open().join(viewer);
      if (!shared?.isOpen) shared = open();
      shared.join(viewer);
    });
  } catch (error) {
    const where = `--listen: ${hostname}:${port}`;
    if (error instanceof Deno.errors.AddrInUse) throw new Failure(`${where} is in use`, "use another port, or none for any free one");
    if (error instanceof Deno.errors.AddrNotAvailable) throw new Failure(`${where} is not an address of this computer`);
    if (error instanceof Deno.errors.PermissionDenied) throw new Failure(`${where} is not allowed`, "use a port from 1024 on");
    throw error;
  }
}

/** Shows a session on a screen until its last page is gone, or its user leaves. */
async function showOn(screen: ServedScreen, { info, path }: RemoteSession, control: boolean): Promise<void> {
  const readOnly = !control;
  let current: RemoteSession | undefined;
  const connect = async () => current = await connectSession(path, { readOnly, follow: true });
  try {
    for (let greeting: string | undefined;; greeting = ELSEWHERE) {
      const looks = { ...surroundings({ ascii: false }, await uiOfFile(info.configuration), "pass"), ...PAGE };
      const { left } = await runTui(await connect(), screen, {
        ...looks,
        title: info.name,
        greeting,
        readOnly,
        recording: info.recording,
        reconnect: connect,
      });
      current?.close();
      if (left.kind === "quit") return screen.end("You have left the screens; the session continues");
      if (left.kind === "cut") return screen.end(ENDED);
    }
  } catch (error) {
    if (!(error instanceof NoSession)) throw error;
    screen.end(error.message);
  } finally {
    current?.close();
  }
}

/** The terminal of a page, whatever that of `el2 serve` is, and what it cannot do. */
const PAGE = {
  depth: "direct",
  links: false,
  bright: undefined,
  ask: true,
  plain: false,
  blocks: false,
  slowLink: false,
  escapeWait: ESCAPE_WAIT,
  tmux: false,
  term: "xterm-256color",
  note: undefined,
  commands: [],
  stop: () => Promise.resolve(false),
  save: () => Promise.resolve({ error: ELSEWHERE }),
} satisfies Partial<TuiOptions> & { readonly note: undefined };
