// The files of a published recording, by name. Any static server shows them.

import html from "../page/page.html" with { type: "text" };
import styles from "../page/page.css" with { type: "text" };
import xtermStyles from "@xterm/xterm.css" with { type: "text" };
import { PAGE_SCRIPTS } from "./program-names.ts";
import type { PackedFiles } from "../engine/messages.ts";
import { piecesOf } from "./run-pieces.ts";

/**
 * The policy of the page: it may load scripts and styles beside it, start a worker that it has
 * made, and compile WebAssembly. It may connect to nothing, and the worker inherits that.
 */
export const PUBLISHED_POLICY = [
  ...["default-src 'none'", "script-src 'self' 'wasm-unsafe-eval'", "style-src 'self'", "worker-src blob:"],
  ...["connect-src 'none'", "base-uri 'none'", "form-action 'none'"],
].join("; ");

/** The script of the page of a live session, which this one does not have. */
const LIVE = '<script type="module" src="page.js"></script>';

/**
 * @param packed the recording and the files of its run
 * @param programs the page's scripts (`PAGE_SCRIPTS`)
 */
export function publishedFiles(name: string, packed: PackedFiles, programs: ReadonlyMap<string, string>): ReadonlyMap<string, string> {
  const { run, scripts } = piecesOf(name, packed);
  const head = [
    `<meta http-equiv="Content-Security-Policy" content="${PUBLISHED_POLICY}" />`,
    `<script type="application/json" id="run">${JSON.stringify(run).replaceAll("<", "\\u003c")}</script>`,
    `<script defer src="${PAGE_SCRIPTS.start}"></script>`,
  ].join("\n    ");
  if (!html.includes(LIVE)) throw new Error("the page has no script to replace");
  return new Map([
    ["index.html", html.replace(LIVE, () => head)],
    ["page.css", styles],
    ["xterm.css", xtermStyles],
    ...programs,
    ...scripts,
  ]);
}
