// A screen that pages show: the terminal of screens, as `runTui` has it. The page that came first
// leads: its size and its keys count. Others follow: they see the same, and type nothing. When the
// leader goes, the next one leads.

import type { Viewer } from "./viewer.ts";
import { SharedInput, type TerminalPort } from "../tui/terminal/terminal.ts";
import { ENTER, MOUSE_ON, WATCH } from "../tui/terminal/terminal-modes.ts";
import { KiB } from "../../kit/support/values/sizes.ts";

/** Bytes that may wait for the screens to read them; a page that sends more is let go. */
const TYPED_MAX = 512 * KiB;

/** A screen, for one page or several. */
export class ServedScreen implements TerminalPort {
  /** The first one leads. */
  readonly #viewers: Viewer[] = [];
  /** Those that missed a frame: the next is a whole one. */
  readonly #behind = new Set<Viewer>();
  readonly #resized = new Set<() => void>();
  readonly input: SharedInput;
  #typing: ReadableStreamDefaultController<Uint8Array> | undefined;
  #size = { columns: 0, rows: 0 };

  constructor() {
    const start = (typing: ReadableStreamDefaultController<Uint8Array>) => void (this.#typing = typing);
    const typed = new ReadableStream<Uint8Array>({ start }, { highWaterMark: TYPED_MAX, size: ({ length }) => length });
    this.input = new SharedInput(typed.values());
  }

  size(): { readonly columns: number; readonly rows: number } {
    return this.#size;
  }

  /** Whether pages can join: it ends with its last one. */
  get isOpen(): boolean {
    return this.#typing !== undefined;
  }

  setRaw(_raw: boolean): void {}

  onResize(callback: () => void): () => void {
    this.#resized.add(callback);
    return () => this.#resized.delete(callback);
  }

  /** Sends a frame; resolves when the leader has drawn it. A follower that lags misses frames. */
  async write(bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    const [leader, ...followers] = this.#viewers;
    for (const follower of followers) {
      if (follower.isBusy) this.#behind.add(follower);
      else void this.#show(follower, bytes);
    }
    await leader?.draw(bytes);
  }

  /** Adds a page, whose size is known; it stays until it is gone. */
  join(viewer: Viewer): void {
    this.#viewers.push(viewer);
    viewer.onTyped = (bytes) => viewer === this.#viewers[0] && this.#type(viewer, bytes);
    viewer.onResized = () => viewer === this.#viewers[0] && this.#take(viewer);
    void viewer.gone.then(() => this.#leave(viewer));
    if (viewer === this.#viewers[0]) return this.#take(viewer);
    viewer.say({ kind: "follow", ...this.#size });
    this.#behind.add(viewer);
    void this.#show(viewer, new TextEncoder().encode(ENTER + MOUSE_ON + WATCH));
  }

  /** Ends all connections, and says why. */
  end(reason: string): void {
    for (const viewer of this.#viewers) viewer.end(reason);
  }

  #leave(viewer: Viewer): void {
    const at = this.#viewers.indexOf(viewer), next = this.#viewers[at + 1];
    this.#viewers.splice(at, 1);
    this.#behind.delete(viewer);
    if (this.#viewers.length === 0) {
      this.#typing?.close();
      this.#typing = undefined;
    } else if (at === 0) {
      next.say({ kind: "lead" });
      this.#take(next);
    }
  }

  /** Takes the leader's size. */
  #take({ columns, rows }: Viewer): void {
    this.#size = { columns, rows };
    for (const follower of this.#viewers.slice(1)) follower.say({ kind: "follow", columns, rows });
    this.#redraw();
  }

  async #show(viewer: Viewer, bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    await viewer.draw(bytes);
    if (this.#behind.delete(viewer)) this.#redraw();
  }

  /** A new size makes the screens paint everything; so does the same. */
  #redraw(): void {
    for (const call of this.#resized) call();
  }

  #type(viewer: Viewer, bytes: Uint8Array): void {
    if (!this.#typing) return;
    if ((this.#typing.desiredSize ?? 0) < bytes.length) return viewer.end("more was typed than the screens can read");
    this.#typing.enqueue(bytes);
  }
}
