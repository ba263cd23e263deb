// One page that shows screens: the end of its WebSocket here. It is sent no more bytes before it
// has drawn the last, so that one that never reads costs a frame and no more.

import { pageMessage, type ScreenMessage } from "./page/messages.ts";
import { KiB } from "../../kit/support/values/sizes.ts";

/** How long a page may take to say its size, ms. */
const SIZE_TIME = 10_000;
/** How long one may take to part, ms. */
const PARTING_TIME = 1000;
/** Bytes of the longest message: a paste. */
const LONGEST = 256 * KiB;
/** Codes that close a connection: its end, and messages that are not a page's. */
const OVER = 1000, NOT_A_PAGE = 1008;
/** Bytes that the reason of a close can have, in UTF-8. */
const REASON_MAX = 123;

/** A page, connected. */
export class Viewer {
  columns = 0;
  rows = 0;
  /** Bytes that were typed there. */
  onTyped: (bytes: Uint8Array) => void = () => {};
  /** It has another size. */
  onResized: () => void = () => {};
  readonly #sized = Promise.withResolvers<void>();
  readonly #gone = Promise.withResolvers<void>();
  #isGone = false;
  #drawn: PromiseWithResolvers<void> | undefined;
  #parting: ReturnType<typeof setTimeout> | undefined;

  constructor(readonly socket: WebSocket) {
    socket.binaryType = "arraybuffer";
    const late = setTimeout(() => this.#refuse("the page does not say its size"), SIZE_TIME);
    this.#sized.promise.then(() => clearTimeout(late));
    socket.onmessage = ({ data }) => this.#hear(data);
    socket.onerror = () => {};
    socket.onclose = () => this.#over();
    this.gone.then(() => clearTimeout(late));
  }

  #over(): void {
    clearTimeout(this.#parting);
    this.#isGone = true;
    this.#gone.resolve();
    this.#drawn?.resolve();
  }

  /** Resolves once its size is known, or it is gone. */
  get ready(): Promise<void> {
    return Promise.race([this.#sized.promise, this.gone]);
  }

  /** Resolves when the connection is over. */
  get gone(): Promise<void> {
    return this.#gone.promise;
  }

  get isGone(): boolean {
    return this.#isGone;
  }

  /** Whether it has not drawn its last bytes yet. */
  get isBusy(): boolean {
    return this.#drawn !== undefined;
  }

  /** Sends bytes once the last ones are drawn, and resolves when these are, or it is gone. */
  async draw(bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    while (this.#drawn) await this.#drawn.promise;
    if (this.#isGone) return;
    this.#drawn = Promise.withResolvers();
    const { promise } = this.#drawn;
    this.#send(bytes);
    await promise;
    this.#drawn = undefined;
  }

  say(message: ScreenMessage): void {
    this.#send(JSON.stringify(message));
  }

  /** Ends the connection, and says why; of one that says nothing itself, soon. */
  end(reason: string): void {
    this.#close(OVER, reason);
  }

  #refuse(reason: string): void {
    this.#close(NOT_A_PAGE, reason);
  }

  #close(code: number, reason: string): void {
    if (this.socket.readyState !== WebSocket.OPEN) return;
    const bytes = new TextEncoder().encode(reason);
    const short = bytes.length <= REASON_MAX ? reason : `${reason.slice(0, REASON_MAX / 3)} …`;
    this.socket.close(code, short);
    this.#parting = setTimeout(() => this.#over(), PARTING_TIME);
  }

  #send(data: string | Uint8Array<ArrayBuffer>): void {
    if (this.socket.readyState === WebSocket.OPEN) this.socket.send(data);
  }

  #hear(data: unknown): void {
    if (data instanceof ArrayBuffer) {
      if (data.byteLength > LONGEST) return this.#refuse(`a paste has at most ${LONGEST} bytes`);
      return this.onTyped(new Uint8Array(data));
    }
    const message = typeof data === "string" ? pageMessage(data) : undefined;
    switch (message?.kind) {
      case "drawn":
        return this.#drawn?.resolve();
      case "resized":
        this.columns = message.columns;
        this.rows = message.rows;
        this.#sized.resolve();
        return this.onResized();
      case undefined:
        return this.#refuse("that is not a message of el2's page");
    }
  }
}
