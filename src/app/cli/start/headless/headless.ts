// A session without a screen: consoles to stdout, one line about the end to stderr, input from
// stdin where asked.

import { blocksText } from "../../../../model/queries/facts/wait.ts";
import { controlByte, DEFAULT_PREFIX, readInput } from "./console-input.ts";
import { ConsoleOutput } from "./console-output.ts";
import { coreStats } from "./core-stats.ts";
import { ExitCode } from "../../common/failure.ts";
import { report } from "../../common/print.ts";
import {
  type MachineEvent,
  type MachineSample,
  ORDERLY_END,
  SESSION,
  type SessionEnd,
  type SessionEvent,
  type VcpuSample,
} from "../../../../model/protocol/protocol.ts";
import { failureRecording } from "../../../../session/recordings/file/kept-recordings.ts";
import { Asker } from "../../../../session/control/asker.ts";
import { vmId, withoutKind } from "../../../../model/queries/ids.ts";
import { diagnosisLines, timedOutLines } from "../../../../model/queries/texts/diagnosis-text.ts";
import { countText, timeText } from "../../../../kit/support/text/number-text.ts";
import { rowsOf } from "../../../../model/queries/query.ts";
import { reasonLines } from "../../../../model/queries/texts/reason-text.ts";
import type { RowOf } from "../../../../model/queries/table.ts";
import { DIAGNOSES, REASONS } from "../../../../model/queries/tables.ts";
import type { SessionClient } from "../../../../session/worker/client.ts";
import { onEnd } from "../../../../kit/support/computer/launcher.ts";
import { END_CODES, END_SIGNALS, type EndSignal } from "../../../../kit/support/computer/signals.ts";
import { beforeNextLine, warn } from "../../../../kit/support/warn.ts";
import { hint, hintText } from "../../../../kit/support/text/hint.ts";

/** Wall time (ms) within which the end of the run may report its own failure. */
const TELL_AFTER = 300;

/** Reasons of a failure that are printed, the newest. */
const REASONS_TOLD = 3;

/** How a headless session talks. */
interface HeadlessOptions {
  /** Join one console to stdin and stdout byte for byte. */
  readonly stdio: boolean;
  /** Name of the console that `stdio` joins. */
  readonly console: string | undefined;
  /** Put the console's name before each line (several VMs). */
  readonly names: boolean;
  /** Wall time (ms) after which the run ends with code 4. */
  readonly timeout: number | undefined;
  /** Escape sequences of guests go to a terminal as they are. */
  readonly raw?: boolean;
  /** The one console that is shown; all where none is named. */
  readonly only?: string;
  /** Print what the core did at the end, as a line of JSON on stderr. */
  readonly stats?: boolean;
  /** It is on a terminal: a prefix and `d` end it. */
  readonly interactive: boolean;
  /** Name of the run, for the recording of one that fails. */
  readonly title?: string;
  /** The file of the recording that the user asked for. */
  readonly record?: string;
  /** Where that recording goes: a folder, or `none`. */
  readonly recordings?: string;
  /** The prefix, `ctrl-]` by default. */
  readonly prefix?: string;
}

/** Runs a started session to its end and returns the exit code. */
export function runHeadless(client: SessionClient, options: HeadlessOptions): Promise<number> {
  return new HeadlessRun(client, options).run();
}

/** One session until its end. */
class HeadlessRun {
  readonly #asker: Asker;
  readonly #ended = Promise.withResolvers<number>();
  readonly #out: ConsoleOutput;
  /**
   * Failures of VMs while others continue. They are reported a little later, as the end may follow
   * at once and report them.
   */
  readonly #untold: string[] = [];
  #telling: ReturnType<typeof setTimeout> | undefined;
  #last: MachineSample | undefined;
  /** How the run was ended from here. */
  #cut: Pick<SessionEnd, "code" | "message"> | undefined;
  #late: ReturnType<typeof setTimeout> | undefined;
  /** How the machine ended, once it did. */
  #over: SessionEnd | undefined;
  #finished = false;
  #interrupted = false;

  constructor(readonly client: SessionClient, readonly options: HeadlessOptions) {
    this.#out = new ConsoleOutput(
      options.names,
      options.stdio || (options.raw ?? false),
      (bytes) => client.send({ kind: "taken", bytes }),
      (full) => this.#leave(full ? ExitCode.Usage : ExitCode.Failed, ""),
    );
    this.#asker = new Asker(client);
    client.onEvent = (event) => this.#receive(event);
  }

  async run(): Promise<number> {
    const { client, options: { timeout, stdio } } = this;
    const timer = timeout === undefined ? undefined : setTimeout(
      () => void this.#timedOut(`timeout: ${timeout / 1000} s of wall time passed`),
      // The time spent on reading and unpacking so far counts.
      Math.max(0, timeout - performance.now()),
    );
    const endSignals = onEnd(endingSignals(), (signal) => this.#interrupt(signal));
    beforeNextLine(() => this.#out.endOfLine());
    if (stdio) this.#join();
    else client.send({ kind: "input-ended" });
    try {
      return await this.#ended.promise;
    } finally {
      beforeNextLine(undefined);
      clearTimeout(timer);
      clearTimeout(this.#late);
      this.#cook();
      endSignals();
      client.close();
    }
  }

  /** Stdin is a terminal whose keys go to the guest as they are. */
  get #raw(): boolean {
    return this.options.stdio && this.options.interactive;
  }

  /** Gives the terminal back. */
  #cook(): void {
    if (this.#raw) Deno.stdin.setRaw(false);
  }

  /** Joins stdin to the console. */
  #join(): void {
    const raw = this.#raw;
    const { client, options: { prefix = DEFAULT_PREFIX, console: joined } } = this;
    if (raw) {
      report(`el2: all keys go to the guest; ${prefix} d ends the run`);
      Deno.stdin.setRaw(true);
    }
    const left = { prefix: controlByte(prefix), call: () => this.#leave(ExitCode.Interrupted, `ended by ${prefix} d`) };
    readInput(raw ? left : undefined, (bytes) => {
      if (joined !== undefined) client.send({ kind: "input", console: joined, bytes });
    }).then(() => client.send({ kind: "input-ended" }));
  }

  #receive(event: SessionEvent): void {
    switch (event.kind) {
      case "console":
        return this.#show(event.console, event.bytes);
      case "hash":
        return report(JSON.stringify({ schema: "el2.hash/1", ...event.hash }));
      case "events":
        return this.#note(event.events);
      case "sample":
        this.#last = event.sample;
        return;
      case "ended": {
        // The answer to a `stop` that came too late is not another end.
        if (this.#over) return;
        this.#over = event.end;
        return void this.#reportEnd(event.end);
      }
      case "answer":
      case "acted":
        return void this.#asker.receive(event);
      case "failed":
        return this.#finish(ExitCode.Failed, `bug: ${event.message}`);
    }
  }

  /** Says how the machine has ended, after all that its consoles have printed. */
  async #reportEnd(end: SessionEnd): Promise<void> {
    await this.#out.drain();
    if (this.options.stats && this.#last) report(coreStats(this.#last));
    const { code, message } = this.#cut ?? end;
    // Notes come before the verdict, however soon it follows them.
    this.#tell(message);
    if (code === ExitCode.Failed && !this.#cut) await this.#explain();
    this.#finish(code, message);
  }

  #show(name: string, bytes: Uint8Array): void {
    const { stdio, console: joined, only = name } = this.options;
    if (name === (stdio ? joined : only)) this.#out.write(name, bytes);
    else this.client.send({ kind: "taken", bytes: bytes.length });
  }

  /** The events that nothing else reports. */
  #note(events: readonly MachineEvent[]): void {
    for (const { vcpu, kind, text, refused } of events) {
      if (vcpu === SESSION) warn(text);
      else if (kind === "log" && refused) {
        this.#untold.push(`${withoutKind("vm", vcpu)}: ${text}`);
        this.#telling ??= setTimeout(() => this.#tell(), TELL_AFTER);
      }
    }
  }

  #tell(end = ""): void {
    clearTimeout(this.#telling);
    this.#telling = undefined;
    for (const note of this.#untold.splice(0)) if (!end.includes(note)) warn(note);
  }

  /** Time is over: says what each VM does or waits for, and how far the machine got. */
  async #timedOut(message: string): Promise<void> {
    let late: ReturnType<typeof setTimeout> | undefined;
    const silence = new Promise<undefined>((resolve) => late = setTimeout(() => resolve(undefined), ORDERLY_END));
    const verdicts = await Promise.race([this.#asker.ask({ table: "diagnose", args: {} }), silence]);
    clearTimeout(late);
    // The run may have ended by itself meanwhile, which says more.
    if (this.#over || this.#finished || this.#cut) return;
    if (!verdicts || verdicts.error !== undefined) {
      const seen = this.#last;
      for (const line of seen ? sampleLines(seen) : []) report(line);
      const before = seen ? `, and was at ${placeText(seen.time, seen.instructions)} before` : "";
      return this.#leave(ExitCode.TimedOut, `${message}; the machine has not answered for ${ORDERLY_END / 1000} s${before}`);
    }
    this.#tell();
    const rows = rowsOf(DIAGNOSES, verdicts), { ns, insn } = verdicts.at;
    for (const line of timedOutLines(rows)) report(line);
    // The start counts, too: on a busy computer the guests have not begun.
    if (!rows.length && Number(insn) === 0) return this.#leave(ExitCode.TimedOut, `${message}; no VM has executed an instruction yet`);
    const none = rows.length ? "" : "; no VM executes instructions";
    this.#leave(ExitCode.TimedOut, `${message}; the machine got to ${placeText(Number(ns), Number(insn))}${none}`);
  }

  /** The unhealthy verdicts. */
  async #verdicts(): Promise<readonly RowOf<typeof DIAGNOSES>[]> {
    return rowsOf(DIAGNOSES, await this.#asker.ask({ table: "diagnose", args: { filter: "healthy=no" } }));
  }

  /** Says why what failed did, and keeps the recording that leads there. */
  async #explain(): Promise<void> {
    const asked = this.#asker.ask({ table: "why", args: { filter: "failed=yes", limit: REASONS_TOLD } });
    const verdicts = await this.#verdicts();
    for (const row of verdicts) {
      const [first, ...more] = diagnosisLines(row);
      report(first);
      // A VM that has ended has its reason below.
      if (row.fact.code !== "failed") { for (const line of more) report(line); }
    }
    const rows = rowsOf(REASONS, await asked);
    if (rows.length === 0 && verdicts.length === 0) return;
    for (const row of rows.toReversed()) for (const { text } of reasonLines(row, true)) report(text);
    const path = failureRecording(this.options.title ?? "run", this.options.recordings);
    if (path === undefined) return;
    const error = await this.#asker.saveRecording(path);
    if (error !== undefined) return;
    const { unchangedImages } = await import("../../../../session/recordings/file/unchanged-images.ts");
    const { since, runs } = unchangedImages(path) ?? {};
    if (since !== undefined) report(`el2: the images are unchanged since ${since}, ${runs} failed ${runs === 1 ? "run" : "runs"} ago`);
    const command = rows.find(({ command }) => command !== null)?.command;
    const { record } = this.options,
      how = `${record === undefined ? "recorded; " : ""}${hintText(hint("replay", record ?? path, { tui: true }))}`;
    report(`el2: ${how} shows it, and goes back in it${command ? `: ${command}` : ""}`);
  }

  /**
   * Ends the run from here: the machine ends in order, which seals its recording; after a timeout
   * it is abandoned.
   * @param message how it ended; empty if that was reported, or has no reader
   */
  #leave(code: number, message: string): void {
    if (this.#cut) return;
    // Only the report on the end is still to come.
    if (this.#over) return this.#finish(this.#over.code, this.#over.message);
    this.#cut = { code, message };
    this.client.send({ kind: "stop" });
    this.#late = setTimeout(() => this.#finish(code, message), ORDERLY_END);
  }

  #interrupt(signal: EndSignal): void {
    if (this.#interrupted) {
      // The others come twice where a launcher forwards what its group got.
      if (signal !== "SIGINT") return;
      this.#cook();
      Deno.exit(END_CODES[signal]);
    }
    this.#interrupted = true;
    this.#leave(END_CODES[signal], signal === "SIGINT" ? "interrupted" : `ended by ${signal}`);
  }

  #finish(code: number, message: string): void {
    // One line reports the end: events during the final output, such as the machine's answer to
    // `stop`, are not another end.
    if (this.#finished) return;
    this.#finished = true;
    this.#tell(message);
    this.#out.drain().then(() => {
      if (message) report(`el2: ${message}`);
      this.#ended.resolve(code);
    });
  }
}

const placeText = (time: number, instructions: number) => `${timeText(time)} s of virtual time, ${countText(instructions)} instructions`;

/** State of each VM and its vCPUs in the last sample. */
function sampleLines({ vms }: MachineSample): string[] {
  const vcpuText = (vm: string, { index, state, waits }: VcpuSample) =>
    `${vm}/${index} ${state}${waits.length ? ` (${blocksText(waits)})` : ""}`;
  return vms.map(({ name, state, vcpus }) => `${vmId(name)} ${state}: ${vcpus.map((vcpu) => vcpuText(name, vcpu)).join(", ")}`);
}

/**
 * Signals that end a run in order. SIGHUP comes from a terminal: a run without one may have been
 * started to outlive it (nohup).
 */
function endingSignals(): readonly EndSignal[] {
  const terminal = [Deno.stdin, Deno.stdout, Deno.stderr].some((stream) => stream.isTerminal());
  return terminal ? END_SIGNALS : END_SIGNALS.filter((signal) => signal !== "SIGHUP");
}
