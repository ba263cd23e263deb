// A page that a browser shows, as tests look at it in each browser.

import { eventually } from "./eventually.ts";

export abstract class ShownPage {
  /** Complaints of the browser, such as what it has refused, and errors of scripts. */
  readonly complaints: string[] = [];
  /** Addresses that the page has asked for, without fragments. */
  readonly requests: string[] = [];

  /** The value of an expression in the page, as JSON has it. */
  abstract value(expression: string): Promise<unknown>;

  /** Types a text, as a keyboard does. */
  abstract type(text: string): Promise<void>;

  /** Clicks at a place, in pixels of the page. */
  abstract click(x: number, y: number): Promise<void>;

  abstract close(): Promise<void>;

  /** The text of an element, with a line for each of its rows; "" without such an element. */
  async text(selector: string): Promise<string> {
    return String(await this.value(`document.querySelector(${JSON.stringify(selector)})?.innerText ?? ""`)).replaceAll("\u00a0", " ");
  }

  /** Waits until an element shows a text. */
  async shows(selector: string, wanted: RegExp): Promise<string> {
    return await eventually(() => this.text(selector), (text) => wanted.test(text));
  }
}
