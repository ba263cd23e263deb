// A random walk over command lines, against sessions that live, end and begin again: no command
// throws or hangs, each ends with a code that the documents name, and no file appears that nobody
// asked for.

import assert from "node:assert/strict";
import { assemble } from "../../../src/session/assembly/assemble.ts";
import { writeDevicetree } from "../../../src/machine/devicetree/writer.ts";
import { guestDevicetree } from "../../../src/machine/host/boards/el2/devicetree.ts";
import { boardOf } from "../../../src/machine/host/boards.ts";
import { writeSnapshot } from "../../../src/session/snapshots/file.ts";
import { snapshotOf } from "../../../src/session/snapshots/save.ts";
import { PARTIAL } from "../../../src/kit/support/files/whole-file.ts";
import { vmPlan } from "../../machine/host/plans.ts";
import { bootPlan, runTo } from "../../session/snapshots/systems.ts";
import { denoFolder, el2Command } from "../../support/el2.ts";
import { linesOf } from "../../support/lines.ts";
import { Random } from "../../support/random.ts";
import { CommandLines, mayStay, unneededNames } from "./command-lines.ts";
import type { Written } from "./many-commands.ts";
import { Place } from "./place.ts";
import { A64, el2Process, imageOf } from "./program.ts";
import { LONG, longTest } from "../../support/long.ts";

/** Another walk than CI's: `EL2_WALK_SEED`, and how many lines of it, `EL2_WALK_STEPS`. */
const SEED = Number(Deno.env.get("EL2_WALK_SEED") ?? 20);
const LINES = Number(Deno.env.get("EL2_WALK_STEPS") ?? (LONG ? 100_000 : 60));
/** One of this many lines may start a machine, which takes longer than all the others. */
const STARTING = LONG ? 200 : 100;
/** As processes, which are ended by a signal where they stay. */
const PROCESSES = 1_000;
const AT_A_TIME = 4;
/** How long a process may stay before the signal, and may take at all (ms of wall time). */
const STAYS = 3_000, AT_MOST = 60_000;
/**
 * Lines after which the sessions begin again, and after which what stops or breaks them is taken
 * back.
 */
const LIFE = 5_000, TIDY = 100;

/**
 * Exit codes (docs/design/workstation.md §2): done, failed, usage, no session, timed out, read-
 * only, interrupted.
 */
const CODES: ReadonlySet<number> = new Set([0, 1, 2, 3, 4, 5, 129, 130, 131, 143]);
/** Traces of an exception. */
const STACK = /^\s+at .*\.ts:\d+:\d+|Uncaught|an exception in el2 itself|bug of el2/m;

Deno.test("lists of commands, options and arguments for random command lines name none that is gone", () => {
  assert.deepEqual(unneededNames(), []);
});

/** A VM whose devicetree has no defect. */
const VM = vmPlan("a");

/**
 * Lines that read the scene's files, and succeed only if each is what its name promises. Their time
 * is that of the process.
 */
const READING: readonly (readonly string[])[] = [
  ["vm", "lint", "good.dtb"],
  ["replay", "good.rec", "--timeout", "300s"],
  ["snapshot", "load", "good.snap", "--headless", "--for", "1ms", "--timeout", "300s"],
  ["run", "hello.bin", "--headless", "--for", "1ms", "--timeout", "300s"],
  ["test", "good.test.toml", "--timeout", "300s"],
  ["test", "merge", "parts"],
];

/** Sessions, files to read, and folders in which nothing may appear. */
class Scene implements AsyncDisposable {
  readonly place = new Place();
  readonly folder = `${this.place.folder}/here`;
  readonly env: Readonly<Record<string, string>>;
  /** Files that lines may name: each word, its part after the last =, and that before a mark. */
  readonly #asked = new Set<string>();
  #there: ReadonlySet<string> = new Set();

  private constructor() {
    for (const name of ["here", "here/out", "home", "tmp", "state", "cache"]) Deno.mkdirSync(`${this.place.folder}/${name}`);
    const at = (name: string) => `${this.place.folder}/${name}`;
    this.env = {
      ...{ NO_COLOR: "1", EL2_SESSION: "", XDG_RUNTIME_DIR: this.place.folder, TMPDIR: at("tmp"), HOME: at("home") },
      ...{ XDG_STATE_HOME: at("state"), XDG_CACHE_HOME: at("cache"), XDG_CONFIG_HOME: at("home"), DENO_DIR: denoFolder() },
    };
    const write = (name: string, bytes: Uint8Array) => Deno.writeFileSync(`${this.folder}/${name}`, bytes);
    const text = (name: string, lines: readonly string[]) => Deno.writeTextFileSync(`${this.folder}/${name}`, `${lines.join("\n")}\n`);
    write("hello.bin", Deno.readFileSync(new URL("../../../assets/guests/hello.bin", import.meta.url)));
    write("idle.bin", imageOf([A64.wfi, A64.branch(-1)]));
    write("dead.bin", imageOf([0]));
    const vm = (name: string) => [`[vm.${name}]`, `image = "${name}.bin"`, 'memory = "4MiB"'];
    text("good.toml", ["el2 = 1", ...vm("idle"), ...vm("dead")]);
    text("wrong.toml", ["el2 = 1", "[machine]", 'memroy = "1"']);
    text("good.test.toml", ["el2_test = 1", "[[step]]", 'boot = "demo"', "[[step]]", 'at = "1ms"']);
    write("good.dtb", writeDevicetree(guestDevicetree(VM, boardOf(VM).layout(VM))));
  }

  /** A scene whose files all hold what their names promise. */
  static async made(): Promise<Scene> {
    const scene = new Scene(), { folder, env } = scene;
    const plan = await bootPlan(), system = assemble(plan);
    runTo(system, 1000);
    for (const _ of writeSnapshot(`${folder}/good.snap`, snapshotOf(system, plan, "walk")));
    const made = await Promise.all([
      el2Process(["run", "hello.bin", "--headless", "--for", "2ms", "--record", "good.rec"], env, folder),
      el2Process(["test", "good.test.toml", "--shard", "1/1", "--results", "parts"], env, folder),
    ]);
    for (const { code, stderr } of made) assert.equal(code, 0, stderr);
    scene.#there = new Set(scene.#files());
    return scene;
  }

  /** Files in the folders where commands write only as told. */
  #files(): string[] {
    const list = (folder: string) => [...Deno.readDirSync(`${this.place.folder}/${folder}`)].map(({ name }) => `${folder}/${name}`);
    return [...list("here"), ...list("here/out"), ...list("home")];
  }

  /** Notes that the user enters this line. */
  ask(line: readonly string[]): readonly string[] {
    for (const word of line) {
      for (const file of [word, word.split(/[/=,]/)[0], word.slice(word.lastIndexOf("=") + 1)]) this.#asked.add(file);
    }
    return line;
  }

  /**
   * Checks that the lines wrote no file that they do not name. Gives those that they name.
   * @param running others still run, and may be writing files, which have other names until then
   */
  checkFiles(running = false): readonly string[] {
    const files = this.#files().filter((file) => !this.#there.has(file));
    const whole = (file: string) => running ? file.split(PARTIAL)[0] : file;
    const unasked = files.filter((file) => !this.#asked.has(whole(file).replace(/^here\//, "")));
    assert.deepEqual(unasked, [], "files that nobody asked for");
    return files;
  }

  /** Removes files that nothing reads: each check would list all of them again. */
  remove(files: readonly string[]): void {
    for (const file of files) Deno.removeSync(`${this.place.folder}/${file}`, { recursive: true });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const name of ["a", "b", "c"]) await this.place.el2("down", name);
    await this.place[Symbol.asyncDispose]();
  }
}

/** The defect of how a command ended; undefined for none. */
function wrongWith({ code, text, thrown }: Omit<Written, "args">): string | undefined {
  if (thrown !== undefined) return `threw ${thrown}`;
  if (code === -1) return "did not end";
  if (!CODES.has(code)) return `ended with ${code}`;
  if (STACK.test(text)) return `printed an exception: ${text.slice(0, 2000)}`;
  return code !== 0 && code !== 130 && text === "" ? `ended with ${code} and said nothing` : undefined;
}

/** Commands in one process, one after the other. */
class OneProcess implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;
  readonly #lines: AsyncIterator<string>;

  constructor({ folder, env }: Scene) {
    const [deno, ...words] = el2Command();
    const args = [...words.slice(0, -1), new URL("./many-commands.ts", import.meta.url).pathname];
    this.#child = new Deno.Command(deno, { args, cwd: folder, env, stdin: "piped", stdout: "piped" }).spawn();
    this.#writer = this.#child.stdin.getWriter();
    this.#lines = linesOf(this.#child.stdout);
  }

  async run(line: readonly string[]): Promise<Written> {
    await this.#writer.write(new TextEncoder().encode(`${JSON.stringify(line)}\n`));
    const { value, done } = await this.#lines.next();
    assert.ok(!done, "the process has ended");
    return JSON.parse(value);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#writer.close().catch(() => {});
    await this.#child.status;
  }
}

type Run = (line: readonly string[]) => Promise<Written>;

/** The sessions that lines speak to: what they run. */
const SESSIONS = [["a", "demo"], ["b", "good.toml"]] as const;

/** Starts the sessions that are no more. */
async function begun({ place }: Scene, run: Run): Promise<void> {
  for (const [name, what] of SESSIONS) {
    if (isThere(`${place.folder}/el2/${name}.sock`)) continue;
    const { code, text } = await run(["up", what, "--name", name]);
    // One whose every VM has ended by now is a session, too.
    assert.ok(code === 0 || text.includes("has ended"), text);
  }
}

/** Lets the machines run. */
async function tidied(run: Run): Promise<void> {
  for (const [name] of SESSIONS) {
    for (const words of [["back", "--now"], ["inject", "--remove", "all"], ["break", "--remove", "all"], ["resume"]]) {
      await run([...words, "--session", name]);
    }
  }
}

function isThere(path: string): boolean {
  try {
    Deno.lstatSync(path);
    return true;
  } catch {
    return false;
  }
}

Deno.test(`a random walk of ${LINES} command lines in one process`, async () => {
  await using scene = await Scene.made();
  await using one = new OneProcess(scene);
  for (const line of READING) {
    const { code, text } = await one.run(line);
    assert.equal(code, 0, `${line.join(" ")}: ${text}`);
  }
  const lines = new CommandLines(new Random(SEED), STARTING, false);
  const counts = new Map<number, number>();
  const before: string[] = [];
  for (let at = 0; at < LINES; at++) {
    if (at % LIFE === 0) { for (const name of ["a", "b", "c"]) await one.run(["down", name]); }
    const line = scene.ask(lines.next());
    try {
      await begun(scene, (line) => one.run(line));
      if (at % TIDY === 0) await tidied((line) => one.run(line));
      before.push(JSON.stringify(line));
      const written = await one.run(line);
      assert.equal(wrongWith(written), undefined);
      scene.remove(scene.checkFiles());
      lines.learn(written.text);
      counts.set(written.code, (counts.get(written.code) ?? 0) + 1);
    } catch (error) {
      throw new Error(`line ${at}: ${before.slice(-12).join("\n")}`, { cause: error });
    }
  }
  // A walk that finds no session, or is refused everywhere, walks nowhere.
  assert.ok((counts.get(0) ?? 0) > LINES / 8, `codes ${JSON.stringify([...counts])}`);
});

/** Runs a line as a process: one that stays gets the signal of Ctrl-C. */
async function runProcess({ folder, env }: Scene, line: readonly string[]): Promise<Written> {
  const [program, ...args] = el2Command(...line);
  const child = new Deno.Command(program, { args, cwd: folder, env, stdin: "null", stdout: "piped", stderr: "piped" }).spawn();
  const kill = (signal: Deno.Signal) => {
    try {
      child.kill(signal);
    } catch {
      // It has just ended.
    }
  };
  let late = false;
  const signal = mayStay(line) ? setTimeout(() => kill("SIGINT"), STAYS) : undefined;
  const limit = setTimeout(() => {
    late = true;
    kill("SIGKILL");
  }, AT_MOST);
  const { code, stdout, stderr } = await child.output();
  clearTimeout(signal);
  clearTimeout(limit);
  const text = new TextDecoder();
  return { args: line, code: late ? -1 : code, text: text.decode(stderr) + text.decode(stdout) };
}

longTest(`a random walk of ${PROCESSES} command lines as processes, ${AT_A_TIME} at a time`, async () => {
  await using scene = await Scene.made();
  const lines = new CommandLines(new Random(SEED + 1), 4, true);
  let left = PROCESSES;
  const wrong: string[] = [];
  const worker = async () => {
    while (left-- > 0) {
      const line = scene.ask(lines.next());
      const written = await runProcess(scene, line);
      const what = wrongWith(written);
      if (what !== undefined) wrong.push(`${JSON.stringify(line)} ${what}`);
      scene.checkFiles(true);
      lines.learn(written.text);
    }
  };
  await begun(scene, (line) => runProcess(scene, line));
  await Promise.all(Array.from({ length: AT_A_TIME }, worker));
  scene.checkFiles();
  assert.deepEqual(wrong, []);
});
