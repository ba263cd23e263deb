// Another session, which is shown until the user returns: `:run WHAT`, and the last snapshot of a
// session that is lost.

import type { MessageKind } from "../frame/messages.ts";
import { LinesOverlay, MenuOverlay, type Overlay } from "../overlays/overlay.ts";
import type { Line } from "../../panes/pane.ts";
import { wrap } from "../../panes/row-lines.ts";

/**
 * Starts a new session from an argument of `el2 up`, and resolves to its name. Rejects with the
 * error, and nothing runs then. `allowHost`: a snapshot's machine regains its access to this
 * computer.
 */
export type Start = (what: string, allowHost: boolean) => Promise<string>;

/** Services that these actions use. */
interface SessionsServices {
  /** The session that is shown. */
  readonly title: string;
  readonly readOnly: boolean;
  /** Undefined if sessions cannot be started. */
  readonly start: Start | undefined;
  readonly width: () => number;
  readonly show: (overlay: Overlay) => void;
  readonly say: (text: string, kind?: MessageKind) => void;
  /** Something was answered: draw. */
  readonly changed: () => void;
  /** Shows another session instead of this one. */
  readonly visit: (name: string) => void;
}

/** The sessions other than the one that is shown. */
export class OtherSessions {
  /** The session being started. */
  #starting: string | undefined;

  constructor(readonly app: SessionsServices) {}

  /** Why another session is impossible. */
  get off(): string | undefined {
    if (this.app.readOnly) return "off: read-only";
    if (!this.app.start) return "off: sessions cannot be started here";
    return this.#starting && `off: ${this.#starting} is being started`;
  }

  /** Starts a session and shows it; reports errors. */
  async run(what: string, allowHost = false): Promise<void> {
    const { app } = this;
    this.#starting = what;
    app.say(`starting ${what} …`);
    try {
      app.visit(await app.start!(what, allowHost));
    } catch (error) {
      this.#refuse(`run ${what}`, error instanceof Error ? error.message : String(error));
    } finally {
      this.#starting = undefined;
      app.changed();
    }
  }

  /** Offers to continue from the last snapshot of this session, if there is one. */
  openSnapshot(file: string | undefined): void {
    const { app } = this;
    if (file === undefined) return app.say("this session has no snapshot; save one with t s while it runs");
    const { off } = this;
    if (off !== undefined) return app.say(`${file}: ${off}`, "bad");
    app.show(
      new MenuOverlay(`last snapshot: ${file}`, [
        { key: "s", label: "continue from it in another session", run: () => void this.run(file) },
        {
          key: "h",
          label: "continue with host resources: disks, folders, sockets, the network",
          run: () => void this.run(file, true),
        },
      ]),
    );
  }

  /** On the message row, or over the screen if it does not fit there. */
  #refuse(heading: string, message: string): void {
    const { app } = this;
    const lines = message.split("\n").map((line) => line.trim());
    if (lines.length === 1 && message.length < app.width()) return app.say(message, "bad");
    app.say(`${heading}: nothing was started`, "bad");
    app.show(
      new LinesOverlay(
        `${heading}: nothing was started`,
        lines.flatMap((line) => wrap(line, 2, app.width() - 1)).map((text): Line => ({ text, role: "bad" })),
      ),
    );
  }
}
