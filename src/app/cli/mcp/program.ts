// Commands of this program in a process each: a tool does what the command does, with its messages
// and its exit code.

import { LAUNCHER_VARIABLE } from "../../../kit/support/computer/launcher.ts";
import { LineCutter } from "../../../kit/support/text/line-cutter.ts";
import { ExitCode } from "../common/failure.ts";
import { runtimeArguments } from "../common/runtime.ts";
import { ANSWER_MAX, type Page, PageOfRows, type ToolAnswer, toolAnswer } from "./answers.ts";

/** Wall time (ms) after which a command is ended. */
const PATIENCE = 300_000;
/** Wall time (ms) that a command has to end in order when its call is canceled. */
const GRACE = 600;
/** Commands at a time: a client may call as many tools at once as it likes. */
const RUNNING_MAX = 4;
/** Bytes of output that are kept; a command may print more than anybody reads. */
const KEPT = 16 * ANSWER_MAX;

/** How a command is run. */
export interface ProgramRun {
  readonly stdin?: string;
  /** How to see output that was left out. */
  readonly hint?: string;
  /** It prints rows, a line of JSON each, and the answer has a page of them. */
  readonly page?: Page;
  /** Ends the command. */
  readonly signal?: AbortSignal;
}

/** Runs commands of this program. */
export type RunProgram = (args: readonly string[], run?: ProgramRun) => Promise<ToolAnswer>;

/** Runs commands of this program, which is started as `entry` is. */
export function programRunner(entry: URL): RunProgram {
  const runtime = runtimeArguments(entry);
  let running = 0;
  const waiting: (() => void)[] = [];
  const run: RunProgram = async (args, { stdin, hint = "ask for less", page, signal } = {}) => {
    if (signal?.aborted) return toolAnswer("canceled", { failed: true });
    const child = new Deno.Command(Deno.execPath(), {
      args: [...runtime, ...args],
      stdin: stdin === undefined ? "null" : "piped",
      stdout: "piped",
      stderr: "piped",
      env: { NO_COLOR: "1", [LAUNCHER_VARIABLE]: String(Deno.pid) },
    }).spawn();
    let late = false;
    const timers = [setTimeout(() => {
      late = true;
      child.kill("SIGKILL");
    }, PATIENCE)];
    const onAbort = () => {
      child.kill("SIGTERM");
      timers.push(setTimeout(() => child.kill("SIGKILL"), GRACE));
    };
    signal?.addEventListener("abort", onAbort);
    try {
      const [stdout, stderr, { code }] = await Promise.all([
        page ? pageOf(child.stdout, page) : kept(child.stdout),
        kept(child.stderr),
        child.status,
        typed(child, stdin),
      ]);
      // Reports of a command, such as its progress, are not JSON.
      if (code === 0 && page) return toolAnswer(stdout);
      const said = [stdout, code === 0 && args.includes("--json") ? "" : stderr].filter((text) => text !== "").join("\n");
      const words = late ? `el2 ${args[0]} did not end within ${PATIENCE / 1000} s\n${said}` : said || "done";
      // With 1, a command that has printed its answer says what it found: a defect, a difference.
      const isAnswer = code === ExitCode.Failed && stdout !== "";
      const end = code === 0 ? "" : `\nexit code ${code}`;
      return toolAnswer(words.trimEnd(), { failed: late || code !== 0 && !isAnswer, hint, end });
    } finally {
      for (const timer of timers) clearTimeout(timer);
      signal?.removeEventListener("abort", onAbort);
    }
  };
  return async (args, options) => {
    if (running === RUNNING_MAX) await new Promise<void>((resolve) => waiting.push(resolve));
    else running++;
    try {
      return await run(args, options);
    } finally {
      // The place goes to the one that has waited longest.
      const next = waiting.shift();
      if (next) next();
      else running--;
    }
  };
}

async function typed(child: Deno.ChildProcess, text: string | undefined): Promise<void> {
  if (text === undefined) return;
  const writer = child.stdin.getWriter();
  try {
    await writer.write(new TextEncoder().encode(text));
    await writer.close();
  } catch (error) {
    // The command ended before it read all of it.
    if (!(error instanceof Deno.errors.BrokenPipe)) throw error;
  }
}

/** A page of the lines of a stream. */
async function pageOf(stream: ReadableStream<Uint8Array>, page: Page): Promise<string> {
  const rows = new PageOfRows(page), decoder = new TextDecoder(), cutter = new LineCutter();
  for await (const bytes of stream) {
    for (const line of cutter.add(decoder.decode(bytes, { stream: true }))) rows.add(line);
  }
  return rows.text;
}

/** The text of a stream: all of it if it is short, else its beginning and its end. */
async function kept(stream: ReadableStream<Uint8Array>): Promise<string> {
  const decoder = new TextDecoder();
  let head = "", tail = "", lost = 0;
  for await (const bytes of stream) {
    const text = decoder.decode(bytes, { stream: true });
    if (head.length < KEPT) head += text;
    else tail += text;
    if (tail.length > 2 * KEPT) {
      lost += tail.length - KEPT;
      tail = tail.slice(-KEPT);
    }
  }
  return lost ? `${head}\n[${lost} characters left out]\n${tail}` : head + tail;
}
