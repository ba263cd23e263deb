// The files of the page of `el2 serve`, by their names in its address. The modules are sources,
// whose types are taken away when they are served, under their own names: no bundler is needed. So
// they have nothing of TypeScript but types.

import { stripTypeScriptTypes } from "node:module";
import xterm from "@xterm/xterm" with { type: "text" };
import xtermStyles from "@xterm/xterm.css" with { type: "text" };
import html from "./page/page.html" with { type: "text" };
import styles from "./page/page.css" with { type: "text" };
import browser from "./page/browser.ts" with { type: "text" };
import live from "./page/live.ts" with { type: "text" };
import messages from "./page/messages.ts" with { type: "text" };
import ownStyles from "./page/own-styles.ts" with { type: "text" };
import terminal from "./page/terminal.ts" with { type: "text" };

/** A file of the page, as a browser gets it. */
export interface PageFile {
  readonly type: string;
  readonly text: string;
}

const SCRIPT = "text/javascript; charset=utf-8", STYLES = "text/css; charset=utf-8";
const MODULES: Readonly<Record<string, string>> = {
  "page.js": live,
  "browser.ts": browser,
  "messages.ts": messages,
  "own-styles.ts": ownStyles,
  "terminal.ts": terminal,
};

/** The page may load its own files, and connect to where they are from; nothing else. */
export const PAGE_POLICY = [
  "default-src 'none'",
  ...[
    "script-src 'self'",
    "style-src 'self'",
    "img-src data:",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ],
].join("; ");

/** All files by name; the page itself has none. */
export function pageFiles(): ReadonlyMap<string, PageFile> {
  const script = (text: string) => stripTypeScriptTypes(text).replace('"@xterm/xterm"', '"./xterm.js"');
  const scripts = Object.entries(MODULES).map(([name, text]) => [name, { type: SCRIPT, text: script(text) }] as const);
  return new Map([
    ["", { type: "text/html; charset=utf-8", text: html }],
    ["page.css", { type: STYLES, text: styles }],
    ["xterm.css", { type: STYLES, text: xtermStyles }],
    ["xterm.js", { type: SCRIPT, text: xterm }],
    ...scripts,
  ]);
}
