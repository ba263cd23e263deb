// tmux and GNU screen show what was drawn, after random resizes, themes and keys: text, and in tmux
// colors and attributes.

import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { nativeProgram } from "../../../scripts/native-tools.ts";
import type { Screen } from "../../../src/app/tui/terminal/cells.ts";
import { Attribute, type Color, palette, rgb } from "../../../src/app/tui/terminal/color.ts";
import { randomWalk } from "./random-walk.ts";
import { LONG } from "../../support/long.ts";
import { PATIENCE } from "../../support/patience.ts";

/** Steps of random keys. */
const STEPS = LONG ? 10_000 : 40;

/** A cell as the terminal has it. */
interface Cell {
  readonly text: string;
  readonly foreground: Color;
  readonly background: Color;
  readonly attributes: number;
}

/** A pane of tmux that shows what it is given: by itself, or through a terminal inside it. */
class Pane implements AsyncDisposable {
  #count = 0;

  private constructor(readonly tmux: readonly string[], readonly folder: string, readonly output: Deno.FsFile) {}

  /** @param inside the command that runs another one inside its own terminal */
  static async open(inside: readonly string[] = [], environment: Record<string, string> = {}): Promise<Pane> {
    const folder = await Deno.makeTempDir({ prefix: "el2-mux-" });
    const pipe = `${folder}/pipe`;
    await run("mkfifo", [pipe]);
    const tmux = [await nativeProgram("tmux"), "-u", "-S", `${folder}/socket`, "-f", "/dev/null"];
    const command = [...inside, "sh", "-c", `stty raw -echo; tty > '${folder}/tty'; exec cat '${pipe}'`];
    const size = ["-x", "100", "-y", "30"];
    const given = Object.entries({ ...environment, SCREENDIR: `${folder}/screen`, LC_ALL: "C.UTF-8" }).flatMap(([name, value]) => [
      "-e",
      `${name}=${value}`,
    ]);
    await Deno.mkdir(`${folder}/screen`, { mode: 0o700 });
    await run(tmux[0], [...tmux.slice(1), "new-session", "-d", ...size, ...given, ...command, ";", "set", "-g", "status", "off"]);
    const output = await Deno.open(pipe, { write: true });
    await output.write(new TextEncoder().encode("\x1b[?1049h\x1b[?7l"));
    return new Pane(tmux, folder, output);
  }

  /** Takes another size; programs draw for it once their terminal has it. */
  async resize(columns: number, rows: number): Promise<void> {
    await this.#ask("resize-window", "-x", String(columns), "-y", String(rows));
    const tty = (await Deno.readTextFile(`${this.folder}/tty`)).trim();
    for (const limit = performance.now() + PATIENCE; await run("stty", ["-F", tty, "size"]) !== `${rows} ${columns}\n`;) {
      assert.ok(performance.now() < limit, `${tty} has another size than ${columns}x${rows}`);
      await sleep(2);
    }
  }

  /** Writes a frame, and waits until the pane has taken it. */
  async take(frame: string): Promise<readonly (readonly Cell[])[]> {
    const title = `frame ${++this.#count}`;
    await this.write(`${frame}\x1b]2;${title}\x1b\\`);
    for (const limit = performance.now() + PATIENCE;;) {
      const answer = await this.#ask("display-message", "-p", "#{pane_title}", ";", "capture-pane", "-e", "-p", "-N");
      const end = answer.indexOf("\n"), first = answer.slice(0, end);
      if (first === title) return cellsOf(answer.slice(end + 1));
      assert.ok(performance.now() < limit, `${title} was not taken; the title is ${first}`);
      await sleep(2);
    }
  }

  /** Writes a frame, and waits until the pane shows these lines. */
  async shows(frame: string, wanted: readonly string[], name: string): Promise<void> {
    await this.write(frame);
    for (const limit = performance.now() + PATIENCE;;) {
      const lines = (await this.#ask("capture-pane", "-p")).split("\n").slice(0, wanted.length).map((line) => line.trimEnd());
      if (lines.join("\n") === wanted.join("\n")) return;
      if (performance.now() > limit) assert.deepEqual(lines, wanted, name);
      await sleep(5);
    }
  }

  async write(text: string): Promise<void> {
    const bytes = new TextEncoder().encode(text);
    for (let at = 0; at < bytes.length;) at += await this.output.write(bytes.subarray(at));
  }

  #ask(...args: string[]): Promise<string> {
    return run(this.tmux[0], [...this.tmux.slice(1), ...args]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.output.close();
    await this.#ask("kill-server").catch(() => {});
    await Deno.remove(this.folder, { recursive: true });
  }
}

async function run(program: string, args: string[]): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(program, { args, stdin: "null", env: { LC_ALL: "C.UTF-8", TMUX: "" } })
    .output();
  if (!success) throw new Error(`${program} ${args.at(-1)}: ${new TextDecoder().decode(stderr)}`);
  return new TextDecoder().decode(stdout);
}

/** The cells of lines with escape sequences: what one sets holds for the next line, too. */
function cellsOf(captured: string): Cell[][] {
  let foreground: Color = 0, background: Color = 0, attributes = 0;
  const cells: Cell[][] = [[]];
  for (const [, codes, text] of captured.matchAll(/\x1b\[([\d;]*)m|([^\x1b])/gu)) {
    if (text !== undefined) {
      if (text === "\n") cells.push([]);
      else cells.at(-1)!.push({ text, foreground, background, attributes });
      continue;
    }
    const numbers = codes.split(";").map(Number);
    for (let at = 0; at < numbers.length; at++) {
      const code = numbers[at], flag = ATTRIBUTES[code];
      if (code === 0) [foreground, background, attributes] = [0, 0, 0];
      else if (flag !== undefined) attributes |= flag;
      else if (code === 38 || code === 48) {
        const direct = numbers[at + 1] === 2;
        const [, , red, green, blue] = numbers.slice(at);
        const color = direct ? rgb(red << 16 | green << 8 | blue) : palette(numbers[at + 2]);
        if (code === 38) foreground = color;
        else background = color;
        at += direct ? 4 : 2;
      } else if (code === 39) foreground = 0;
      else if (code === 49) background = 0;
      else if (code >= 90) {
        if (code < 100) foreground = palette(code - 82);
        else background = palette(code - 92);
      } else if (code >= 40) background = palette(code - 40);
      else if (code >= 30) foreground = palette(code - 30);
    }
  }
  return cells;
}

const ATTRIBUTES: Readonly<Record<number, number>> = {
  1: Attribute.Bold,
  2: Attribute.Dim,
  3: Attribute.Italic,
  4: Attribute.Underline,
  7: Attribute.Reverse,
  9: Attribute.Strike,
};

/** Text, colors and attributes of a pane are those that were drawn. */
async function assertTakes(pane: Pane, screen: Screen, name: string): Promise<void> {
  const { map } = screen;
  const drawn = Array.from({ length: screen.height }, (_, y) => screen.cells(y));
  const shown = await pane.take(screen.frame());
  for (const [y, cells] of drawn.entries()) {
    for (const [x, { text, foreground, background, attributes }] of cells.entries()) {
      const cell = shown[y]?.[x] ?? { text: " ", foreground: 0, background: 0, attributes: 0 };
      map.map(foreground, background, attributes);
      const wanted = { text, foreground: map.foreground, background: map.background, attributes: map.attributes };
      // The ink of a blank shows nowhere.
      const seen = text === " " ? { ...cell, foreground: wanted.foreground, attributes: wanted.attributes } : cell;
      assert.deepEqual(seen, wanted, `${name}: column ${x}, row ${y}`);
    }
  }
}

for (
  const [name, depth, options] of [
    ["direct color", "direct", { ascii: false }],
    ["16 colors", "16", { ascii: false, theme: "terminal" }],
  ] as const
) {
  Deno.test(`after random resizes, themes and keys tmux shows what was drawn, in ${name}`, async () => {
    await using pane = await Pane.open();
    for await (const { rig, name, resized } of randomWalk(23, STEPS, options, depth)) {
      if (resized) await pane.resize(rig.screen.width, rig.screen.height);
      await assertTakes(pane, rig.screen, name);
    }
  });
}

Deno.test("after random resizes and keys GNU screen shows the text that was drawn", async () => {
  const rules = await Deno.makeTempFile();
  await Deno.writeTextFile(rules, "startup_message off\nvbell off\naltscreen on\ndefutf8 on\n");
  await using pane = await Pane.open([await nativeProgram("screen"), "-U", "-c", rules], { TERM: "screen-256color" });
  for await (const { rig: { screen }, name, resized } of randomWalk(29, STEPS, { ascii: false, theme: "dark" }, "256")) {
    if (resized) await pane.resize(screen.width, screen.height);
    const drawn = screen.toLines().map((line) => line.trimEnd());
    await pane.shows(screen.frame(), drawn, name);
  }
  await Deno.remove(rules);
});
