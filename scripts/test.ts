// `deno task test [OPTIONS or FILES]`: all tests, spread over several processes. With arguments it
// is `deno test` with the rights that tests have.
//
// Tests stub process globals (stdout, the environment), so `deno test --parallel`, whose threads
// share one process, is not for them. A process loads its files as one module (test-files.ts).

import { fileURLToPath } from "node:url";
import { PERMISSIONS } from "../src/app/cli/common/runtime.ts";
import { FROM_SOURCES } from "../src/session/worker/prepared-program.ts";
import { PassedBatches, treeOf } from "./passed-batches.ts";
import { readSummary, type Summary, summaryLine } from "./test-summary.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
/**
 * Each machine of a test has more than a GiB of memory, which hardly any of it touches. V8 counts
 * all of it and would collect the garbage of the whole program at each machine that a test makes:
 * with these bounds unit tests of the hypervisor take a quarter of the CPU time, and no more
 * memory.
 */
const HEAP = "--v8-flags=--max-old-space-size=65536,--external-memory-max-growing-factor=8";
/** Options of Deno: those of el2, what tests read of the computer, and the bounds. */
export const OPTIONS = [...PERMISSIONS, "--allow-sys=uid", HEAP];
const LOCK = `--lock=${ROOT}deno.lock`;
const FILES = fileURLToPath(new URL("test-files.ts", import.meta.url));
/** Files by name are tests of what is being written: nothing is prepared for them. */
const BY_NAME = { [FROM_SOURCES]: "1" };
/**
 * Files of one process: many, as each loads el2 anew, and few enough that the last process does not
 * run alone for long.
 */
const BATCH = 30;
/**
 * Processes at once: two more than processors, as tests wait at times, and no more than this, as
 * many start processes and threads.
 */
const MOST_PROCESSES = 4;
/**
 * Milliseconds without a line after which a process is stuck. It is far more than any test takes on
 * a busy computer; those with the full numbers may take as long as they want.
 */
const STUCK_AFTER = 15 * 60_000;
/** Deno's line on a test that takes long, after 1, 2, 4, 8 and more minutes. */
const STILL_RUNNING = / has been running for over /;
/** Folders whose tests take longest; they start first, so that short ones fill the end. */
const LONGEST = [
  "guests",
  "inside/linux",
  "terminal",
  "docs",
  "conformance",
  "dist",
  "app/cli",
  "diagnosis",
  "session",
  "scripts",
  "differential",
]
  .map((folder) => `tests/${folder}`);
/** The same with the full numbers. */
const LONGEST_FULL = ["tests/suites", "tests/session/snapshots", "tests/fuzz", "tests/app/tui", "tests/terminal"];

/** The batches that a run with the full numbers has passed so far. */
export const PASSED = ".state/passed-batches.json";

/** Whether a file has full numbers, itself or by `tests/support/long.ts`. */
export function hasFullNumbers(file: string): boolean {
  return /EL2_LONG|\/support\/long\.ts/.test(Deno.readTextFileSync(`${ROOT}${file}`));
}

/** Files in batches of at most `most`, by folder; those that take longest first. */
export function batches(files: readonly string[], most = BATCH, longest = LONGEST): string[][] {
  const rank = (file: string) => {
    const index = longest.findIndex((folder) => file.startsWith(`${folder}/`));
    return index < 0 ? longest.length : index;
  };
  const inOrder = files.toSorted().sort((one, other) => rank(one) - rank(other));
  return Array.from({ length: Math.ceil(inOrder.length / most) }, (_, i) => inOrder.slice(i * most, (i + 1) * most));
}

/** Batches for the full numbers: a file that has such numbers takes up to an hour, and is alone. */
export function fullBatches(files: readonly string[]): string[][] {
  const { full = [], same = [] } = Object.groupBy(files, (file) => hasFullNumbers(file) ? "full" : "same");
  return [...batches(full, 1, LONGEST_FULL), ...batches(same)];
}

/** The test files below a folder. */
export function testFiles(folder: string): string[] {
  return [...Deno.readDirSync(`${ROOT}${folder}`)].flatMap(({ name, isDirectory }) => {
    const path = `${folder}/${name}`;
    return isDirectory ? testFiles(path) : name.endsWith("_test.ts") ? [path] : [];
  });
}

/** Result of one process: its counts, and the report on what failed. */
interface Outcome extends Summary {
  readonly succeeded: boolean;
  readonly errors: string;
  /** It printed nothing for too long, and was ended. */
  readonly stuck: boolean;
}

/** Removes escape sequences of colors, which are not part of a line's text. */
const plain = (text: string) => text.replaceAll(/\x1b\[[0-9;]*m/g, "");

/**
 * Runs files in one process; prints its lines at its end, the report on failures excepted. A
 * process that prints nothing for `stuckAfter` milliseconds fails, and is ended with those that it
 * started: its last lines name the test, and their list tells what it waits for.
 */
export async function run(files: readonly string[], stuckAfter: number): Promise<Outcome> {
  const process = new Deno.Command(Deno.execPath(), {
    args: ["test", ...OPTIONS, "--no-check", LOCK, FILES, "--", ...files],
    cwd: ROOT,
    stdin: "null",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  let held = "", errors = "", last = "", stuck = "";
  const end = async () => {
    const all = await processes(), below = descendants(all, process.pid);
    // Sessions are nobody's children, but they are el2.
    const seen = all.filter((one) => below.includes(one) || one.text.includes(`${ROOT}main.ts`));
    stuck = `printed nothing for ${stuckAfter / 1000} s while these ran:\n${seen.map(({ text }) => `  ${text}\n`).join("")}`;
    for (const { pid } of below) kill(pid);
  };
  const expect = () => stuckAfter === Infinity ? undefined : setTimeout(end, stuckAfter);
  let timer = expect();
  for await (const line of lines(process.stdout)) {
    const text = plain(line), isNew = !STILL_RUNNING.test(text);
    if (isNew) clearTimeout(timer);
    if (errors || text.trim() === "ERRORS") errors += line;
    else held += line;
    if (readSummary(text)) last = text;
    if (isNew) timer = expect();
  }
  clearTimeout(timer);
  if (stuck) stuck += `Its last lines:\n${held.split("\n").slice(-3).map((line) => `  ${line}\n`).join("")}`;
  Deno.stdout.writeSync(new TextEncoder().encode(held));
  const { success, code } = await process.status;
  const summary = stuck ? undefined : readSummary(last);
  if (summary) return { ...summary, succeeded: success, errors, stuck: false };
  errors += `deno test ${files.join(" ")}: ${stuck || `exit code ${code}\n`}`;
  return { passed: 0, steps: 0, failed: 1, ignored: 0, succeeded: false, errors, stuck: stuck !== "" };
}

/** A process of the computer: its line in the list, and the process that started it. */
interface Process {
  readonly pid: number;
  readonly parent: number;
  readonly text: string;
}

async function processes(): Promise<Process[]> {
  const { stdout } = await new Deno.Command("ps", { args: ["-eww", "-o", "pid,ppid,stat,etimes,times,args"] }).output();
  return new TextDecoder().decode(stdout).split("\n").slice(1, -1).map((text) => {
    const [pid, parent] = text.trim().split(/\s+/).map(Number);
    return { pid, parent, text };
  });
}

/** A process and all that it started, itself first. */
function descendants(all: readonly Process[], pid: number): Process[] {
  return all.filter((process) => process.pid === pid)
    .concat(all.filter((process) => process.parent === pid).flatMap((process) => descendants(all, process.pid)));
}

function kill(pid: number): void {
  try {
    Deno.kill(pid, "SIGKILL");
  } catch (error) {
    // It ended since it was listed.
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

/** Lines of a stream, each with its newline. */
async function* lines(stream: ReadableStream<Uint8Array<ArrayBuffer>>): AsyncGenerator<string> {
  let rest = "";
  for await (const text of stream.pipeThrough(new TextDecoderStream())) {
    const parts = (rest + text).split("\n");
    rest = parts.pop() ?? "";
    for (const part of parts) yield `${part}\n`;
  }
  if (rest) yield `${rest}\n`;
}

/** Makes the program that most tests start of these sources: each would load all of them. */
async function prepare(): Promise<boolean> {
  return (await new Deno.Command(Deno.execPath(), { args: ["task", "-q", "prepare"], cwd: ROOT }).spawn().status).success;
}

async function runAll(): Promise<boolean> {
  if (!await prepare()) return false;
  const isFull = Deno.env.has("EL2_LONG"), stuckAfter = isFull ? Infinity : STUCK_AFTER;
  const files = testFiles("tests"), queue = isFull ? fullBatches(files) : batches(files);
  const begun = performance.now(), outcomes: Outcome[] = [];
  const tree = isFull ? await treeOf(ROOT) : undefined;
  const passed = tree === undefined ? undefined : new PassedBatches(`${ROOT}${PASSED}`, tree);
  if (passed?.size) console.log(`${passed.size} of ${queue.length} batches passed before; remove ${PASSED} to run them again`);
  const take = async () => {
    for (let files = queue.shift(); files; files = queue.shift()) {
      const before = passed?.of(files);
      if (before) {
        outcomes.push({ ...before, succeeded: true, errors: "", stuck: false });
        continue;
      }
      const started = performance.now(), first = await run(files, stuckAfter);
      // Tests that are stuck twice fail; the report names them after the first time too.
      const again = first.stuck ? await run(files, stuckAfter) : undefined;
      const outcome = again ? { ...again, errors: `${first.errors}${again.errors}` } : first;
      outcomes.push(outcome);
      console.log(`${files[0]} to ${files.at(-1)}: ${((performance.now() - started) / 1000).toFixed(0)} s`);
      // A file may have been changed since the run started.
      if (passed && outcome.succeeded && await treeOf(ROOT) === tree) passed.add(files, outcome);
    }
  };
  await Promise.all(Array.from({ length: Math.min(navigator.hardwareConcurrency + 2, MOST_PROCESSES) }, take));
  const succeeded = outcomes.every((outcome) => outcome.succeeded);
  if (succeeded) passed?.clear();
  for (const { errors } of outcomes) if (errors) console.log(errors);
  console.log(`\n${summaryLine(outcomes, succeeded, (performance.now() - begun) / 1000)}`);
  return succeeded;
}

if (import.meta.main) {
  if (Deno.args.length === 0) Deno.exit(await runAll() ? 0 : 1);
  const args = ["test", ...OPTIONS, "--no-check", LOCK, ...Deno.args];
  Deno.exit((await new Deno.Command(Deno.execPath(), { args, cwd: ROOT, env: BY_NAME }).spawn().status).code);
}
