// One machine, several clients: output and events go to all, requests come from any. A client in
// this process may hold the machine back until its screen has caught up; a client on a socket loses
// output instead.

import type { TraceKind } from "../../machine/abi/trace.ts";
import type { SessionClient } from "../worker/client.ts";
import { CONSOLE_BREAK } from "../../model/commands/consoles.ts";
import { isConsoleOf } from "../../model/queries/ids.ts";
import { parseFilter } from "../../model/queries/filters/filter.ts";
import { type Answer, noAnswer, problemIn, type Query } from "../../model/queries/query.ts";
import { SESSION_MEMORY } from "../../model/queries/tables.ts";
import { type MachineSample, ORDERLY_END, type Request, type SessionEnd, type SessionEvent } from "../../model/protocol/protocol.ts";
import { warn } from "../../kit/support/warn.ts";
import { ConsoleLog } from "../outside/console-log.ts";
import { memoryRow, type MemoryUse } from "../../model/queries/memory-use.ts";
import { CAPACITY, ConsoleRing } from "./console-ring.ts";
import { changes, type ClientMessage, type ServerMessage, type SessionInfo } from "./conversation.ts";
import { KiB, MiB } from "../../kit/support/values/sizes.ts";
import { endProblem, hasEnded } from "../../model/queries/facts/problem.ts";
import type { Problem } from "../../kit/support/problem.ts";
import { hint } from "../../kit/support/text/hint.ts";
import { way } from "../../kit/support/text/way-out.ts";

/** Bytes of console output that may be in flight to one client. */
const UNDER_WAY = MiB;
/** Bytes in which kept output goes to a client: a message has several copies on its way. */
const PIECE = 64 * KiB;

/** A session has one debugger at a time. */
const ANOTHER_DEBUGGER: Problem = {
  what: "another debugger is attached to a VM of this session",
  wayOut: way`end it first; ${hint("gdb", "el2")} serves all VMs to one gdb, a thread per vCPU`,
};

/** Limit on the requests of one socket client that wait for answers. */
const ASKED_MAX = 1024;

/** The role of a client. */
export interface ClientOptions {
  readonly readOnly: boolean;
  /** Console output, samples and events, not only answers. */
  readonly follow: boolean;
  /** The consoles, or VMs, whose output it wants; all if it names none. */
  readonly consoles?: readonly string[];
  /** The machine waits for it; otherwise it loses output. */
  readonly patient: boolean;
}

/** Receives a client's messages. */
type Listener = (message: ServerMessage) => void;

class HubClient {
  underWay = 0;
  /** By console whose output it has not all been sent: the place of the next byte in the ring. */
  readonly behind = new Map<string, number>();
  watched: readonly TraceKind[] = [];
  budget = Infinity;
  /** Requests that wait for answers. */
  asked = 0;

  constructor(readonly options: ClientOptions, readonly listener: Listener) {}

  /** Whether it may be sent as many bytes more. */
  takes(bytes: number): boolean {
    return this.options.patient || this.underWay === 0 || this.underWay + bytes <= UNDER_WAY;
  }

  output(console: string, bytes: Uint8Array): void {
    this.underWay += bytes.length;
    this.listener({ kind: "console", console, bytes });
  }
}

/** Whether output of a console goes to a client with such options. */
function hears({ follow, consoles }: ClientOptions, console: string): boolean {
  return follow && (consoles === undefined || consoles.some((vm) => isConsoleOf(vm, console)));
}

/** A request that awaits its answers. */
interface Asked {
  readonly client: HubClient;
  readonly id: number;
  /** Answers still to come after the next one. */
  more: number;
  answered: boolean;
  /** Those of a query; undefined for another request. */
  readonly args: Query["args"] | undefined;
  /** A file is written for it: its client hears how that ends, and may leave. */
  readonly writes: boolean;
}

export class SessionHub {
  readonly #clients = new Set<HubClient>();
  readonly #rings = new Map<string, ConsoleRing>();
  readonly #logs = new Map<string, ConsoleLog>();
  /** The asking client and its number of the query, by the hub's number. */
  readonly #asked = new Map<number, Asked>();
  #nextId = 0;
  /**
   * The client that has a VM in its debugger: only its debug requests reach the machine.
   */
  #debugger: HubClient | undefined;
  #sample: MachineSample | undefined;
  /** The last snapshot that was saved. */
  #saved: Extract<SessionEvent, { kind: "saved" }> | undefined;
  #paused = false;
  /** The event that names the place in the past that a paused machine shows. */
  #past: Extract<SessionEvent, { kind: "paused" }> | undefined;
  #end: SessionEnd | undefined;
  /** The answer to all questions, once the machine has failed: it gives none itself. */
  #failure: Answer | undefined;
  #ending = false;
  /** Bytes that the machine has sent and clients have not confirmed. */
  #owed = 0;
  /** Called when the machine has ended. */
  onEnd: (end: SessionEnd) => void = () => {};
  /** Called when a client asks for the session's end. */
  onDown: () => void = () => {};

  /**
   * @param session with the folder for a log of each console, or undefined for none
   * @param consoleLimit bytes of output that are kept, of all consoles
   */
  constructor(
    readonly machine: SessionClient,
    readonly session: Pick<SessionInfo, "name" | "what" | "started" | "logs" | "configuration" | "recording" | "by">,
    readonly consoleLimit: number,
  ) {
    machine.onEvent = (event) => this.#event(event);
  }

  get info(): SessionInfo {
    return { ...this.session, pid: Deno.pid, clients: this.#clients.size, ended: this.#end && endProblem(this.#end), paused: this.#paused };
  }

  /** How the machine ended, once it did. */
  get end(): SessionEnd | undefined {
    return this.#end;
  }

  /** The bytes of output that a client with such options gets first, by console. */
  kept(options: ClientOptions): Record<string, number> {
    return Object.fromEntries(
      [...this.#rings].flatMap(([console, ring]) => hears(options, console) ? [[console, ring.end - ring.start]] : []),
    );
  }

  /** Of those, the bytes that came before the last input, by console with input. */
  beforeInput(options: ClientOptions): Record<string, number> {
    return Object.fromEntries(
      [...this.#rings].flatMap(([console, { input, start }]) =>
        hears(options, console) && input !== undefined ? [[console, Math.max(input - start, 0)]] : []
      ),
    );
  }

  /**
   * Adds a client, which gets the consoles' output so far and the state of the machine. Returns
   * functions to send its messages and to remove it.
   */
  join(options: ClientOptions, listener: Listener): { send: (message: ClientMessage) => void; leave: () => void } {
    const client = new HubClient(options, listener);
    if (options.follow) {
      for (const [console, ring] of this.#rings) {
        if (!hears(client.options, console)) continue;
        client.behind.set(console, ring.start);
        this.#catchUp(client, console, ring);
      }
      if (this.#saved) listener(this.#saved);
      if (this.#sample) listener({ kind: "sample", sample: this.#sample });
    }
    if (this.#paused) listener(this.#past ?? { kind: "paused", paused: true, past: false });
    if (this.#failure) listener({ kind: "failed", message: this.#end!.message });
    else if (this.#end) listener({ kind: "ended", end: this.#end });
    this.#clients.add(client);
    return {
      send: (message) => this.#request(client, message),
      leave: () => {
        this.#clients.delete(client);
        for (const [id, asked] of this.#asked) if (asked.client === client) this.#forget(id, asked);
        if (client.watched.length && !this.#end) this.#watch();
        if (client === this.#debugger) {
          this.#debugger = undefined;
          if (!this.#end) this.machine.send({ kind: "debug-release" });
        }
        this.#confirm();
      },
    };
  }

  /** A client in this process. */
  connect(readOnly = false): SessionClient {
    const client: SessionClient = { send: () => {}, onEvent() {}, close: () => leave() };
    const { send, leave } = this.join({ readOnly, follow: true, patient: true }, (message) => {
      if (message.kind !== "welcome" && message.kind !== "refused" && message.kind !== "lost" && message.kind !== "closed") {
        client.onEvent(message);
      }
    });
    client.send = send;
    return client;
  }

  /**
   * Ends the machine in order, which seals its recording, and waits for that. A machine that does
   * not answer in time is ended at once.
   */
  async endInOrder(): Promise<void> {
    this.#ending = true;
    if (!this.#end) {
      const ended = Promise.withResolvers<void>();
      this.onEnd = () => ended.resolve();
      const late = setTimeout(() => ended.resolve(), ORDERLY_END);
      this.machine.send({ kind: "stop" });
      await ended.promise;
      clearTimeout(late);
    }
    this.close();
  }

  /** Ends the machine at once. */
  close(): void {
    this.machine.close();
    for (const log of this.#logs.values()) log.close();
    this.#logs.clear();
  }

  #request(client: HubClient, message: ClientMessage): void {
    if (client.options.readOnly && changes(message)) {
      client.listener({ kind: "refused", request: message.kind, message: `${message.kind} refused: read-only session (--read-only)` });
      return;
    }
    if ("id" in message && message.kind !== "forget" && !client.options.patient && client.asked >= ASKED_MAX) {
      return client.listener({ kind: "answer", id: message.id, answer: noAnswer(`${ASKED_MAX} requests are already waiting for answers`) });
    }
    if (this.#failure && message.kind === "debug-attach") {
      return client.listener({ kind: "debug-attached", error: problemIn(this.#failure) });
    }
    if (this.#failure && "id" in message && message.kind !== "forget") {
      return client.listener({ kind: "answer", id: message.id, answer: this.#failure });
    }
    switch (message.kind) {
      case "hello":
        return;
      case "watch":
        client.watched = message.kinds;
        client.budget = message.budget ?? Infinity;
        return this.#watch();
      case "down":
        return this.onDown();
      case "taken":
        client.underWay = Math.max(0, client.underWay - message.bytes);
        for (const console of client.behind.keys()) this.#catchUp(client, console, this.#rings.get(console)!);
        return this.#confirm();
      case "query":
        return this.machine.send({
          ...message,
          id: this.#ask(client, message.id, { args: message.query.args, more: message.repeat?.times }),
        });
      case "forget":
        for (const [id, asked] of this.#asked) {
          if (asked.client !== client || asked.id !== message.id) continue;
          if (!asked.writes) this.#forget(id, asked);
          else if (!this.#end) this.machine.send({ kind: "forget", id });
        }
        return;
      case "act":
        if (message.action.kind === CONSOLE_BREAK.kind) this.#noteInput(message.action.console);
        return this.machine.send({ ...message, id: this.#ask(client, message.id) });
      case "input":
        this.#noteInput(message.console);
        return this.machine.send(message);
      case "snapshot":
        return this.machine.send({ ...message, id: this.#ask(client, message.id, { writes: true }) });
      case "stop-rule":
      case "symbols":
      case "mark":
      case "save-recording":
      case "move":
        return this.machine.send({ ...message, id: this.#ask(client, message.id) });
      case "debug-attach":
        if (this.#debugger && this.#debugger !== client) {
          return client.listener({ kind: "debug-attached", error: ANOTHER_DEBUGGER });
        }
        this.#debugger = client;
        return this.machine.send(message);
      case "debug":
      case "debug-stop":
      case "debug-continue":
      case "debug-back":
      case "debug-detach":
      case "debug-release":
        // Before it is attached, a debugger has no VM to act on.
        if (client === this.#debugger) this.machine.send(message);
        return;
      default:
        return this.machine.send(message satisfies Request);
    }
  }

  /** Notes the client that waits for answers. Returns the hub's number of the query. */
  #ask(client: HubClient, id: number, { args, more = 0, writes = false }: Partial<Pick<Asked, "args" | "more" | "writes">> = {}): number {
    client.asked++;
    this.#asked.set(++this.#nextId, { client, id, more, answered: false, args, writes });
    return this.#nextId;
  }

  /** Memory of the consoles' rings. */
  #consoleMemory(): MemoryUse {
    const rings = [...this.#rings.values()];
    return {
      part: "consoles",
      used: rings.reduce((sum, { size }) => sum + size, 0),
      limit: this.consoleLimit,
      dropped: rings.reduce((sum, { lost }) => sum + lost, 0),
      what: "console output for clients that attach later; at the limit the oldest is dropped",
    };
  }

  /** Adds the row of the consoles, whose output is here, to the machine's answer on memory. */
  #withConsoles(answer: Answer, { filter = "", limit = Infinity }: Query["args"] = {}): Answer {
    if (answer.table !== "session.memory" || answer.error !== undefined) return answer;
    const row = memoryRow(this.#consoleMemory());
    if (answer.rows.length >= limit || !parseFilter(filter, SESSION_MEMORY).matches(row)) return answer;
    return { ...answer, rows: [...answer.rows, row] };
  }

  /** Adds a console's ring. All have the same share of the limit. */
  #addRing(console: string): ConsoleRing {
    const ring = new ConsoleRing();
    this.#rings.set(console, ring);
    for (const one of this.#rings.values()) one.limit(Math.min(CAPACITY, Math.floor(this.consoleLimit / this.#rings.size)));
    return ring;
  }

  /** Drops a request whose answers are no longer awaited. */
  #forget(id: number, { client, more, answered, writes }: Asked): void {
    client.asked--;
    this.#asked.delete(id);
    // The answer to a single question may take long, too.
    if ((more > 0 || !answered) && !writes && !this.#end) this.machine.send({ kind: "forget", id });
  }

  /** Has the machine record every event that a client watches. */
  #watch(): void {
    const kinds = new Set<TraceKind>();
    let budget = 0;
    for (const client of this.#clients) {
      for (const kind of client.watched) kinds.add(kind);
      if (client.watched.length) budget = Math.max(budget, client.budget);
    }
    this.machine.send({ kind: "watch", kinds: [...kinds], ...kinds.size > 0 && budget < Infinity && { budget } });
  }

  #event(event: SessionEvent): void {
    switch (event.kind) {
      case "answer":
      case "acted":
      case "snapshotted":
      case "moved": {
        const asked = this.#asked.get(event.id);
        if (!asked) return;
        asked.answered = true;
        if (event.kind === "answer") event = { ...event, answer: this.#withConsoles(event.answer, asked.args) };
        const last = event.kind !== "snapshotted" || event.whole || event.error !== undefined;
        if (last && asked.more-- === 0) {
          asked.client.asked--;
          this.#asked.delete(event.id);
        }
        return asked.client.listener({ ...event, id: asked.id });
      }
      case "searching":
      case "moving": {
        const asked = this.#asked.get(event.id);
        return asked?.client.listener({ ...event, id: asked.id });
      }
      case "debug-attached":
      case "debug-answer":
      case "debug-stopped": {
        const client = this.#debugger;
        if (event.kind === "debug-attached" && event.error !== undefined) this.#debugger = undefined;
        return client?.listener(event);
      }
      case "console":
        return this.#console(event.console, event.bytes);
      case "sample":
        this.#sample = event.sample;
        break;
      case "saved":
        this.#saved = event;
        break;
      case "paused":
        this.#paused = event.paused;
        this.#past = event.past ? event : undefined;
        break;
      case "ended":
        this.#finish(event.end);
        // The session ends, not only its machine: clients notice by their connections.
        if (this.#ending) return;
        break;
      case "failed":
        this.#failure = noAnswer(`the machine has failed: ${event.message.split("\n", 1)[0]}`);
        this.#finish({ code: 1, message: event.message });
        break;
    }
    const always = event.kind === "ended" || event.kind === "failed" || event.kind === "paused" ||
      event.kind === "stopped" || event.kind === "undone";
    for (const client of [...this.#clients]) if (always || client.options.follow) client.listener(event);
  }

  #finish(end: SessionEnd): void {
    this.#end ??= end;
    for (const [number, { client, id, more, answered, args }] of this.#asked) {
      // A machine that has only ended answers questions, but none again.
      if (!this.#failure && args && more === 0) continue;
      client.asked--;
      this.#asked.delete(number);
      // A client that has had an answer keeps its last one.
      if (more > 0 && answered) continue;
      const answer = noAnswer(hasEnded(endProblem(end)));
      client.listener({ kind: "answer", id, answer });
    }
    this.onEnd(this.#end);
  }

  /** Output of a console from now on may answer an input. */
  #noteInput(console: string): void {
    const ring = this.#rings.get(console);
    if (ring) ring.input = ring.end;
  }

  #console(console: string, bytes: Uint8Array): void {
    let ring = this.#rings.get(console);
    if (!ring) {
      ring = this.#addRing(console);
      if (this.session.logs !== undefined) {
        // A VM's name must not lead out of the folder.
        const file = `${console.replaceAll(/[^A-Za-z0-9_.-]/g, "-")}.log`;
        this.#logs.set(console, new ConsoleLog(`${this.session.logs}/${file}`));
      }
    }
    const place = ring.end;
    ring.add(bytes);
    this.#log(console, bytes);
    for (const client of this.#clients) {
      if (!hears(client.options, console) || client.behind.has(console)) continue;
      if (client.takes(bytes.length)) client.output(console, bytes);
      else client.behind.set(console, place);
    }
    this.#owed += bytes.length;
    this.#confirm();
  }

  /** A log that cannot be written ends with a message; the console continues. */
  #log(name: string, bytes: Uint8Array): void {
    const log = this.#logs.get(name);
    log?.write(bytes);
    if (log?.failed === undefined) return;
    warn(`log of console ${name}: ${log.failed}; the console continues without it`);
    this.#logs.delete(name);
  }

  /** Sends a client the output of a console that it has not had, until it takes no more. */
  #catchUp(client: HubClient, console: string, ring: ConsoleRing): void {
    for (let place = client.behind.get(console); place !== undefined; place = client.behind.get(console)) {
      const start = place < ring.lost ? ring.start : place, bytes = Math.min(PIECE, ring.end - start);
      if (!client.takes(bytes)) return;
      // First, as a listener may confirm at once.
      if (start + bytes < ring.end) client.behind.set(console, start + bytes);
      else client.behind.delete(console);
      if (start > place) client.listener({ kind: "lost", console, bytes: start - place });
      if (bytes > 0) client.output(console, ring.read(start, bytes));
    }
  }

  /** Allows the machine to continue, unless a patient client lags. */
  #confirm(): void {
    if (this.#owed === 0) return;
    for (const { options, underWay } of this.#clients) if (options.patient && options.follow && underWay > UNDER_WAY) return;
    const bytes = this.#owed;
    this.#owed = 0;
    this.machine.send({ kind: "taken", bytes });
  }
}
