// A client of a session: sends requests, receives events. The embedded session runs in a worker of
// this process.

import type { Request, SessionEvent } from "../protocol/protocol.ts";
import { MiB } from "../support/sizes.ts";

/** One connection to a machine. */
export interface SessionClient {
  send(request: Request): void;
  /** Called for each event, in order. One listener; set it before the first `send`. */
  onEvent: (event: SessionEvent) => void;
  /** Ends the connection; an embedded machine ends with it. */
  close(): void;
}

/**
 * Name under which the worker finds that it is the machine, so that one bundle can play both roles.
 */
export const WORKER_NAME = "el2-machine";

/**
 * The first message to the worker: a counter that rises before each request. A busy worker's event
 * loop serves its own wake-ups first, so it looks at this between two pieces of work and lets
 * requests in when there are any.
 */
export interface Connection {
  readonly kind: "connect";
  readonly bell: SharedArrayBuffer;
}

/** A worker that was started before anybody knew what it will run. */
let spare: SessionClient | undefined;

/**
 * Starts the worker that the next `connectEmbedded` takes: loading it takes as long as finding out
 * what to run.
 */
export function warmUp(entry: URL): void {
  spare = startWorker(entry);
}

/**
 * The machine's worker: the one that was started early, or another.
 * @param entry the module to run; it must call `serveMachine` when its global is a worker named
 * `WORKER_NAME`.
 */
export function connectEmbedded(entry: URL): SessionClient {
  const client = spare ?? startWorker(entry);
  spare = undefined;
  return client;
}

function startWorker(entry: URL): SessionClient {
  const worker = new Worker(entry, { type: "module", name: WORKER_NAME });
  /**
   * Requests that have not left yet: those of one turn go in one message, which costs the machine
   * as much as one request alone.
   */
  let waiting: Request[] = [];
  let ready = false;
  const bell = new Int32Array(new SharedArrayBuffer(4));
  // A worker that is started early may fail before anybody listens.
  const unheard: SessionEvent[] = [];
  let tell = (event: SessionEvent): void => void unheard.push(event);
  const leave = () => {
    // Messages posted before the worker listens could be lost: they wait until it reports that.
    if (!ready || !waiting.length) return;
    const requests = waiting;
    waiting = [];
    Atomics.add(bell, 0, requests.length);
    worker.postMessage(requests, { transfer: requests.flatMap((request) => request.kind === "start" ? largeFilesOf(request.plan) : []) });
  };
  const client: SessionClient = {
    send(request) {
      if (waiting.push(request) === 1) queueMicrotask(leave);
    },
    get onEvent() {
      return tell;
    },
    set onEvent(listener) {
      tell = listener;
      queueMicrotask(() => unheard.splice(0).forEach(tell));
    },
    close() {
      worker.terminate();
    },
  };
  worker.onmessage = ({ data }: MessageEvent<readonly SessionEvent[]>) => {
    for (const event of data) {
      if (event.kind === "ready") {
        ready = true;
        worker.postMessage({ kind: "connect", bell: bell.buffer } satisfies Connection);
        leave();
      }
      tell(event);
    }
  };
  worker.onerror = (error) => {
    error.preventDefault();
    tell({ kind: "failed", message: error.message });
  };
  return client;
}

/**
 * Smaller ones cost less than they may be worth to others, such as the guests that are part of the
 * program.
 */
const LARGE_FILE = MiB;

/**
 * The memory of the files in a plan: megabytes that need not be copied, as the sender has no more
 * use for them.
 */
function largeFilesOf(plan: unknown): ArrayBuffer[] {
  const found = new Set<ArrayBuffer>();
  const look = (value: unknown) => {
    if (value instanceof Uint8Array) {
      const { buffer } = value;
      if (buffer instanceof ArrayBuffer && value.length >= LARGE_FILE && value.length === buffer.byteLength) found.add(buffer);
    } else if (typeof value === "object" && value !== null) Object.values(value).forEach(look);
  };
  look(plan);
  return [...found];
}
