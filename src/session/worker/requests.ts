// The engine's handler of each request.

import type { Engine } from "../engine/engine.ts";
import type { DebugRequest, Request } from "../../model/protocol/protocol.ts";

/** The requests that go to a machine that was started. */
type EngineRequest = Exclude<Request, { kind: "start" | "open" | "prepare" | "forget" } | DebugRequest>;

const HANDLERS: { readonly [K in EngineRequest["kind"]]: (engine: Engine, request: Extract<EngineRequest, { kind: K }>) => void } = {
  "input": (engine, { console, bytes }) => engine.input(console, bytes),
  "taken": (engine, { bytes }) => engine.taken(bytes),
  "input-ended": (engine) => engine.endInput(),
  "pause": (engine) => engine.pause(true),
  "resume": (engine) => engine.pause(false),
  "stop": (engine) => engine.stop(),
  "query": (engine, { id, query }) => engine.query(id, query),
  "move": (engine, { id, to }) => engine.move(id, to),
  "snapshot": (engine, { id, path, title, passing }) => engine.snapshot(id, path, title, passing),
  "save-recording": (engine, { id, path, images }) => engine.saveRecording(id, path, images),
  "act": (engine, { id, action }) => engine.act(id, action),
  "trace": (engine, { kinds }) => engine.trace(kinds),
  "symbols": (engine, { id, vm, file }) => engine.symbols(id, vm, file),
  "mark": (engine, { id, kind: _, ...note }) => engine.mark(id, note),
  "stop-rule": (engine, { id, change }) => engine.stopRule(id, change),
  "watch": (engine, { kinds, budget }) => engine.watch(kinds, budget),
};

/** Does what a request asks. */
export function serveRequest(engine: Engine, request: EngineRequest | DebugRequest): void {
  if (isOfDebugger(request)) return engine.debug(request);
  serve(engine, request.kind, request);
}

function isOfDebugger(request: EngineRequest | DebugRequest): request is DebugRequest {
  return !Object.hasOwn(HANDLERS, request.kind);
}

function serve<K extends EngineRequest["kind"]>(engine: Engine, kind: K, request: Extract<EngineRequest, { kind: K }>): void {
  HANDLERS[kind](engine, request);
}
