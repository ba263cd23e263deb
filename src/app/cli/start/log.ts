// `--log FILE`: the events of a session as lines of text, in addition to its display.

import { writing } from "../common/named-file.ts";
import { MACHINE_KINDS, type TraceKind } from "../../../machine/abi/trace.ts";
import { Asker } from "../../../session/control/asker.ts";
import { BUSY_KINDS, QUIET_KINDS } from "../../../machine/abi/trace.ts";
import { type MachineEvent, type Request, SESSION, type SessionEvent } from "../../../model/protocol/protocol.ts";
import { withoutKind } from "../../../model/queries/ids.ts";
import { rowsOf } from "../../../model/queries/query.ts";
import { EVENTS } from "../../../model/queries/tables.ts";
import type { SessionClient } from "../../../session/worker/client.ts";
import { warn } from "../../../kit/support/warn.ts";
import { begun, type WholeFile } from "../../../kit/support/files/whole-file.ts";
import { writeAll, WriteFailure } from "../../../kit/support/files/write-all.ts";

/** Levels of the log, each including all before it (docs/workstation.md, "Event logs"). */
export const LOG_LEVELS = ["error", "warn", "info", "debug", "trace"] as const;
type LogLevel = typeof LOG_LEVELS[number];

/** The fields of a line. */
type Line = Pick<MachineEvent, "time" | "kind" | "vcpu" | "text" | "refused">;

/** Kinds that are requested, per level; the machine reports the others by itself. */
const ASKED: Readonly<Partial<Record<LogLevel, readonly TraceKind[]>>> = {
  debug: [...QUIET_KINDS, "hvc", "msg"],
  trace: MACHINE_KINDS,
};
/** The first level that includes an event that the machine reports by itself. */
function levelOf({ kind, vcpu, refused }: MachineEvent): LogLevel {
  if (kind === "rule" || vcpu === SESSION) return "warn";
  return refused ? "error" : "info";
}

/** Wall time (ms) between two questions. */
const POLL = 100;
/** More events than a machine keeps. */
const ALL = 1_000_000;
/** Numbers of questions that no other client of the connection uses. */
const FIRST_QUESTION = 2 ** 50;

/** The file and the level in `FILE,debug`. */
function logOf(text: string): { readonly path: string; readonly level: LogLevel } {
  const level = LOG_LEVELS.find((one) => text.endsWith(`,${one}`));
  return level ? { path: text.slice(0, -level.length - 1), level } : { path: text, level: "info" };
}

/**
 * The client, with each event written to a file before the listener gets it.
 * @param log the file, and after a comma the level
 * @throws Failure when the file cannot be written.
 */
export function withLog(client: SessionClient, log: string | undefined): SessionClient {
  if (log === undefined) return client;
  const { path, level } = logOf(log);
  const file = new LogFile(path);
  const kinds = ASKED[level];
  const asked = kinds && new AskedEvents(client, kinds);
  let listener: (event: SessionEvent) => void = () => {};
  const told = (event: MachineEvent) => {
    if (asked) return asked.told(event);
    if (LOG_LEVELS.indexOf(levelOf(event)) <= LOG_LEVELS.indexOf(level)) file.write(event);
  };
  const end = async (event: SessionEvent & { kind: "ended" }) => {
    // Before any listener gets the end: the worker may end after it.
    if (asked) { for (const line of await asked.drain()) file.write(line); }
    file.say(`ended with ${event.end.code}: ${event.end.message}`);
    listener(event);
  };
  let timer: ReturnType<typeof setInterval> | undefined;
  client.onEvent = (event) => {
    if (asked?.hears(event)) return;
    if (event.kind === "events") {
      event.events.forEach(told);
      if (event.dropped) file.say(`${event.dropped} events were lost here`);
    }
    if (event.kind === "ended" || event.kind === "failed") clearInterval(timer);
    if (event.kind === "ended") return void end(event);
    listener(event);
  };
  return {
    send(request) {
      client.send(asked?.widened(request) ?? request);
      if (!asked || request.kind !== "start") return;
      asked.begin();
      timer = setInterval(async () => (await asked.drain()).forEach((line) => file.write(line)), POLL);
    },
    close() {
      clearInterval(timer);
      client.close();
      file.close();
    },
    get onEvent() {
      return listener;
    },
    set onEvent(value) {
      listener = value;
    },
  };
}

class LogFile {
  #file: WholeFile | undefined;

  /** @throws Failure */
  constructor(readonly path: string) {
    this.#file = writing(`--log ${path}`, () => begun(path, undefined, { durable: false }));
  }

  /** One event: `!` where something was refused, time in seconds, who, kind, what. */
  write({ refused, time, vcpu, kind, text }: Line): void {
    this.say(`${refused ? "!" : " "}${(time / 1e9).toFixed(6)} ${vcpu} ${kind} ${text}`);
  }

  say(line: string): void {
    if (!this.#file) return;
    try {
      writeAll(this.#file, new TextEncoder().encode(`${line}\n`), `--log ${this.path}`);
    } catch (error) {
      if (!(error instanceof WriteFailure)) throw error;
      // The run is worth more than its log.
      this.close();
      warn(`${error.message}; logging ends here`);
    }
  }

  close(): void {
    this.#file?.close();
    this.#file = undefined;
  }
}

/** Events of kinds that a machine records when it is asked to, in the order of their ends. */
class AskedEvents {
  readonly #asker: Asker;
  readonly #busy: readonly TraceKind[];
  #after: string | undefined;
  #last: Promise<unknown> = Promise.resolve();
  /**
   * Events since the last answer that queries do not return: broken rules, undefined instructions.
   */
  #told: Line[] = [];

  constructor(readonly client: SessionClient, readonly kinds: readonly TraceKind[]) {
    this.#asker = new Asker(client, FIRST_QUESTION);
    this.#busy = BUSY_KINDS.filter((kind) => kinds.includes(kind));
  }

  /** The machine was started. */
  begin(): void {
    if (this.#busy.length) this.client.send({ kind: "watch", kinds: this.#busy });
  }

  /** Other readers must not narrow the kinds that are recorded, nor limit their number. */
  widened(request: Request): Request {
    if (request.kind !== "watch" || !this.#busy.length) return request;
    return { kind: "watch", kinds: [...new Set([...request.kinds, ...this.#busy])] };
  }

  /** Whether an event is an answer for the log. */
  hears(event: SessionEvent): boolean {
    return this.#asker.receive(event);
  }

  told(event: MachineEvent): void {
    if (event.kind === "hvc" || !this.kinds.includes(event.kind)) this.#told.push(event);
  }

  /** Events since the last query. One question at a time, or both would have the same answer. */
  drain(): Promise<Line[]> {
    const next = this.#last.then(() => this.#ask());
    this.#last = next;
    return next;
  }

  async #ask(): Promise<Line[]> {
    const answer = await this.#asker.ask({ table: "events", args: { after: this.#after, kinds: this.kinds.join(), limit: ALL } });
    this.#after = answer.cursor ?? this.#after;
    const rows = rowsOf(EVENTS, answer), { dropped } = answer;
    const ended = rows.map(({ t, end, kind, vcpu, vm, text, refused }) => {
      const line: Line = { time: Number(t), kind, vcpu: (vcpu && withoutKind("vcpu", vcpu)) ?? vm ?? "machine", text, refused };
      return { end: Number(end), line };
    });
    const told = this.#told.splice(0).map((line) => ({ end: line.time, line }));
    const lines = [...ended, ...told].sort((a, b) => a.end - b.end).map(({ line }) => line);
    if (!dropped) return lines;
    const lost = {
      time: ended[0]?.end ?? 0,
      kind: "log",
      vcpu: SESSION,
      text: `${dropped} events were lost here`,
      refused: true,
    } as const;
    return [lost, ...lines];
  }
}
