// The machine's side of the protocol, in a worker: it builds the machine of the first request and
// runs it in slices, and returns to its event loop between them, so that input and requests are
// never far away.

import { assemble, prepare } from "../assembly/assemble.ts";
import { keepCores } from "../assembly/core-cache.ts";
import { Engine } from "../engine/engine.ts";
import { Standing } from "../engine/standing.ts";
import { beginSystem, loaded } from "../snapshots/begin.ts";
import type { SystemState } from "../state/system-state.ts";
import type { Connection } from "./client.ts";
import { WriteFailure } from "../support/write-all.ts";
import { noAnswer } from "../queries/query.ts";
import { readVars } from "../assembly/firmware-layout.ts";
import type { SessionPlan } from "../plans/plan.ts";
import type { Request, SessionEvent } from "../protocol/protocol.ts";

/** Exit code for a snapshot that cannot be loaded. */
const UNUSABLE = 2;
const NOTHING_RECORDED = { inputs: [], checks: [], end: undefined };

/** The plan of a machine's next life: from its start, with what its firmware has stored. */
function rebooted(plan: SessionPlan): SessionPlan {
  const { from: _from, instant: _instant, ...next } = plan;
  const { what } = plan;
  const vars = what.kind === "boot" ? what.firmware?.vars : undefined;
  if (what.kind !== "boot" || !what.firmware || !vars) return { ...next, hashAt: [] };
  return { ...next, hashAt: [], what: { ...what, firmware: { ...what.firmware, vars: readVars(vars.path) } } };
}

/** Listens to requests. Call it once, in the worker. */
export function serveMachine(): void {
  let engine: Engine | undefined;
  let inputEnded = false;
  let bell: Int32Array = new Int32Array(1);
  let answered = 0;
  let plan: SessionPlan | undefined;
  const standing = new Standing();
  /**
   * What goes in one message: answers to the requests of one, a sample with what is answered beside
   * it.
   */
  let gathered: SessionEvent[] | undefined;
  const tell = (event: SessionEvent) => {
    if (gathered) gathered.push(event);
    else globalThis.postMessage([event]);
  };
  const together = (work: () => void) => {
    if (gathered) return work();
    const events: SessionEvent[] = gathered = [];
    try {
      work();
    } finally {
      gathered = undefined;
      if (events.length) globalThis.postMessage(events);
    }
  };
  const post = (event: SessionEvent) => {
    if (event.kind === "ended" && event.end.reset && plan?.reboot) return reboot(plan, event.end.message);
    tell(event);
  };
  /** The machine that has ended is behind us when it returns. */
  const reboot = (ended: SessionPlan, why: string) => {
    const note = { time: 0, pcpu: undefined, kind: "state", vcpu: "vm:host", text: `${why}: it starts again`, refused: false } as const;
    tell({ kind: "events", events: [note], dropped: 0 });
    setTimeout(() => guarded(() => begin(rebooted(ended))), 0);
  };
  const guarded = (work: () => void) => {
    try {
      work();
    } catch (error) {
      engine?.halt();
      if (error instanceof WriteFailure) return post({ kind: "ended", end: { code: 1, message: error.message } });
      post({ kind: "failed", message: error instanceof Error ? error.stack ?? error.message : String(error) });
    }
  };
  const requested = () => Atomics.load(bell, 0) !== answered;
  const begin = (wanted: SessionPlan) => {
    plan = wanted;
    // A second machine beside the first has what is recorded for its outside.
    const alone = { ...wanted, record: undefined, replay: { recording: NOTHING_RECORDED, verify: false, to: undefined } };
    const again = (state?: SystemState) => state ? loaded(alone, state) : assemble(alone);
    const begun = beginSystem(wanted);
    if ("refused" in begun) return post({ kind: "ended", end: { code: UNUSABLE, message: begun.refused } });
    engine = new Engine(begun.system, begun.plan, { post, together, standing, guarded, requested, again }, begun.state);
    if (inputEnded) engine.endInput();
    engine.start();
  };
  const handle = (request: Request) => {
    answered++;
    if (request.kind === "prepare") return prepare(request.memory);
    if (request.kind === "start") {
      if (engine) throw new Error("the machine was started already");
      return begin(request.plan);
    }
    if (request.kind === "input-ended") inputEnded = true;
    if (request.kind === "query" && request.repeat) standing.add(request.id, request.query, request.repeat, performance.now());
    if (request.kind === "forget") return standing.forget(request.id);
    if (!engine) {
      if (request.kind === "stop") post({ kind: "ended", end: { code: 0, message: "stopped before it began" } });
      // Nobody is to wait for an answer.
      if ("id" in request) post({ kind: "answer", id: request.id, answer: noAnswer("there is no machine") });
      return;
    }
    switch (request.kind) {
      case "input":
        return engine.input(request.console, request.bytes);
      case "taken":
        return engine.taken(request.bytes);
      case "input-ended":
        return engine.endInput();
      case "pause":
        return engine.pause(true);
      case "resume":
        return engine.pause(false);
      case "stop":
        return engine.stop();
      case "query":
        return engine.query(request.id, request.query);
      case "move":
        return engine.move(request.id, request.to);
      case "snapshot":
        return engine.snapshot(request.id, request.path, request.title, request.passing);
      case "save-recording":
        return engine.saveRecording(request.id, request.path);
      case "act":
        return engine.act(request.id, request.action);
      case "trace":
        return engine.trace(request.kinds);
      case "symbols":
        return engine.symbols(request.id, request.vm, request.file);
      case "stop-rule":
        return engine.stopRule(request.id, request.change);
      case "watch":
        return engine.watch(request.kinds, request.budget);
      case "debug-attach":
      case "debug":
      case "debug-stop":
      case "debug-continue":
      case "debug-back":
      case "debug-detach":
      case "debug-release":
        return engine.debug(request);
    }
  };
  globalThis.onmessage = ({ data }: MessageEvent<readonly Request[] | Connection>) => {
    if ("kind" in data) {
      bell = new Int32Array(data.bell);
      return;
    }
    together(() => {
      for (const request of data) guarded(() => handle(request));
    });
  };
  keepCores();
  post({ kind: "ready" });
}
