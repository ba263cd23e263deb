// A real terminal for tests: tmux with its own server, keys in and screens out.

import { nativeProgram } from "../../scripts/native-tools.ts";
import { PATIENCE } from "../support/patience.ts";

/**
 * Wall time (ms) between two looks at a screen, at first and after a while: each is a process of
 * tmux's, and would take CPU from the program that is waited for.
 */
const SOON = 50, LATER = 500;

/** The modes of a terminal whose program has given it back. */
export const SANE = { cursor: true, alternate: false, mouse: false };

/** A line of a shell that prints the modes of its terminal, and what it prints of a sane one. */
export const PRINT_MODES = "stty -a | tr ' ;' '\\n' | grep -E '^-?(icanon|echo|isig)$'", SANE_MODES = "isig\nicanon\necho\n";

/** One tmux window that runs a command. */
export class TmuxTerminal implements AsyncDisposable {
  private constructor(readonly tmux: string, readonly socket: string) {}

  /** Starts `command` (for a shell) in a window of `columns` by `rows`. */
  static async start(command: string, columns: number, rows: number): Promise<TmuxTerminal> {
    const terminal = new TmuxTerminal(await nativeProgram("tmux"), `el2-test-${crypto.randomUUID()}`);
    await terminal.#run(["-f", "/dev/null", "new-session", "-d", "-x", `${columns}`, "-y", `${rows}`, command]);
    return terminal;
  }

  /** Types keys by tmux's names (`Enter`, `C-c`), or characters. */
  async keys(...keys: string[]): Promise<void> {
    await this.#run(["send-keys", ...keys]);
  }

  /** Presses and releases the mouse's left button at a cell, counted from 0. */
  async click(x: number, y: number): Promise<void> {
    await this.keys("-l", `\x1b[<0;${x + 1};${y + 1}M\x1b[<0;${x + 1};${y + 1}m`);
  }

  /** Presses the mouse's left button at a cell, moves to another, and releases it there. */
  async drag([fromX, fromY]: readonly [x: number, y: number], [toX, toY]: readonly [x: number, y: number]): Promise<void> {
    await this.keys("-l", `\x1b[<0;${fromX + 1};${fromY + 1}M\x1b[<32;${toX + 1};${toY + 1}M\x1b[<0;${toX + 1};${toY + 1}m`);
  }

  /** Turns the mouse's wheel at a cell, counted from 0. */
  async wheel(x: number, y: number, direction: "up" | "down"): Promise<void> {
    await this.keys("-l", `\x1b[<${direction === "up" ? 64 : 65};${x + 1};${y + 1}M`);
  }

  /**
   * The cell, counted from 0, at which a match begins: the first one in the topmost line with any.
   * Two looks in a row have to agree: one may be at a frame of which tmux has read a part.
   * @throws Error if the screen has none within `PATIENCE`
   */
  async place(pattern: RegExp): Promise<readonly [x: number, y: number]> {
    for (let before = "";;) {
      const lines = (await this.until(pattern)).split("\n"), y = lines.findIndex((line) => pattern.test(line));
      if (y < 0) throw new Error(`${pattern} is in no line:\n${lines.join("\n")}`);
      const place = [lines[y].search(pattern), y] as const;
      if (`${place}` === before) return place;
      before = `${place}`;
    }
  }

  /** Sets an option of tmux for all of its windows. */
  async set(option: string, value: string): Promise<void> {
    await this.#run(["set-option", "-g", option, value]);
  }

  /** The text that a program has copied to tmux; undefined if none has. */
  async copied(): Promise<string | undefined> {
    return await this.#run(["list-buffers"]) === "" ? undefined : await this.#run(["show-buffer"]);
  }

  async resize(columns: number, rows: number): Promise<void> {
    await this.#run(["resize-window", "-x", `${columns}`, "-y", `${rows}`]);
  }

  /** The screen, a string a row. */
  async screen(): Promise<string[]> {
    return (await this.#run(["capture-pane", "-p"])).split("\n");
  }

  /**
   * Waits until the screen matches and returns it.
   * @throws Error with the last screen when it does not within `PATIENCE`
   */
  async until(pattern: RegExp): Promise<string> {
    const end = performance.now() + PATIENCE;
    let shown = "";
    for (let pause = SOON; performance.now() < end; pause = Math.min(1.5 * pause, LATER)) {
      shown = (await this.screen()).join("\n");
      if (pattern.test(shown)) return shown;
      await new Promise((resolve) => setTimeout(resolve, pause));
    }
    throw new Error(`no ${pattern} on the screen in ${PATIENCE / 1000} s:\n${shown}`);
  }

  /** Has all bytes that the program writes from now on appended to a file. */
  async copyTo(file: string): Promise<void> {
    await this.#run(["pipe-pane", "-O", `cat >> '${file}'`]);
  }

  /** Whether the cursor is shown, the alternate screen is in use, and the mouse is reported. */
  async modes(): Promise<{ cursor: boolean; alternate: boolean; mouse: boolean }> {
    const flags = await this.#run(["display-message", "-p", "#{cursor_flag} #{alternate_on} #{mouse_any_flag}"]);
    const [cursor, alternate, mouse] = flags.trim().split(" ").map((flag) => flag === "1");
    return { cursor, alternate, mouse };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#run(["kill-server"]);
  }

  async #run(args: string[]): Promise<string> {
    const { code, stdout, stderr } = await new Deno.Command(this.tmux, { args: ["-L", this.socket, ...args] }).output();
    if (code !== 0) throw new Error(`tmux ${args[0]}: ${new TextDecoder().decode(stderr)}`);
    return new TextDecoder().decode(stdout);
  }
}
