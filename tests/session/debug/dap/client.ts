// A scripted client of the Debug Adapter Protocol, joined to a server in this process or to one of
// `el2 dap`.

import assert from "node:assert/strict";
import type { DebugProtocol } from "@vscode/debugprotocol";
import { encodeMessage } from "../../../../src/session/debug/dap/messages.ts";
import { serveDap } from "../../../../src/app/cli/start/debuggers/dap-link.ts";
import { PATIENCE } from "../../../support/patience.ts";

const ENTRY = new URL("../../../../main.ts", import.meta.url);

/** A response that says no. */
export class Refused extends Error {}

/** The client's end. */
export class DapClient implements AsyncDisposable {
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;
  readonly #answers = new Map<number, (response: DebugProtocol.Response) => void>();
  readonly events: DebugProtocol.Event[] = [];
  /** Commands that were sent. */
  readonly commands: string[] = [];
  #seen = 0;
  #seq = 1;
  #wake = Promise.withResolvers<void>();
  readonly #reading: Promise<void>;

  constructor(readable: ReadableStream<Uint8Array>, writable: WritableStream<Uint8Array>, readonly served: Promise<unknown>) {
    this.#writer = writable.getWriter();
    this.#reading = this.#read(readable);
  }

  /** A client of a server in this process. */
  static inProcess(allowHost: readonly string[] = ["all"]): DapClient {
    const there = new TransformStream<Uint8Array, Uint8Array>(), back = new TransformStream<Uint8Array, Uint8Array>();
    return new DapClient(
      back.readable,
      there.writable,
      serveDap(ENTRY, { readable: there.readable, writable: back.writable }, { allowHost }),
    );
  }

  /** Sends bytes. */
  async raw(bytes: Uint8Array | string): Promise<void> {
    await this.#writer.write(typeof bytes === "string" ? new TextEncoder().encode(bytes) : bytes);
  }

  /** Sends a request without waiting for its answer. */
  send(command: string, args?: object): Promise<DebugProtocol.Response> {
    const seq = this.#seq++, { promise, resolve } = Promise.withResolvers<DebugProtocol.Response>();
    this.#answers.set(seq, resolve);
    this.commands.push(command);
    const request: DebugProtocol.Request = { seq, type: "request", command, ...args && { arguments: args } };
    void this.raw(encodeMessage(request));
    return promise;
  }

  /**
   * The body of the answer.
   * @throws Refused with the server's message
   */
  async ask<B = Record<string, unknown>>(command: string, args?: object): Promise<B> {
    const response = await within(this.send(command, args), command);
    if (response.success) return response.body as B;
    assert.equal(typeof response.body?.error?.format, "string", "an error has its body");
    throw new Refused(response.message);
  }

  /** The next event of a kind since the last one that was waited for. */
  async event(name: string): Promise<DebugProtocol.Event> {
    const limit = Date.now() + PATIENCE;
    for (;;) {
      const index = this.events.findIndex((one, at) => at >= this.#seen && one.event === name);
      if (index >= 0) {
        this.#seen = index + 1;
        return this.events[index];
      }
      if (Date.now() > limit) throw new Error(`no event ${name}; there are ${JSON.stringify(this.events.slice(-5))}`);
      await Promise.race([this.#wake.promise, pause(500)]);
    }
  }

  /** Sends a request after which the machine stops again: that stop. */
  async stop(command: string, args: object = { threadId: 1 }): Promise<DebugProtocol.StoppedEvent["body"]> {
    const stopped = this.event("stopped");
    await this.ask(command, args);
    return (await stopped).body;
  }

  /** The frames of a thread: `NAME FILE:LINE`. */
  async stack(threadId = 1): Promise<string[]> {
    const { stackFrames } = await this.ask<DebugProtocol.StackTraceResponse["body"]>("stackTrace", { threadId });
    return stackFrames.map(({ name, source, line }) => `${name.replace(/\+0x.*/, "")} ${source?.name}:${line}`);
  }

  /** Ids of the frames of a thread. */
  async frame(index = 0, threadId = 1): Promise<number> {
    const { stackFrames } = await this.ask<DebugProtocol.StackTraceResponse["body"]>("stackTrace", { threadId });
    return stackFrames[index].id;
  }

  /** The variables of a scope of a frame. */
  async scope(name: string, frameId: number): Promise<DebugProtocol.Variable[]> {
    const { scopes } = await this.ask<DebugProtocol.ScopesResponse["body"]>("scopes", { frameId });
    const scope = scopes.find((one) => one.name === name);
    assert.ok(scope, `${name} among ${scopes.map((one) => one.name)}`);
    return await this.parts(scope.variablesReference);
  }

  async parts(variablesReference: number): Promise<DebugProtocol.Variable[]> {
    return (await this.ask<DebugProtocol.VariablesResponse["body"]>("variables", { variablesReference })).variables;
  }

  /** The value of an expression. */
  async value(expression: string, frameId?: number): Promise<string> {
    return (await this.ask<DebugProtocol.EvaluateResponse["body"]>("evaluate", { expression, frameId })).result;
  }

  async #read(readable: ReadableStream<Uint8Array>): Promise<void> {
    let text = new Uint8Array(0);
    for await (const bytes of readable) {
      const all = new Uint8Array(text.length + bytes.length);
      all.set(text);
      all.set(bytes, text.length);
      text = all;
      for (;;) {
        const header = /^Content-Length: (\d+)\r\n\r\n/.exec(new TextDecoder().decode(text.subarray(0, 64)));
        if (!header || text.length < header[0].length + Number(header[1])) break;
        const end = header[0].length + Number(header[1]);
        this.#take(JSON.parse(new TextDecoder().decode(text.subarray(header[0].length, end))));
        text = text.slice(end);
      }
    }
  }

  #take(message: DebugProtocol.Response | DebugProtocol.Event): void {
    if (message.type === "event") this.events.push(message as DebugProtocol.Event);
    else {
      const response = message as DebugProtocol.Response;
      this.#answers.get(response.request_seq)?.(response);
      this.#answers.delete(response.request_seq);
      this.unasked.push(response);
    }
    this.#wake.resolve();
    this.#wake = Promise.withResolvers();
  }

  /** Every response, also of requests without a number. */
  readonly unasked: DebugProtocol.Response[] = [];

  /** Ends the connection. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#writer.close().catch(() => {});
    await within(this.served, "the end of the server");
    await this.#reading;
  }
}

const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

async function within<T>(promise: Promise<T>, what: string): Promise<T> {
  const late = Promise.withResolvers<never>(), timer = setTimeout(() => late.reject(new Error(`${what}: no answer`)), PATIENCE);
  try {
    return await Promise.race([promise, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}
