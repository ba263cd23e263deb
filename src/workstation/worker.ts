// The machine's side of the protocol, in a worker: it builds the machine of the first request and runs it in slices, and returns to its
// event loop between them, so that input and requests are never far away.

import { assemble } from "./assemble.ts";
import { Engine } from "./engine.ts";
import type { Request, SessionEvent } from "./protocol.ts";

/** Listens to requests. Call it once, in the worker. */
export function serveMachine(): void {
  let engine: Engine | undefined;
  let inputEnded = false;
  const post = (event: SessionEvent) => globalThis.postMessage(event);
  const guarded = (work: () => void) => {
    try {
      work();
    } catch (error) {
      engine?.halt();
      post({ kind: "failed", message: error instanceof Error ? error.stack ?? error.message : String(error) });
    }
  };
  const handle = (request: Request) => {
    if (request.kind === "start") {
      if (engine) throw new Error("the machine was started already");
      engine = new Engine(assemble(request.plan), request.plan, post, guarded);
      if (inputEnded) engine.endInput();
      engine.start();
      return;
    }
    if (request.kind === "input-ended") inputEnded = true;
    if (!engine) return;
    switch (request.kind) {
      case "input":
        return engine.input(request.console, request.bytes);
      case "input-ended":
        return engine.endInput();
      case "pause":
        return engine.pause(true);
      case "resume":
        return engine.pause(false);
      case "stop":
        return engine.stop();
    }
  };
  globalThis.onmessage = (message: MessageEvent<Request>) => guarded(() => handle(message.data));
  post({ kind: "ready" });
}
