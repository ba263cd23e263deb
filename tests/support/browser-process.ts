// The process of a browser that tests steer: commands and events as JSON messages over a WebSocket.
// Chromium and Firefox number commands alike, and each says its address when it has started.

/** Named values of a command, a result or an event. */
export type Values = Readonly<Record<string, unknown>>;

/** How a browser is started. */
interface Start {
  readonly program: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Has the address of its socket, as the browser says it on stderr. */
  readonly announced: RegExp;
  /** Path of the socket below that address. */
  readonly path?: string;
  /** The command that ends it. */
  readonly close: string;
}

/** An event of the browser. */
export interface BrowserEvent {
  readonly method: string;
  readonly params: Values;
  /** Chromium's name for the page that it is from. */
  readonly sessionId?: string;
}

export class BrowserProcess implements AsyncDisposable {
  /** Hears events. */
  onEvent: (event: BrowserEvent) => void = () => {};
  readonly #answers = new Map<number, PromiseWithResolvers<Values>>();
  #next = 0;

  private constructor(
    readonly process: Deno.ChildProcess,
    readonly profile: string,
    readonly socket: WebSocket,
    readonly closing: string,
  ) {
    socket.onmessage = ({ data }) => this.#hear(JSON.parse(data));
    socket.onclose = () => this.#answers.forEach(({ reject }) => reject(new Error("the browser has ended")));
  }

  /** Starts a browser with an empty profile. */
  static async start(start: (profile: string) => Start): Promise<BrowserProcess> {
    const profile = await Deno.makeTempDir({ prefix: "el2-test-browser-" });
    const { program, args, env, announced, path = "", close } = start(profile);
    const process = new Deno.Command(program, { args: [...args], env, stdin: "null", stdout: "null", stderr: "piped" }).spawn();
    let said = "";
    const { promise: address, resolve, reject } = Promise.withResolvers<string>();
    (async () => {
      for await (const text of process.stderr.pipeThrough(new TextDecoderStream())) {
        said = (said + text).slice(-4000);
        const found = announced.exec(said)?.[1];
        if (found) resolve(found);
      }
      reject(new Error(`the browser did not start: ${said}`));
    })();
    const socket = new WebSocket(`${await address}${path}`);
    await new Promise((resolve, reject) => {
      socket.onopen = resolve;
      socket.onerror = reject;
    });
    return new BrowserProcess(process, profile, socket, close);
  }

  /** Sends a command, and returns its result. */
  async ask(method: string, params: Values = {}, sessionId?: string): Promise<Values> {
    const id = ++this.#next, answer = Promise.withResolvers<Values>();
    this.#answers.set(id, answer);
    this.socket.send(JSON.stringify({ id, method, params, sessionId }));
    return await answer.promise;
  }

  #hear(message: Values): void {
    const { id, result, error } = message;
    if (typeof id !== "number") return this.onEvent(message as unknown as BrowserEvent);
    const answer = this.#answers.get(id);
    this.#answers.delete(id);
    if (error) answer?.reject(new Error(JSON.stringify(message)));
    else answer?.resolve(result as Values);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = new Promise((resolve) => this.socket.onclose = resolve);
    await this.ask(this.closing);
    await this.process.status;
    await closed;
    await Deno.remove(this.profile, { recursive: true });
  }
}
