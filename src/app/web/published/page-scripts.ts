// Scripts that a page loads from beside itself.

import { PROGRAM } from "./program-names.ts";
import { UserError } from "../../../kit/support/problem.ts";
import { browser, element, type PageElement } from "../page/browser.ts";

type ScriptElement = PageElement & { src: string; remove(): void };

/** Executes a script; false if it does not come. */
export function loadScript(name: string): Promise<boolean> {
  const script = browser.document.createElement("script") as ScriptElement;
  return new Promise((resolve) => {
    const done = (came: boolean) => () => {
      script.remove();
      resolve(came);
    };
    script.addEventListener("load", done(true));
    script.addEventListener("error", done(false));
    script.src = name;
    element("body").append(script);
  });
}

/**
 * The text of a program for a worker, which a script of the page has as a function that the page
 * does not call: a page that connects to nothing reads no other file.
 * @throws UserError if it does not come
 */
export async function programOf(script: string): Promise<string> {
  await loadScript(script);
  const program: unknown = Reflect.get(globalThis, PROGRAM);
  // Its text has megabytes, which a function that stays would keep.
  Reflect.deleteProperty(globalThis, PROGRAM);
  if (typeof program !== "function") throw new UserError(`${script} is missing or not whole`, "load the page again");
  return `(${program})()`;
}
