// Scripts that a page loads from beside itself.

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
