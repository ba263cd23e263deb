// A headless Firefox that tests steer by WebDriver BiDi: pages, keys, and what the browser refuses
// or complains about.

import assert from "node:assert/strict";
import { BrowserProcess, type Values } from "./browser-process.ts";
import type { PageLook } from "./browser.ts";
import { ShownPage } from "./shown-page.ts";
import { fetchedFirefox } from "../../scripts/native-tools.ts";

/** Events that pages hear. */
const EVENTS = ["log.entryAdded", "network.beforeRequestSent"];

/** A Firefox with an empty profile. */
export class Firefox implements AsyncDisposable {
  readonly #pages = new Map<unknown, FirefoxPage>();

  private constructor(readonly process: BrowserProcess) {
    process.onEvent = ({ method, params }) => {
      const { context } = { ...params, ...params.source as Values | undefined };
      this.#pages.get(context)?.hear(method, params);
    };
  }

  static async start(): Promise<Firefox> {
    const program = await fetchedFirefox();
    const process = await BrowserProcess.start((profile) => ({
      program,
      args: ["--headless", "--no-remote", "--profile", profile, "--remote-debugging-port=0", "about:blank"],
      env: { HOME: profile },
      announced: /WebDriver BiDi listening on (\S+)/,
      path: "/session",
      close: "browser.close",
    }));
    await process.ask("session.new", { capabilities: {} });
    await process.ask("session.subscribe", { events: EVENTS });
    return new Firefox(process);
  }

  /** A new page at an address. */
  async open(url: string, { width, height }: Pick<PageLook, "width" | "height">): Promise<FirefoxPage> {
    const { context } = await this.process.ask("browsingContext.create", { type: "tab" });
    const page = new FirefoxPage(this.process, context);
    this.#pages.set(context, page);
    await this.process.ask("browsingContext.setViewport", { context, viewport: { width, height } });
    await this.process.ask("browsingContext.navigate", { context, url, wait: "none" });
    return page;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.process[Symbol.asyncDispose]();
  }
}

/** A page that a test looks at. */
class FirefoxPage extends ShownPage {
  constructor(readonly process: BrowserProcess, readonly context: unknown) {
    super();
  }

  hear(method: string, params: Values): void {
    if (method === "log.entryAdded" && params.level !== "info" && params.level !== "debug") this.complaints.push(String(params.text));
    if (method === "network.beforeRequestSent") this.requests.push((params.request as { url: string }).url);
  }

  override async value(expression: string): Promise<unknown> {
    const asked = {
      expression: `(async () => JSON.stringify(await (${expression})))()`,
      awaitPromise: true,
      target: { context: this.context },
    };
    const { type, result, exceptionDetails } = await this.process.ask("script.evaluate", asked);
    assert.equal(type, "success", `${expression}: ${JSON.stringify(exceptionDetails)}`);
    const { value } = result as { value?: string };
    return value === undefined ? undefined : JSON.parse(value);
  }

  override async type(text: string): Promise<void> {
    const actions = Array.from(text, (character) => KEYS[character] ?? character)
      .flatMap((value) => [{ type: "keyDown", value }, { type: "keyUp", value }]);
    await this.#perform({ type: "key", id: "keyboard", actions });
  }

  override async click(x: number, y: number): Promise<void> {
    const press = { type: "pointerDown", button: 0 }, release = { type: "pointerUp", button: 0 };
    await this.#perform({ type: "pointer", id: "mouse", actions: [{ type: "pointerMove", x, y }, press, release] });
  }

  async #perform(source: Values): Promise<void> {
    await this.process.ask("input.performActions", { context: this.context, actions: [source] });
  }

  override async close(): Promise<void> {
    await this.process.ask("browsingContext.close", { context: this.context });
  }
}

/** WebDriver's characters for keys without one, by the byte that a terminal has for them. */
const KEYS: Readonly<Record<string, string>> = { "\r": "\uE007", "\x1b": "\uE00C", "\t": "\uE004" };
