// The machine of a session, from its first request to its end, and the machines that follow it if
// it reboots.

import { assemble, prepare } from "../assembly/assemble.ts";
import { type BuiltCore, useBuiltCore } from "../assembly/built-core.ts";
import { readVars } from "../assembly/layout/firmware-variables.ts";
import { computer } from "../outside/computer.ts";
import { Engine } from "../engine/engine.ts";
import type { Again } from "../engine/session-run.ts";
import { Standing } from "../engine/standing.ts";
import { alone, type SessionPlan } from "../../model/plans/plan.ts";
import { type Request, SESSION, type SessionEvent } from "../../model/protocol/protocol.ts";
import { HOST, vmId } from "../../model/queries/ids.ts";
import { noAnswer } from "../../model/queries/query.ts";
import type { ContainedBug } from "../assembly/system/system.ts";
import { beginAtState, beginSystem, loaded } from "../snapshots/begin.ts";
import type { Reading } from "../snapshots/file.ts";
import { isBefore } from "../recordings/past/history.ts";
import { momentAt } from "../recordings/past/past.ts";
import type { StateFile } from "../recordings/past/state-file.ts";
import type { PageFile } from "../state/page-file.ts";
import { exceptionText, type Problem, problemText } from "../../kit/support/problem.ts";
import { WriteFailure } from "../../kit/support/files/write-all.ts";
import type { BrokenRun } from "../engine/bug-report.ts";
import type { Outbox } from "./outbox.ts";
import { DumpServer } from "./dump-server.ts";
import type { NamedDump } from "../../inside/dumps/dump.ts";
import { serveRequest } from "./requests.ts";

/** Exit code for a snapshot or a dump that cannot be used. */
const UNUSABLE = 2;
/** Wall time (ms) between two reports of a snapshot that is read. */
const LOADING_INTERVAL = 200;

/** Serves the requests of one client. */
export class MachineServer {
  #engine: Engine | undefined;
  /** A dump, instead of a machine. */
  #dump: DumpServer | undefined;
  #plan: SessionPlan | undefined;
  #inputEnded = false;
  readonly #standing = new Standing();
  /** A file for states for going back, opened while this thread may. */
  pages: PageFile | undefined;
  /** Files of a dump, opened while this thread may. */
  files: readonly NamedDump[] = [];
  /** States of the run that is replayed. */
  states: StateFile | undefined;

  /**
   * @param requested whether a request waits to enter
   * @param report writes a report of a bug in el2, and returns its path
   */
  constructor(
    readonly outbox: Outbox,
    readonly requested: () => boolean,
    readonly report: (run: BrokenRun) => Promise<string | undefined> = () => Promise.resolve(undefined),
  ) {}

  /** Takes the core that a program without a cache brings. False if it is damaged. */
  takeCore(core: BuiltCore): boolean {
    return useBuiltCore(core);
  }

  /** Whether the machine runs: it neither sleeps nor is paused. */
  get busy(): boolean {
    return this.#engine?.busy ?? false;
  }

  /**
   * Handles the requests of one message; their answers go out in one message.
   * @param taken is called before each
   */
  receive(requests: readonly Request[], taken: () => void): void {
    this.outbox.together(() => {
      for (const request of requests) {
        taken();
        this.#guarded(() => this.#handle(request));
      }
    });
  }

  /** Input from the computer arrives. */
  outside(work: () => void): void {
    this.#guarded(work);
  }

  /** Does some work; a bug in el2 ends the machine and is reported. */
  #guarded(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.#engine?.halt();
      if (error instanceof WriteFailure) return this.#post({ kind: "ended", end: { code: 1, message: error.message } });
      this.#failed(error);
    }
  }

  /** A bug of el2 has ended the machine: the message names the report. */
  #failed(error: unknown): void {
    const message = error instanceof Error ? error.stack ?? error.message : String(error);
    const engine = this.#engine, plan = this.#plan;
    if (!engine || !plan) return this.#post({ kind: "failed", message });
    const { present, inputs, lost } = engine;
    const run = { error, plan, inputs, lost, instructions: present.instructions(), time: present.machine.time };
    this.#report(run, (where) => {
      const [first, ...stack] = message.split("\n");
      this.#post({ kind: "failed", message: [first + where, ...stack].join("\n") });
    });
  }

  /** A bug of el2 has ended a part of the machine or an answer: an event names the report. */
  #contained({ where, error, query }: ContainedBug): void {
    const engine = this.#engine, plan = this.#plan;
    if (!engine || !plan) throw error;
    const { present, inputs, lost } = engine;
    const time = present.machine.boundary;
    this.#report({ error, plan, inputs: [...inputs], lost, instructions: present.instructions(), time, part: where, query }, (path) => {
      const place = query === undefined ? `${where}, which is out of order` : `the answer to ${where}`;
      const text = `bug of el2 in ${place}: ${exceptionText(error)}${path}`;
      const event = { time, pcpu: undefined, kind: "log", vcpu: SESSION, text, refused: true } as const;
      this.outbox.tell({ kind: "events", events: [event], dropped: 0 });
    });
  }

  /** Has a report written, and names its path. */
  #report(run: BrokenRun, tell: (where: string) => void): void {
    // The bug matters more than the reason why its report cannot be written: both are reported.
    this.report(run).then(
      (path) => tell(path === undefined ? "" : ` (report: ${path})`),
      (problem) => tell(` (no report: ${problem instanceof Error ? problem.message : problem})`),
    );
  }

  #handle(request: Request): void {
    switch (request.kind) {
      case "prepare":
        return prepare(request.plan, request.atEl2);
      case "start":
        if (this.#engine) throw new Error("the machine was already started");
        return this.#begin(request.plan);
      case "open":
        if (this.#engine || this.#dump) throw new Error("the machine was already started");
        return this.#openDump();
      case "forget":
        this.#engine?.forget(request.id);
        return this.#standing.forget(request.id);
      case "input-ended":
        this.#inputEnded = true;
        break;
      case "query":
        if (request.repeat) this.#standing.add(request.id, request.query, request.repeat, performance.now());
    }
    if (this.#dump) return this.#dump.serve(request);
    if (this.#engine) return serveRequest(this.#engine, request);
    if (request.kind === "stop") this.#post({ kind: "ended", end: { code: 0, message: "stopped before it began" } });
    // The client must not wait for an answer.
    if ("id" in request) this.#post({ kind: "answer", id: request.id, answer: noAnswer("no machine") });
  }

  #openDump(): void {
    const opened = DumpServer.open(this.files, (event) => this.#post(event), this.#standing);
    if ("refused" in opened) return this.#refuse(opened.refused);
    this.#dump = opened;
  }

  #begin(plan: SessionPlan): void {
    this.#plan = plan;
    // A second machine gets the recorded outside input, instead of real sockets.
    const second = alone(plan);
    const to = plan.replay?.to, moment = to && momentAt(to);
    const kept = this.states?.states.filter((one) => moment === undefined || isBefore(one, moment)) ?? [], last = kept.at(-1);
    const there = last && beginAtState(plan, last.state, last.memory);
    const begun = there ?? beginSystem(plan, false, this.#loading());
    if ("refused" in begun) return this.#refuse(begun.refused);
    const again: Again = (state, left, disks) => state ? loaded(second, state, left, disks) : assemble(second, undefined, false, disks);
    const port = {
      post: (event: SessionEvent) => this.#post(event),
      together: (work: () => void) => this.outbox.together(work),
      standing: this.#standing,
      guarded: (work: () => void) => this.#guarded(work),
      contained: (bug: ContainedBug) => this.#contained(bug),
      requested: this.requested,
      pages: this.pages,
      lags: () => this.outbox.lags,
      again,
    };
    this.#engine = new Engine(begun.system, begun.plan, port, begun.state, there && { states: kept, start: there.start });
    if (this.#inputEnded) this.#engine.endInput();
    this.#engine.start();
  }

  /** The session ends before it begins. */
  #refuse(problem: Problem): void {
    this.#post({ kind: "ended", end: { code: UNUSABLE, message: problemText(problem), problem } });
  }

  /** Reports now and then how much of a snapshot is read. */
  #loading(): Reading {
    let next = performance.now() + LOADING_INTERVAL;
    return (done, total) => {
      if (performance.now() < next) return;
      next = performance.now() + LOADING_INTERVAL;
      this.outbox.tell({ kind: "loading", done, total });
    };
  }

  #post(event: SessionEvent): void {
    if (event.kind === "ended" && event.end.reset && this.#plan?.reboot) return this.#reboot(this.#plan, event.end.message);
    this.outbox.tell(event);
  }

  /** The old machine has been released when this returns. */
  #reboot(ended: SessionPlan, why: string): void {
    const note = { time: 0, pcpu: undefined, kind: "state", vcpu: vmId(HOST), text: `${why}: it starts again`, refused: false } as const;
    this.outbox.tell({ kind: "events", events: [note], dropped: 0 });
    setTimeout(() => this.#guarded(() => this.#begin(rebooted(ended))), 0);
  }
}

/**
 * The plan of a rebooted machine: from its start, with the variables that its firmware has stored.
 */
function rebooted(plan: SessionPlan): SessionPlan {
  const { from: _from, instant: _instant, hashAt: _hashAt, ...next } = plan;
  const { what, table } = plan;
  const before = what.kind === "boot" ? what.firmware?.vars : undefined;
  if (what.kind !== "boot" || !what.firmware || !before) return next;
  const vars = readVars(before.path, (path) => computer().disk(path, true));
  const files = table && { table: { ...table, variables: { [vars.path]: vars.content } } };
  return { ...next, what: { ...what, firmware: { ...what.firmware, vars } }, ...files };
}
