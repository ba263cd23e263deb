// The server of `el2 serve`: the page's files to everybody who can connect, and a WebSocket to
// those with the token. Nothing that a page of a stranger or another user can make a browser send
// is enough: no cookie opens anything, the names under which the server is reached (Host) and the
// pages that connect (Origin) are its own, and the token is compared in constant time.

import { node } from "../../kit/support/node-modules.ts";
import { PAGE_POLICY, pageFiles } from "./page-files.ts";
import { SUBPROTOCOL } from "./page/messages.ts";
import { Viewer } from "./viewer.ts";

/** Pages at a time; a session serves 64 clients. */
export const VIEWERS_MAX = 16;
const TOKEN_BYTES = 32;
/** Where pages connect. */
const SCREENS = "screens";
/** Codes that close a connection: the program ends, and try later. */
const GOING_AWAY = 1001, TRY_LATER = 1013;

const HEADERS: Readonly<Record<string, string>> = {
  "content-security-policy": PAGE_POLICY,
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "cache-control": "no-store",
};

/** A server of screens, which listens. */
export class ScreenServer {
  readonly #server: Deno.HttpServer<Deno.NetAddr>;
  readonly #files = pageFiles();
  readonly #viewers = new Set<Viewer>();
  /** Names with the port under which the server is reached. */
  readonly #hosts: ReadonlySet<string>;
  readonly #token = crypto.getRandomValues(new Uint8Array(TOKEN_BYTES)).toHex();
  readonly #abort = new AbortController();
  /** Why all connections have ended; undefined while it listens. */
  #closed: string | undefined;

  /**
   * @param hostname an address of this computer
   * @param welcome takes a page whose size is known
   * @throws Deno.errors.AddrInUse, AddrNotAvailable
   */
  constructor(hostname: string, port: number, readonly welcome: (viewer: Viewer) => void) {
    this.#server = Deno.serve({ hostname, port, signal: this.#abort.signal, onListen: () => {} }, (request) => this.#answer(request));
    const local = this.isLocal ? ["localhost"] : [];
    this.#hosts = new Set([hostname, this.address, ...local].map((name) => this.#url(name).host));
  }

  /** The address that it listens at. */
  get address(): string {
    return this.#server.addr.hostname;
  }

  /** Whether only programs of this computer reach it. */
  get isLocal(): boolean {
    return /^127\.|^::1$/.test(this.address);
  }

  /** The link to the page, with the token in its fragment. */
  get link(): string {
    const url = this.#url(this.address);
    url.hash = this.#token;
    return url.href;
  }

  /** Ends all connections, and listens no more. */
  async close(reason: string): Promise<void> {
    this.#closed = reason;
    for (const viewer of this.#viewers) viewer.end(reason);
    await Promise.all([...this.#viewers].map((viewer) => viewer.gone));
    // A connection that is silent would keep it up.
    this.#abort.abort();
    await this.#server.finished;
  }

  #url(name: string): URL {
    return new URL(`http://${name.includes(":") ? `[${name}]` : name}:${this.#server.addr.port}/`);
  }

  #answer(request: Request): Response {
    // A name of somebody else that leads here (DNS rebinding) makes their page one of this origin.
    if (!this.#hosts.has(request.headers.get("host")?.toLowerCase() ?? "")) {
      return refusal(421, "this is not a name of this server: open the link that was printed");
    }
    if (request.method !== "GET") return refusal(405, "only GET is served");
    const name = new URL(request.url).pathname.slice(1);
    if (name === SCREENS) return this.#connect(request);
    const file = this.#files.get(name);
    if (!file) return refusal(404, "there is no such file");
    return new Response(file.text, { headers: { ...HEADERS, "content-type": file.type } });
  }

  #connect(request: Request): Response {
    const origin = request.headers.get("origin") ?? "";
    if (![...this.#hosts].some((host) => origin === `http://${host}`)) return refusal(403, "only el2's own page may connect");
    const [protocol, token = ""] = (request.headers.get("sec-websocket-protocol") ?? "").split(/\s*,\s*/);
    if (protocol !== SUBPROTOCOL || !this.#isToken(token)) return refusal(403, "the token is not that of the link");
    if (this.#closed !== undefined) return refusal(503, this.#closed);
    if (request.headers.get("upgrade")?.toLowerCase() !== "websocket") return refusal(426, "a WebSocket is needed");
    const { socket, response } = Deno.upgradeWebSocket(request, { protocol: SUBPROTOCOL });
    socket.onopen = () => this.#join(socket);
    return response;
  }

  #isToken(text: string): boolean {
    const [given, own] = [text, this.#token].map((one) => new TextEncoder().encode(one));
    return given.length === own.length && node.crypto.timingSafeEqual(given, own);
  }

  #join(socket: WebSocket): void {
    if (this.#closed !== undefined) return socket.close(GOING_AWAY, this.#closed);
    if (this.#viewers.size >= VIEWERS_MAX) return socket.close(TRY_LATER, `${VIEWERS_MAX} pages show this session already; close one`);
    const viewer = new Viewer(socket);
    this.#viewers.add(viewer);
    void viewer.gone.then(() => this.#viewers.delete(viewer));
    void viewer.ready.then(() => viewer.isGone || this.welcome(viewer));
  }
}

function refusal(status: number, text: string): Response {
  return new Response(`${text}\n`, { status, headers: { ...HEADERS, "content-type": "text/plain; charset=utf-8" } });
}
