// The machine's side of the protocol, in a worker: it builds the machine of the first request and runs it in slices, and returns to its
// event loop between them, so that input and requests are never far away.

import { assemble, prepare } from "./assemble.ts";
import { Engine } from "./engine.ts";
import { beginSystem, loaded } from "./snapshot/begin.ts";
import type { SystemState } from "./snapshot/system-state.ts";
import type { Connection } from "./client.ts";
import { WriteFailure } from "./write-all.ts";
import type { Request, SessionEvent } from "./protocol.ts";

/** Exit code for a snapshot that cannot be loaded. */
const UNUSABLE = 2;
const NOTHING_RECORDED = { inputs: [], checks: [], end: undefined };

/** Listens to requests. Call it once, in the worker. */
export function serveMachine(): void {
  let engine: Engine | undefined;
  let inputEnded = false;
  let bell: Int32Array = new Int32Array(1);
  let answered = 0;
  const post = (event: SessionEvent) => globalThis.postMessage(event);
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
  const handle = (request: Request) => {
    answered++;
    if (request.kind === "prepare") return prepare(request.memory);
    if (request.kind === "start") {
      if (engine) throw new Error("the machine was started already");
      const { plan } = request;
      // A second machine beside the first has what is recorded for its outside.
      const alone = { ...plan, record: undefined, replay: { recording: NOTHING_RECORDED, verify: false, to: undefined } };
      const again = (state?: SystemState) => state ? loaded(alone, state) : assemble(alone);
      const begun = beginSystem(plan);
      if ("refused" in begun) {
        post({ kind: "ended", end: { code: UNUSABLE, message: begun.refused } });
        return;
      }
      engine = new Engine(begun.system, begun.plan, { post, guarded, requested, again }, begun.state);
      if (inputEnded) engine.endInput();
      engine.start();
      return;
    }
    if (request.kind === "input-ended") inputEnded = true;
    if (!engine) return;
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
        return engine.snapshot(request.id, request.path, request.title);
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
  globalThis.onmessage = ({ data }: MessageEvent<Request | Connection>) => {
    if (data.kind === "connect") bell = new Int32Array(data.bell);
    else guarded(() => handle(data));
  };
  post({ kind: "ready" });
}
