// `deno task bench first-run`: `deno task start` in a terminal, from a fresh clone and an empty
// home: packages and bytes that it fetches, CPU time, and seconds to the demo's first frame.

import { printDocument } from "./documents.ts";
import type { Contest } from "./ab.ts";
import { preferredTree } from "./machines.ts";
import { median } from "./statistics.ts";

/** Shown in the first frame only. */
const FRAME = "Virtual machines";
/** Wall time after which a run is ended, s. */
const PATIENCE = 300;
/** Wall time between two keys that quit, ms. */
const QUIT_AGAIN = 1000;

interface FirstRun {
  readonly packages: number;
  readonly bytes: number;
  readonly cpu_seconds: number;
  readonly frame_seconds: number;
}

/** Prints the figures of several first runs. */
export async function benchFirstRun(rounds: number, json: boolean): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "el2-bench-" });
  try {
    const runs: FirstRun[] = [];
    for (let round = 0; round < rounds; round++) runs.push(await firstRun(folder));
    const values = (name: keyof FirstRun) => runs.map((run) => run[name]);
    const names = ["packages", "bytes", "cpu_seconds", "frame_seconds"] as const;
    const result = Object.fromEntries(names.map((name) => [name, values(name)]));
    if (json) return printDocument({ schema: "el2.bench.first-run/1", rounds, ...result });
    for (const name of names) {
      const [first, ...others] = values(name), all = [first, ...others];
      console.log(`${name.padEnd(14)} ${median(all).toFixed(2)} (${Math.min(...all).toFixed(2)} to ${Math.max(...all).toFixed(2)})`);
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** For `--ab`. */
export const firstRunContest: Contest = (folder) =>
  Promise.resolve(async () => {
    const run = await firstRun(folder);
    return new Map(Object.entries(run));
  });

/** One run: a clone of the tree's files, with nothing that this computer has kept. */
async function firstRun(folder: string): Promise<FirstRun> {
  const place = await Deno.makeTempDir({ dir: folder }), clone = `${place}/clone`, home = `${place}/home`;
  await Deno.mkdir(clone);
  await Deno.mkdir(home);
  // The commit that the tree is at: of a worktree, git clone would take another branch.
  await output("git", ["-C", preferredTree(), "archive", "-o", `${place}/tree.tar`, "HEAD"]);
  await output("tar", ["-xf", `${place}/tree.tar`, "-C", clone]);
  // The rest of the environment may say how the network is reached.
  const folders = { DENO_DIR: `${home}/deno`, XDG_CACHE_HOME: `${home}/cache`, XDG_STATE_HOME: `${home}/state`, XDG_CONFIG_HOME: home };
  const env = { HOME: home, ...folders, TERM: "xterm-256color", LANG: "C.UTF-8" };
  const began = performance.now(), command = `stty rows 36 cols 120; ${Deno.execPath()} task start`;
  const options = { cwd: clone, env, stdin: "piped", stdout: "piped", stderr: "null" } as const;
  // util-linux's script gives it a terminal, whose end ends el2; the shell says how much CPU time
  // it took.
  const script = `timeout --foreground ${PATIENCE} script -qfec '${command}' /dev/null; times`;
  const child = new Deno.Command("bash", { args: ["-c", script], ...options }).spawn();
  const decoder = new TextDecoder(), writer = child.stdin.getWriter();
  let text = "", frame: number | undefined, quit: ReturnType<typeof setInterval> | undefined;
  for await (const bytes of child.stdout) {
    text += decoder.decode(bytes, { stream: true });
    if (frame !== undefined || !text.includes(FRAME)) continue;
    frame = (performance.now() - began) / 1000;
    // A key that comes while the terminal's modes change can be lost.
    const typed = () => void writer.write(new TextEncoder().encode("q")).catch(() => clearInterval(quit));
    quit = setInterval(typed, QUIT_AGAIN);
    typed();
  }
  clearInterval(quit);
  await child.status;
  if (frame === undefined) throw new Error(`no frame came:\n${text.slice(-2000)}`);
  const cache = `${home}/deno/npm`;
  const result = { packages: packagesIn(cache), bytes: bytesIn(cache), cpu_seconds: cpuSeconds(text), frame_seconds: frame };
  await Deno.remove(place, { recursive: true });
  return result;
}

/** User and system seconds of all children, in the last line of `times`. */
function cpuSeconds(text: string): number {
  const [, user, system] = /(\d+m[\d.]+s) (\d+m[\d.]+s)\s*$/.exec(text) ?? [];
  if (user === undefined) throw new Error(`no times of the run:\n${text.slice(-200)}`);
  return [user, system].reduce((sum, time) => {
    const [minutes, seconds] = time.slice(0, -1).split("m").map(Number);
    return sum + minutes * 60 + seconds;
  }, 0);
}

/** Versions of packages in Deno's cache: each has a package.json at its top. */
function packagesIn(cache: string): number {
  return [...files(cache)].filter((path) => /\/\d[^/]*\/package\.json$/.test(path)).length;
}

function bytesIn(cache: string): number {
  return [...files(cache)].reduce((sum, path) => sum + Deno.statSync(path).size, 0);
}

function* files(folder: string): Generator<string> {
  for (const { name, isDirectory } of Deno.readDirSync(folder)) {
    if (isDirectory) yield* files(`${folder}/${name}`);
    else yield `${folder}/${name}`;
  }
}

async function output(program: string, args: readonly string[]): Promise<void> {
  const { success, stderr } = await new Deno.Command(program, { args: [...args] }).output();
  if (!success) throw new Error(`${program}: ${new TextDecoder().decode(stderr)}`);
}
