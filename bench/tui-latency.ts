// Latencies that users notice: from a key to its frame, after much output and over a slow link, and
// from a start to a guest's first answer.

import { fileURLToPath } from "node:url";
import { PERMISSIONS } from "../src/app/cli/common/runtime.ts";
import { setTimeout as sleep } from "node:timers/promises";
import { runTui, type TuiOptions } from "../src/app/tui/app/run.ts";
import type { TerminalPort } from "../src/app/tui/terminal/terminal.ts";
import type { SessionClient } from "../src/session/worker/client.ts";
import { Standing } from "../src/session/engine/standing.ts";
import type { Answer, Query } from "../src/model/queries/query.ts";
import type { Row } from "../src/model/queries/table.ts";
import { PHONE_SAMPLE, phoneAnswer } from "../tests/app/tui/phone.ts";

const OPTIONS: TuiOptions = { title: "bench", depth: "256", ascii: false, mouse: false, slowLink: false };
/** Amount of content (docs/design/workstation.md §7). */
const EVENTS = 100_000;
const PARCELS = 5_000;
/** Keys that are measured on each screen. */
const KEYS = 150;
/** Wall time between two pictures of the machine, ms. */
const SAMPLES = 200;

/** A terminal to which a bench types, and which says when frames come. */
class TypedTerminal implements TerminalPort {
  #controller!: ReadableStreamDefaultController<Uint8Array>;
  readonly input = new ReadableStream<Uint8Array>({ start: (controller) => void (this.#controller = controller) });
  #next = Promise.withResolvers<void>();

  /** @param take resolves when the terminal has taken this many bytes */
  constructor(readonly take: (bytes: number) => Promise<void> = () => Promise.resolve()) {}

  type(text: string): void {
    this.#controller.enqueue(new TextEncoder().encode(text));
  }

  /** Resolves when the next frame is handed over. */
  frame(): Promise<void> {
    return this.#next.promise;
  }

  end(): void {
    this.#controller.close();
  }

  size() {
    return { columns: 160, rows: 48 };
  }
  write(bytes: Uint8Array): Promise<void> {
    const { resolve } = this.#next;
    this.#next = Promise.withResolvers();
    resolve();
    return this.take(bytes.length);
  }
  setRaw(): void {}
  onResize(): () => void {
    return () => {};
  }
}

/** A session that answers with many rows, and its next picture. */
function largeSession(): { readonly session: SessionClient; readonly sample: () => void } {
  const standing = new Standing();
  const [events, parcels] = (["events", "mem.parcels"] as const).map((table) => phoneAnswer({ table, args: {} }).rows);
  const manyEvents: Row[] = Array.from({ length: EVENTS }, (_, index) => ({ ...events[index % events.length], id: `ev:${index}` }));
  const manyParcels: Row[] = Array.from({ length: PARCELS }, (_, index) => ({ ...parcels[1], id: `parcel:0x${index.toString(16)}` }));
  const answer = (query: Query): Answer => {
    if (query.table === "mem.parcels") return { ...phoneAnswer({ table: query.table, args: {} }), rows: manyParcels };
    if (query.table !== "events") return phoneAnswer(query);
    return { ...phoneAnswer({ table: query.table, args: {} }), rows: manyEvents.slice(-(query.args.limit ?? 1000)) };
  };
  const session: SessionClient = {
    onEvent() {},
    close() {},
    send(request) {
      if (request.kind === "forget") standing.forget(request.id);
      if (request.kind !== "query") return;
      const { id, query, repeat } = request;
      if (repeat) standing.add(id, query, repeat, performance.now());
      queueMicrotask(() => session.onEvent({ kind: "answer", id, answer: answer(query) }));
    },
  };
  const sample = () => {
    for (const { id, query } of standing.due(performance.now())) session.onEvent({ kind: "answer", id, answer: answer(query) });
    session.onEvent({ kind: "sample", sample: PHONE_SAMPLE });
  };
  return { session, sample };
}

/**
 * Milliseconds from each key to the write of the frame that it makes, on the screens with the most
 * rows.
 */
export async function measureKeys(): Promise<number[]> {
  const { session, sample } = largeSession();
  const terminal = new TypedTerminal();
  const left = runTui(session, terminal, OPTIONS);
  const samples = setInterval(sample, SAMPLES);
  const times: number[] = [];
  // The events follow the newest, at the end; the parcels begin at the first.
  for (const [screen, away, back] of [["9", "k", "j"], ["4\t\t", "j", "k"]]) {
    terminal.type(screen);
    sample();
    await sleep(500);
    for (let count = 0; count < KEYS; count++) {
      const shown = terminal.frame();
      const start = performance.now();
      terminal.type(count % 2 ? back : away);
      await Promise.race([shown, sleep(1000)]);
      times.push(performance.now() - start);
      await sleep(5);
    }
  }
  clearInterval(samples);
  terminal.end();
  await left;
  return times;
}

/** Delays of a link for its users, in ms. */
export interface Held {
  /** Longest time for which a key waited until the program had it. */
  readonly keys: number;
  /** Longest time for which the machine waited until its output was taken. */
  readonly machine: number;
}

/**
 * Shows a session on a link of `bytesPerSecond` for `ms`.
 * @param start begins the machine, after the first screen
 */
export async function measureLink(client: SessionClient, start: () => void, bytesPerSecond: number, ms: number): Promise<Held> {
  const terminal = new TypedTerminal((bytes) => sleep(bytes / bytesPerSecond * 1000));
  let machine = 0, keys = 0, measuring = false;
  const waiting: { bytes: number; since: number }[] = [];
  const between: SessionClient = {
    onEvent() {},
    close: () => client.close(),
    send(request) {
      for (let taken = request.kind === "taken" ? request.bytes : 0; taken > 0 && waiting.length > 0;) {
        const first = waiting[0];
        if (measuring) machine = Math.max(machine, performance.now() - first.since);
        const part = Math.min(taken, first.bytes);
        taken -= part;
        if ((first.bytes -= part) === 0) waiting.shift();
      }
      client.send(request);
    },
  };
  client.onEvent = (event) => {
    if (event.kind === "console") waiting.push({ bytes: event.bytes.length, since: performance.now() });
    between.onEvent(event);
  };
  const left = runTui(between, terminal, OPTIONS);
  start();
  await sleep(2000);
  measuring = true;
  for (const end = performance.now() + ms; performance.now() < end;) {
    // A key waits in the stream until the program's loop turns.
    const typed = performance.now();
    terminal.type("j");
    await new Promise((resolve) => setTimeout(resolve, 0));
    keys = Math.max(keys, performance.now() - typed);
    await sleep(20);
  }
  measuring = false;
  terminal.end();
  await left;
  return { keys, machine };
}

/**
 * Seconds from the start of the program on a terminal (of util-linux's script) until the first
 * frame.
 */
export async function measureFirstFrame(): Promise<number> {
  const program = fileURLToPath(new URL("../main.ts", import.meta.url));
  const demo = fileURLToPath(new URL("../assets/demo.toml", import.meta.url));
  const command = `stty rows 24 cols 80; exec '${Deno.execPath()}' run -q --no-check ${PERMISSIONS.join(" ")} '${program}' run '${demo}'`;
  const start = performance.now();
  const env = { TERM: "xterm-256color", COLORTERM: "truecolor" };
  const child = new Deno.Command("script", { args: ["-qec", command, "/dev/null"], env, stdin: "piped", stdout: "piped", stderr: "null" })
    .spawn();
  const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  for (let text = ""; !/\? .{0,80}help/.test(text);) {
    const { value, done } = await reader.read();
    if (done) throw new Error(`the demo ended without a frame; it wrote ${JSON.stringify(text)}`);
    text += value;
  }
  const seconds = (performance.now() - start) / 1000;
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode("q"));
  // Drains the rest of the output, or script would wait for ever.
  while (!(await reader.read()).done);
  await writer.abort().catch(() => {});
  await child.status;
  return seconds;
}

/** Seconds from the start of the program until a guest of the demo answers what is typed. */
export async function measureStart(): Promise<number> {
  const program = fileURLToPath(new URL("../main.ts", import.meta.url));
  const demo = fileURLToPath(new URL("../assets/demo.toml", import.meta.url));
  const start = performance.now();
  const args = ["run", "-q", "--no-check", ...PERMISSIONS, program, "run", demo, "--stdio", "--console", "hello"];
  const child = new Deno.Command(Deno.execPath(), { args, stdin: "piped", stdout: "piped", stderr: "null" }).spawn();
  const writer = child.stdin.getWriter();
  const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  let typed = false;
  for (let text = ""; !text.includes("you typed 'x'");) {
    const { value, done } = await reader.read();
    if (done) throw new Error(`the demo ended without an answer; its console said ${JSON.stringify(text)}`);
    text += value;
    if (!typed && text.includes("hello from EL1")) {
      typed = true;
      await writer.write(new TextEncoder().encode("x"));
    }
  }
  const seconds = (performance.now() - start) / 1000;
  child.kill("SIGKILL");
  await child.status;
  await reader.cancel().catch(() => {});
  await writer.abort().catch(() => {});
  return seconds;
}
