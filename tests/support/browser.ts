// A headless Chromium that tests steer by the Chrome DevTools Protocol: pages, keys, clicks, touch,
// pictures, and what the browser refuses or complains about.

import assert from "node:assert/strict";
import { BrowserProcess, type Values } from "./browser-process.ts";
import { ShownPage } from "./shown-page.ts";
import { nativeBrowser } from "../../scripts/native-tools.ts";
import { eventually } from "./eventually.ts";

/** How a page is shown. */
export interface PageLook {
  readonly width: number;
  readonly height: number;
  readonly dark?: boolean;
  /** A telephone: touch instead of a mouse. */
  readonly touch?: boolean;
  /** Its complaints and requests are not heard, for which V8 parses a whole script again. */
  readonly unwatched?: boolean;
}

/** A Chromium with an empty profile. */
export class Browser implements AsyncDisposable {
  readonly #pages = new Map<string, Page>();

  private constructor(readonly process: BrowserProcess) {
    process.onEvent = ({ method, params, sessionId = "" }) => this.#pages.get(sessionId)?.hear(method, params);
  }

  static async start(): Promise<Browser> {
    const program = await nativeBrowser();
    // Pages are the tests' own, and containers lack what Chromium's sandbox needs.
    const args = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars", "--no-first-run"];
    return new Browser(
      await BrowserProcess.start((profile) => ({
        program,
        args: [...args, `--user-data-dir=${profile}`, "--remote-debugging-port=0", "about:blank"],
        announced: /DevTools listening on (\S+)/,
        close: "Browser.close",
      })),
    );
  }

  /** A new page at an address. */
  async open(url: string, { width, height, dark = false, touch = false, unwatched = false }: PageLook): Promise<Page> {
    const { targetId } = await this.ask("Target.createTarget", { url: "about:blank" });
    const { sessionId } = await this.ask("Target.attachToTarget", { targetId, flatten: true });
    const page = new Page(this, sessionId as string, targetId as string);
    this.#pages.set(page.session, page);
    for (const domain of unwatched ? ["Page"] : ["Page", "Runtime", "Log", "Network"]) await page.ask(`${domain}.enable`);
    await page.ask("Emulation.setDeviceMetricsOverride", { width, height, deviceScaleFactor: 1, mobile: touch });
    await page.ask("Emulation.setTouchEmulationEnabled", { enabled: touch });
    await page.setDark(dark);
    await page.ask("Page.navigate", { url });
    return page;
  }

  /** Sends a command, and returns its result. */
  ask(method: string, params: Values = {}, sessionId?: string): Promise<Values> {
    return this.process.ask(method, params, sessionId);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.process[Symbol.asyncDispose]();
  }
}

/** A page that a test looks at. */
export class Page extends ShownPage {
  readonly #workers: string[] = [];

  constructor(readonly browser: Browser, readonly session: string, readonly target: string) {
    super();
  }

  ask(method: string, params: Values = {}): Promise<Values> {
    return this.browser.ask(method, params, this.session);
  }

  hear(method: string, params: Values): void {
    if (method === "Log.entryAdded") this.complaints.push((params.entry as { text: string }).text);
    if (method === "Runtime.exceptionThrown") this.complaints.push(JSON.stringify(params.exceptionDetails));
    if (method === "Network.requestWillBeSent") this.requests.push((params.request as { url: string }).url);
    if (method === "Target.attachedToTarget") this.#workers.push(params.sessionId as string);
    if (method === "Network.webSocketCreated") this.requests.push(params.url as string);
  }

  /** The value of an expression in the page, or in a worker of it, as JSON has it. */
  override async value(expression: string, session = this.session): Promise<unknown> {
    const asked = { expression, returnByValue: true, awaitPromise: true };
    const { result, exceptionDetails } = await this.browser.ask("Runtime.evaluate", asked, session);
    assert.equal(exceptionDetails, undefined, `${expression}: ${JSON.stringify(exceptionDetails)}`);
    return (result as { value?: unknown }).value;
  }

  /** The session of the page's only worker. */
  async worker(): Promise<string> {
    await this.ask("Target.setAutoAttach", { autoAttach: true, waitForDebuggerOnStart: false, flatten: true });
    await eventually(() => Promise.resolve(this.#workers.length), (count) => count > 0);
    assert.equal(this.#workers.length, 1);
    return this.#workers[0];
  }

  /** Types a text, as a keyboard does. */
  override async type(text: string): Promise<void> {
    for (const character of text) {
      const key = KEYS[character] ?? { key: character, text: character };
      await this.ask("Input.dispatchKeyEvent", { type: "keyDown", ...key });
      await this.ask("Input.dispatchKeyEvent", { type: "keyUp", ...key });
    }
  }

  override async click(x: number, y: number): Promise<void> {
    for (const type of ["mousePressed", "mouseReleased"]) {
      await this.ask("Input.dispatchMouseEvent", { type, x, y, button: "left", clickCount: 1 });
    }
  }

  /** Touches a place with a finger, too shortly for a long press also on a busy computer. */
  async touch(x: number, y: number): Promise<void> {
    await Promise.all([
      this.ask("Input.dispatchTouchEvent", { type: "touchStart", touchPoints: [{ x, y }] }),
      this.ask("Input.dispatchTouchEvent", { type: "touchEnd", touchPoints: [] }),
    ]);
  }

  /** Moves a finger from one height to another, in steps. */
  async swipe(x: number, from: number, to: number): Promise<void> {
    await this.ask("Input.dispatchTouchEvent", { type: "touchStart", touchPoints: [{ x, y: from }] });
    for (let step = 1; step <= SWIPE_STEPS; step++) {
      const y = from + (to - from) * step / SWIPE_STEPS;
      await this.ask("Input.dispatchTouchEvent", { type: "touchMove", touchPoints: [{ x, y }] });
    }
    await this.ask("Input.dispatchTouchEvent", { type: "touchEnd", touchPoints: [] });
  }

  async setDark(dark: boolean): Promise<void> {
    await this.ask("Emulation.setEmulatedMedia", { features: [{ name: "prefers-color-scheme", value: dark ? "dark" : "light" }] });
  }

  async resize(width: number, height: number): Promise<void> {
    await this.ask("Emulation.setDeviceMetricsOverride", { width, height, deviceScaleFactor: 1, mobile: false });
  }

  /** A picture of it, as PNG. */
  async picture(): Promise<Uint8Array> {
    const { data } = await this.ask("Page.captureScreenshot", { format: "png" });
    return Uint8Array.fromBase64(data as string);
  }

  override async close(): Promise<void> {
    await this.browser.ask("Target.closeTarget", { targetId: this.target });
  }
}

/** Events of a finger that moves. */
const SWIPE_STEPS = 10;

/** Keys without a character, by the byte that a terminal has for them. */
const KEYS: Readonly<Record<string, Values>> = {
  "\r": { key: "Enter", code: "Enter", windowsVirtualKeyCode: 13, text: "\r" },
  "\x1b": { key: "Escape", code: "Escape", windowsVirtualKeyCode: 27 },
  "\t": { key: "Tab", code: "Tab", windowsVirtualKeyCode: 9 },
};
