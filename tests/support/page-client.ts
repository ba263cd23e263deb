// A page of `el2 serve` without a browser: a WebSocket that says what a page says, or what it must
// not say.

import { type ScreenMessage, SUBPROTOCOL } from "../../src/app/web/page/messages.ts";
import { eventually } from "./eventually.ts";

/** How a page connects, where it is not like el2's own. */
export interface PageClientOptions {
  readonly token?: string;
  readonly origin?: string;
  readonly host?: string;
  readonly columns?: number;
  readonly rows?: number;
  /** It says that it has drawn what it got; otherwise it never does. */
  readonly draws?: boolean;
}

/** A connection that was not refused. */
export class PageClient implements Disposable {
  /** Bytes that it was to draw, as text, and how often some came. */
  drawn = "";
  frames = 0;
  readonly messages: ScreenMessage[] = [];
  readonly closed: Promise<string>;

  private constructor(readonly socket: WebSocket, draws: boolean) {
    this.closed = new Promise((resolve) => socket.onclose = ({ reason }) => resolve(reason));
    socket.onmessage = ({ data }) => {
      if (typeof data === "string") return void this.messages.push(JSON.parse(data));
      this.frames++;
      this.drawn += new TextDecoder().decode(data);
      if (draws) this.say({ kind: "drawn" });
    };
  }

  /** Connects by a link; undefined: that was refused. */
  static async open(
    link: string,
    { token, origin, host, columns = 100, rows = 30, draws = true }: PageClientOptions = {},
  ): Promise<PageClient | undefined> {
    const url = new URL(link), address = `ws://${url.host}/screens`;
    const headers = { origin: origin ?? url.origin, ...host && { host } }, protocols = [SUBPROTOCOL, token ?? url.hash.slice(1)];
    // Only Deno's has headers.
    const socket = new WebSocket(address, { protocols: protocols.filter(Boolean), headers } as unknown as string[]);
    socket.binaryType = "arraybuffer";
    const client = new PageClient(socket, draws);
    const isOpen = await new Promise<boolean>((resolve) => {
      socket.onopen = () => resolve(true);
      socket.onerror = () => resolve(false);
    });
    if (!isOpen) return undefined;
    client.say({ kind: "resized", columns, rows });
    return client;
  }

  say(message: unknown): void {
    if (this.socket.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(message));
  }

  type(text: string): void {
    this.socket.send(new TextEncoder().encode(text));
  }

  /** Waits until something was drawn since the last call. */
  async shows(wanted: RegExp): Promise<void> {
    await eventually(() => Promise.resolve(this.drawn.slice(-200_000)), (drawn) => wanted.test(drawn));
    this.drawn = "";
  }

  async hears(kind: ScreenMessage["kind"]): Promise<ScreenMessage> {
    return (await eventually(() => Promise.resolve(this.messages.find((one) => one.kind === kind)), (found) => found !== undefined))!;
  }

  [Symbol.dispose](): void {
    this.socket.close();
  }
}
