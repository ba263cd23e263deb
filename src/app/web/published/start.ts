// The first script of a published page: it loads the program of the page if the browser has all
// that this and its worker need, or else names what is missing. Old browsers execute it, too.

import { browser, element } from "../page/browser.ts";
import { missingFeatures } from "./features.ts";
import { PAGE_SCRIPTS } from "./program-names.ts";

function say(text: string): void {
  const message = element("#message");
  message.textContent = text;
  message.hidden = false;
}

const LATER = "use a newer browser, such as Chromium 140 or Firefox 140";

const missing = missingFeatures(globalThis.WebAssembly?.validate);
// A program whose syntax is unknown.
const failed = ({ message }: ErrorEvent) => say(`${PAGE_SCRIPTS.page}: ${message}; ${LATER}`);
addEventListener("error", failed);
if (missing.length) say(`this browser lacks ${missing.join(", ")}; ${LATER}`);
else {
  const script = Object.assign(browser.document.createElement("script"), { src: PAGE_SCRIPTS.page });
  script.addEventListener("load", () => removeEventListener("error", failed));
  script.addEventListener("error", () => say(`${PAGE_SCRIPTS.page} is missing: copy the whole folder`));
  element("body").append(script);
}
