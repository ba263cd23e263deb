// `[[hook]]`: programs that events of a session start, from the process of the session. They look
// at the machine from outside, so a run with hooks is the same run.

import { EventPoll, POLL } from "./event-poll.ts";
import type { OwnHook } from "./own-programs.ts";
import { environmentValue, Programs } from "./run-program.ts";
import { TRACE_KINDS, type TraceKind } from "../../abi/trace.ts";
import { QUIET_KINDS } from "../../inspection/trace/event-log.ts";
import { SESSION, type SessionEvent } from "../../protocol/protocol.ts";
import { type Filter, parseFilter } from "../../queries/filter.ts";
import type { RowOf } from "../../queries/table.ts";
import { EVENTS } from "../../queries/tables.ts";
import type { SessionClient } from "../../session/client.ts";

/** Programs of all hooks of a session at the same time. */
const RUNNING_MAX = 4;
/** Events of one hook that wait for a program. */
const WAITING_MAX = 16;
/** Wall time (ms) that programs have to end once the session has. */
const AFTER_END = 5000;
/** Numbers of questions that no other client of the connection uses. */
const FIRST_QUESTION = 2 ** 51;

type EventRow = RowOf<typeof EVENTS>;

/** A client whose events start programs. */
export interface HookedClient extends SessionClient {
  /** Waits for programs that still run once the session has ended; ends those that take long. */
  finish(): Promise<void>;
}

/**
 * The client, with programs started by its events.
 * @param session name of the session, for the programs
 */
export function withHooks(client: SessionClient, hooks: readonly OwnHook[], session: string): HookedClient {
  let listener: (event: SessionEvent) => void = () => {};
  let time = 0, timer: ReturnType<typeof setInterval> | undefined;
  const say = (text: string) => {
    listener({ kind: "events", events: [{ time, vcpu: SESSION, kind: "log", text, refused: true }], dropped: 0 });
  };
  const runs = hooks.map((hook) => new Hook(hook, parseFilter(hook.on, EVENTS)));
  const programs = new HookPrograms(session, say);
  const kinds = [...new Set(hooks.flatMap(({ on }) => kindsOf(on)))];
  const poll = new EventPoll(client, kinds, FIRST_QUESTION, hooks.map(({ on }) => on).join(" | "));
  const look = async () => {
    const { rows, dropped } = await poll.take();
    if (dropped) say(`${dropped} events were lost before hooks saw them`);
    for (const row of rows) {
      time = Number(row.end);
      for (const hook of runs) if (hook.filter.matches(row)) programs.add(hook, row);
    }
  };
  client.onEvent = (event) => {
    if (poll.hears(event)) return;
    if (event.kind === "ended" || event.kind === "failed") clearInterval(timer);
    // Before any listener gets the end: the worker may end after it.
    if (event.kind === "ended") void look().then(() => listener(event));
    else listener(event);
  };
  return {
    send(request) {
      client.send(poll.widened(request));
      if (request.kind !== "start") return;
      poll.begin();
      timer = setInterval(() => void look(), POLL);
    },
    close() {
      clearInterval(timer);
      client.close();
    },
    finish: () => programs.finish(),
    get onEvent() {
      return listener;
    },
    set onEvent(value) {
      listener = value;
    },
  };
}

/**
 * Kinds of events that a filter can match. Busy kinds are recorded only where the filter names
 * them.
 */
function kindsOf(filter: string): readonly TraceKind[] {
  const named = [...filter.matchAll(/(?:^|[ |])kind=([a-z]+)/g)].map(([, kind]) => kind);
  return TRACE_KINDS.filter((kind) => named.includes(kind) || QUIET_KINDS.includes(kind));
}

/** A hook of one session. */
class Hook {
  started = 0;
  readonly waiting: EventRow[] = [];
  /** Reported once each. */
  readonly said = new Set<string>();
  running = false;

  constructor(readonly rule: OwnHook, readonly filter: Filter) {}
}

/** The programs of all hooks: one of each hook at a time. */
class HookPrograms {
  readonly #programs = new Programs();
  readonly #hooks = new Set<Hook>();

  constructor(readonly session: string, readonly say: (text: string) => void) {}

  add(hook: Hook, row: EventRow): void {
    const { rule, waiting } = hook;
    if (hook.started + waiting.length >= rule.limit) {
      return this.#once(hook, `limit ${rule.limit} is reached; it starts no more programs in this session`);
    }
    if (waiting.length >= WAITING_MAX) return this.#once(hook, `${WAITING_MAX} events wait for its program; further ones are passed over`);
    waiting.push(row);
    this.#hooks.add(hook);
    this.#next();
  }

  #next(): void {
    for (const hook of this.#hooks) {
      if (this.#programs.running >= RUNNING_MAX) return;
      if (!hook.running && hook.waiting.length) void this.#run(hook, hook.waiting.shift()!);
    }
  }

  async #run(hook: Hook, row: EventRow): Promise<void> {
    const { rule } = hook;
    hook.running = true;
    hook.started++;
    const fields = Object.entries(row).map(([name, value]) => [`EL2_EVENT_${name.toUpperCase()}`, environmentValue(value)]);
    const env = { ...Object.fromEntries(fields), EL2_HOOK: rule.name, EL2_SESSION: environmentValue(this.session) };
    const { problem, output } = await this.#programs.run({ run: rule.run, folder: rule.folder, env, timeout: rule.timeout });
    hook.running = false;
    const last = output.trimEnd().split("\n").at(-1);
    if (problem !== undefined) this.#once(hook, `${rule.run[0]}: ${problem}${last ? `: ${last}` : ""}`);
    this.#next();
  }

  #once(hook: Hook, text: string): void {
    if (hook.said.has(text)) return;
    hook.said.add(text);
    this.say(`hook ${hook.rule.name}: ${text}`);
  }

  async finish(): Promise<void> {
    const limit = performance.now() + AFTER_END;
    while (performance.now() < limit && [...this.#hooks].some(({ running, waiting }) => running || waiting.length)) {
      await new Promise((resolve) => setTimeout(resolve, POLL / 10));
    }
    for (const hook of this.#hooks) hook.waiting.length = 0;
    await this.#programs.close();
  }
}
