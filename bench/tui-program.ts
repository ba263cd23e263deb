// `deno task bench tui --ab REV`: what the screens of a tree's program cost on a terminal. The
// program is measured from outside, as its users run it: trees need not have the same modules, and
// a round is short enough for several.

import { setTimeout as sleep } from "node:timers/promises";
import { shellQuoted } from "../src/kit/support/text/shell.ts";
import type { Contest, Figures } from "./ab.ts";
import { BUSY } from "./busy-demo.ts";
import { el2, preferredTree } from "./machines.ts";
import { percentile } from "./statistics.ts";
import { threadTimes } from "./thread-times.ts";

/** Wall time before and of a measurement (ms): of a busy machine, and of one at rest. */
const BUSY_SETTLED = 4000, BUSY_MEASURED = 5000;
const REST_SETTLED = 20_000, REST_MEASURED = 60_000;
/** Keys whose frames are waited for, and the wall time (ms) between a frame and the next key. */
const KEYS = 150, BETWEEN_KEYS = 20;
/** Starts of each kind. */
const STARTS = 3;
/** A line that the first frame has, and no message before it. */
const HINTS = /\? .{0,80}help/;

/** A program and its options, with the rights of its users: what it lacks it would ask for. */
function program(...words: string[]): string[] {
  const command = el2("run", ...words);
  return command.toSpliced(command.indexOf("run") + 1, 0, "--no-prompt", "--allow-net", "--allow-run", "--allow-sys");
}

/** A program on its own terminal, which is a pty of util-linux's script. */
class OnTerminal implements AsyncDisposable {
  readonly began = performance.now();
  readonly #child: Deno.ChildProcess;
  readonly #keys: WritableStreamDefaultWriter<Uint8Array<ArrayBuffer>>;
  readonly #over: Promise<void>;
  /** The shell of `script` prints it, and becomes the program. */
  readonly #pid = Promise.withResolvers<number>();
  #waits: { readonly pattern: RegExp; readonly found: () => void } | undefined;
  #text = "";
  bytes = 0;

  constructor(command: readonly string[], columns: number, rows: number, folder: string) {
    const line = `stty rows ${rows} cols ${columns}; echo pid=$$; exec ${command.map(shellQuoted).join(" ")}`;
    const folders = { XDG_RUNTIME_DIR: folder, XDG_STATE_HOME: folder, XDG_CONFIG_HOME: folder };
    const env = { TERM: "xterm-256color", COLORTERM: "truecolor", SHELL: "/bin/sh", ...folders };
    const options = { env, stdin: "piped", stdout: "piped", stderr: "null" } as const;
    this.#child = new Deno.Command("script", { args: ["-qec", line, "/dev/null"], ...options }).spawn();
    this.#keys = this.#child.stdin.getWriter();
    this.#over = this.#read();
  }

  async #read(): Promise<void> {
    const decoder = new TextDecoder();
    for await (const bytes of this.#child.stdout) {
      this.bytes += bytes.length;
      this.#text = (this.#text + decoder.decode(bytes, { stream: true })).slice(-100_000);
      const pid = /pid=(\d+)/.exec(this.#text);
      if (pid) this.#pid.resolve(Number(pid[1]));
      if (this.#waits?.pattern.test(this.#text)) this.#waits.found();
    }
    this.#pid.reject(new Error(`the program ended; it wrote ${JSON.stringify(this.#text.slice(-2000))}`));
  }

  /**
   * Types keys, and waits until what is written from then on matches.
   * @throws Error with the end of the output where the program ends before
   */
  async until(pattern: RegExp, keys = ""): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    if (keys) this.#text = "";
    this.#waits = { pattern, found: resolve };
    if (keys) await this.type(keys);
    else if (pattern.test(this.#text)) resolve();
    const ended = this.#over.then(() => {
      throw new Error(`no ${pattern} on the terminal: ${JSON.stringify(this.#text.slice(-2000))}`);
    });
    await Promise.race([promise, ended]);
  }

  async type(keys: string): Promise<void> {
    await this.#keys.write(new TextEncoder().encode(keys));
  }

  /** The CPU time of the program so far, ms. */
  async used(): Promise<number> {
    return usedBy(await this.#pid.promise);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    Deno.kill(await this.#pid.promise, "SIGKILL");
    await this.#over;
    await this.#keys.abort().catch(() => {});
    await this.#child.status;
  }
}

const usedBy = (pid: number) => threadTimes(pid).reduce((sum, { milliseconds }) => sum + milliseconds, 0);

/** The share of a core that is used in a time (ms). */
async function shareOf(used: () => number | Promise<number>, milliseconds: number): Promise<number> {
  const before = await used(), began = performance.now();
  await sleep(milliseconds);
  return (await used() - before) / (performance.now() - began);
}

/** For `--ab`. */
export const tuiContest: Contest = async (folder) => {
  const busy = `${folder}/busy.toml`, runtime = `${folder}/runtime`;
  await Deno.writeTextFile(busy, BUSY);
  await Deno.mkdir(runtime, { mode: 0o700 });
  return async () => {
    const demo = program(`${preferredTree()}/assets/demo.toml`), guests = `${preferredTree()}/assets/guests`;
    const figures = new Map<string, number>();
    const note = (name: string, values: readonly number[]) => figures.set(name, percentile(values, 0.5));
    const firsts: number[] = [], answers: number[] = [];
    // The first start of each kind leaves compiled code for the others.
    for (let start = 0; start <= STARTS; start++) {
      firsts.push(await firstFrame(demo, runtime));
      answers.push(await firstAnswer(demo, runtime));
    }
    note("first_frame_seconds", firsts.slice(1));
    note("start_to_answer_seconds", answers.slice(1));
    await Deno.copyFile(`${guests}/ping.bin`, `${folder}/ping.bin`);
    await Deno.copyFile(`${guests}/pong.bin`, `${folder}/pong.bin`);
    for (const [name, value] of [...await busyFigures(program(busy), runtime), ...await restFigures(demo, runtime)]) {
      figures.set(name, value);
    }
    for (const [name, value] of await keyFigures(demo, runtime)) figures.set(name, value);
    return figures;
  };
};

/** Seconds from the start of the program until its first frame. */
async function firstFrame(demo: readonly string[], folder: string): Promise<number> {
  await using terminal = new OnTerminal(demo, 80, 24, folder);
  await terminal.until(HINTS);
  return (performance.now() - terminal.began) / 1000;
}

/** Seconds from the start of the program until a guest answers what is typed. */
async function firstAnswer(demo: readonly string[], folder: string): Promise<number> {
  await using terminal = new OnTerminal([...demo, "--stdio", "--console", "hello"], 80, 24, folder);
  await terminal.until(/hello from EL1/);
  await terminal.until(/you typed 'x'/, "x");
  return (performance.now() - terminal.began) / 1000;
}

/** The machine of `busy-demo.ts` without screens, and with them: CPU, and what a terminal gets. */
async function busyFigures(command: readonly string[], folder: string): Promise<Figures> {
  const [file, ...args] = [...command, "--headless"];
  const child = new Deno.Command(file, { args, env: { XDG_RUNTIME_DIR: folder }, stdin: "null", stdout: "null", stderr: "null" }).spawn();
  await sleep(BUSY_SETTLED);
  // `env` becomes the program.
  const headless = await shareOf(() => usedBy(child.pid), BUSY_MEASURED);
  child.kill("SIGKILL");
  await child.status;
  await using terminal = new OnTerminal(command, 120, 36, folder);
  await terminal.until(HINTS);
  await sleep(BUSY_SETTLED);
  const { bytes } = terminal, shown = await shareOf(() => terminal.used(), BUSY_MEASURED);
  return new Map([
    ["cpu_headless", headless],
    ["cpu_with_screens", shown],
    ["bytes_per_second_120x36", (terminal.bytes - bytes) / (BUSY_MEASURED / 1000)],
  ]);
}

/** The demo at rest, on two terminals at once: their CPU time is their own. */
async function restFigures(demo: readonly string[], folder: string): Promise<Figures> {
  const shareWith = async (key: string): Promise<number> => {
    await using terminal = new OnTerminal(demo, 120, 40, folder);
    await terminal.until(HINTS);
    await terminal.type(key);
    await sleep(REST_SETTLED);
    return await shareOf(() => terminal.used(), REST_MEASURED);
  };
  const [scheduler, events] = await Promise.all(["8", "9"].map(shareWith));
  return new Map([["idle_cpu_scheduler", scheduler], ["idle_cpu_events", events]]);
}

/** Milliseconds from a key to what it writes, as the selection of a list of events moves. */
async function keyFigures(demo: readonly string[], folder: string): Promise<Figures> {
  await using terminal = new OnTerminal(demo, 160, 48, folder);
  await terminal.until(HINTS);
  await terminal.until(/./, "9");
  await sleep(BUSY_SETTLED);
  const times: number[] = [];
  for (let key = 0; key < KEYS; key++) {
    const began = performance.now();
    await terminal.until(/./, key % 2 ? "j" : "k");
    times.push(performance.now() - began);
    await sleep(BETWEEN_KEYS);
  }
  return new Map([["key_to_frame_p50_ms", percentile(times, 0.5)], ["key_to_frame_p99_ms", percentile(times, 0.99)]]);
}
