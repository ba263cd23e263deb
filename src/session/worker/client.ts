// A client of a session: sends requests, receives events. The embedded session runs in a worker of
// this process.

import type { Request, SessionEvent } from "../../model/protocol/protocol.ts";
import { MiB } from "../../kit/support/values/sizes.ts";
import { Bell, BELL_WORDS } from "./bell.ts";
import type { CompilerThread, CompilerWish } from "./compiler-thread.ts";
import { Services, type WorkerSurroundings } from "./confined-worker.ts";
import { type PreparedProgram, preparedProgram } from "./prepared-program.ts";
import type { SocketEvent } from "./socket-words.ts";
import { canConfine, codeOf, compilerPermissions, workerPermissions } from "./rights/worker-rights.ts";

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
/** The same for other work with machines (`cli/jobs`). */
export const JOB_NAME = "el2-job";

/** The same for compiling regions. */
export const COMPILER_NAME = "el2-compiler";

/** The first message to the worker. */
export interface Connection {
  readonly kind: "connect";
  /** Processors of the computer for this process. */
  readonly processors: number;
  /** See `Bell`. */
  readonly bell: SharedArrayBuffer;
  /** For a worker without rights: the thread that acts for it. */
  readonly surroundings?: WorkerSurroundings;
}

/** Words of sockets that another thread has for the worker; the bell counts them as one request. */
export interface SocketNotice {
  readonly kind: "socket";
  readonly event: SocketEvent;
}

/** A worker that was started before anybody knew what it will run. */
let spare: SessionClient | undefined;

/** The next `connectEmbedded` takes this worker. */
export function keepSpare(client: SessionClient | undefined): void {
  spare = client;
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

/** The machine's worker, one for jobs, or one that compiles. */
export type WorkerName = typeof WORKER_NAME | typeof JOB_NAME | typeof COMPILER_NAME;

/**
 * A worker with other rights than its process.
 * @param entry as for `connectEmbedded`
 * @param prepared the program's build, if it may have one
 */
export function newWorker(entry: URL, name: WorkerName, prepared: PreparedProgram | undefined = preparedProgram(entry)): Worker {
  if (!prepared) return workerOf(entry, codeOf(entry), name);
  // It loads while this thread checks its sources.
  const worker = fromBuild(prepared, name);
  if (prepared.isCurrent()) return worker;
  worker.terminate();
  return workerOf(entry, codeOf(entry), name);
}

/** Those of the machine and for compiling are whole, and read no code later. */
function fromBuild(prepared: PreparedProgram, name: WorkerName): Worker {
  switch (name) {
    case WORKER_NAME:
      return workerOf(prepared.module("worker"), [], name);
    case COMPILER_NAME:
      return workerOf(prepared.module("compiler"), [], name);
    case JOB_NAME:
      return workerOf(prepared.module("jobs"), [prepared.folder], name);
  }
}

/** @param code the parts of the program that it reads when it needs them */
function workerOf(module: URL, code: readonly URL[], name: WorkerName): Worker {
  const options: WorkerOptions = { type: "module", name };
  if (!canConfine()) return new Worker(module, options);
  const permissions = name === COMPILER_NAME ? compilerPermissions(code) : workerPermissions(code);
  return new Worker(module, { ...options, deno: { permissions } });
}

/** The compiler of a machine's worker, loaded for its first wish: most runs have none. */
class LateCompiler {
  #thread: CompilerThread | undefined;
  #isClosed = false;

  constructor(readonly newWorker: () => Worker) {}

  async start(wish: CompilerWish): Promise<void> {
    const { CompilerThread } = await import("./compiler-thread.ts");
    if (this.#isClosed) return;
    this.#thread ??= new CompilerThread(this.newWorker);
    this.#thread.start(wish);
  }

  close(): void {
    this.#isClosed = true;
    this.#thread?.close();
  }
}

/**
 * Starts a worker. `main.ts` does so before the command line is loaded: that takes as long as
 * loading the worker.
 * @param prepared the program's build, if it may have one
 */
export function startWorker(entry: URL, prepared?: PreparedProgram): SessionClient {
  const worker = newWorker(entry, WORKER_NAME, prepared);
  /**
   * Requests that have not left yet: those of one turn go in one message, which costs the machine
   * as much as one request alone.
   */
  let waiting: Request[] = [];
  /** The worker listens; it gets its connection; it has it. */
  let ready = false, connecting = false, connected = false;
  const bell = new Int32Array(new SharedArrayBuffer(BELL_WORDS * Int32Array.BYTES_PER_ELEMENT));
  // A worker that is started early may fail before anybody listens.
  const unheard: SessionEvent[] = [];
  let tell = (event: SessionEvent): void => void unheard.push(event);
  const failed = (error: unknown) =>
    tell({ kind: "failed", message: error instanceof Error ? error.stack ?? error.message : String(error) });
  const services = canConfine()
    ? new Services((event, moved) => {
      Atomics.add(bell, Bell.Requests, 1);
      worker.postMessage({ kind: "socket", event } satisfies SocketNotice, { transfer: moved });
    }, failed)
    : undefined;
  const compiler = new LateCompiler(() => newWorker(entry, COMPILER_NAME));
  const leave = () => {
    if (!connected) return begin();
    if (!waiting.length) return;
    const requests = waiting;
    waiting = [];
    Atomics.add(bell, Bell.Requests, requests.length);
    worker.postMessage(requests, { transfer: requests.flatMap((request) => request.kind === "start" ? largeFilesOf(request.plan) : []) });
  };
  const client: SessionClient = {
    send(request) {
      services?.request(request);
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
      compiler.close();
      services?.close();
    },
  };
  const begin = () => {
    // Messages posted before the worker listens could be lost: they wait until it reports that. And
    // before the first request the command line may not have said what the worker can use.
    if (!ready || connecting || !waiting.length) return;
    connecting = true;
    if (services) services.begin().then(connect, failed);
    else connect();
  };
  const connect = (surroundings?: WorkerSurroundings) => {
    connected = true;
    const connection: Connection = { kind: "connect", processors: navigator.hardwareConcurrency, bell: bell.buffer, surroundings };
    worker.postMessage(connection, { transfer: surroundings ? [surroundings.port] : [] });
    leave();
  };
  worker.onmessage = ({ data }: MessageEvent<readonly SessionEvent[] | CompilerWish>) => {
    if ("kind" in data) return void compiler.start(data).catch(failed);
    for (const event of data) {
      if (event.kind === "ready") {
        ready = true;
        begin();
      }
      services?.event(event);
      tell(event);
    }
    Atomics.add(bell, Bell.Heard, 1);
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
export function largeFilesOf(plan: unknown): ArrayBuffer[] {
  const found = new Set<ArrayBuffer>();
  const seen = new Set<object>();
  const look = (value: unknown) => {
    if (typeof value !== "object" || value === null || seen.has(value)) return;
    seen.add(value);
    if (value instanceof Uint8Array) {
      const { buffer } = value;
      if (buffer instanceof ArrayBuffer && value.length >= LARGE_FILE && value.length === buffer.byteLength) found.add(buffer);
    } else Object.values(value).forEach(look);
  };
  look(plan);
  return [...found];
}
