// The first script of a published page: it loads the program of the page and starts its worker if
// the browser has all that they need, or else names what is missing. Old browsers execute it, too.

import { browser, element } from "../page/browser.ts";
import { missingFeatures } from "./features.ts";
import { PAGE_SCRIPTS, WORKER } from "./program-names.ts";

function say(text: string): void {
  const message = element("#message");
  message.textContent = text;
  message.hidden = false;
}

/**
 * Starts the worker. Its first program is made here, so that it has the page's policy (CSP): one
 * from a file beside the page would have what the server says. It loads the engine, or answers the
 * page's first message with why it cannot.
 */
function startWorker(): Worker {
  const lost = `${PAGE_SCRIPTS.engine} is missing or not whole`, wayOut = "load the page again";
  const program = `try { importScripts(${JSON.stringify(new URL(PAGE_SCRIPTS.engine, location.href).href)}); }
catch ({ message }) {
  const problem = { what: ${JSON.stringify(lost)} + ": " + message, wayOut: ${JSON.stringify(wayOut)} };
  onmessage = () => postMessage({ kind: "refused", problem });
}`;
  return new Worker(URL.createObjectURL(new Blob([program], { type: "text/javascript" })));
}

const LATER = "use a newer browser, such as Chromium 140 or Firefox 140";

const missing = missingFeatures(globalThis.WebAssembly?.validate);
// A program whose syntax is unknown.
const failed = ({ message }: ErrorEvent) => say(`${PAGE_SCRIPTS.page}: ${message}; ${LATER}`);
addEventListener("error", failed);
if (missing.length) say(`this browser lacks ${missing.join(", ")}; ${LATER}`);
else {
  Reflect.set(globalThis, WORKER, startWorker());
  const script = Object.assign(browser.document.createElement("script"), { src: PAGE_SCRIPTS.page });
  script.addEventListener("load", () => removeEventListener("error", failed));
  script.addEventListener("error", () => say(`${PAGE_SCRIPTS.page} is missing: copy the whole folder`));
  element("body").append(script);
}
