// The files of a published recording, or of a page whose machine runs anew, by name. Any static
// server shows them.

import html from "../page/page.html" with { type: "text" };
import styles from "../page/page.css" with { type: "text" };
import xtermStyles from "@xterm/xterm.css" with { type: "text" };
import { PAGE_SCRIPTS } from "./program-names.ts";
import { type PackedFiles, RECORDING } from "../engine/messages.ts";
import { type PageSubject, piecesOf } from "./run-pieces.ts";
import { packedRecording } from "../../../session/recordings/file/pack.ts";
import { node } from "../../../kit/support/node-modules.ts";

/**
 * The policy of the page: it may load scripts and styles beside it, start a worker that it has
 * made, and compile WebAssembly. Its icon is empty, so that no browser looks for one elsewhere. It
 * may connect to nothing, and the worker inherits that.
 */
export const PUBLISHED_POLICY = [
  ...["default-src 'none'", "script-src 'self' 'wasm-unsafe-eval'", "style-src 'self'", "img-src data:", "worker-src blob:"],
  ...["connect-src 'none'", "base-uri 'none'", "form-action 'none'"],
].join("; ");

/** Mode of the files, less the umask: a web server may be another user. */
export const FOR_SERVERS = 0o666;

/** The script of the page of a live session, which this one does not have. */
const LIVE = '<script type="module" src="page.js"></script>';

/**
 * A recording with the files of its run, for a page.
 * @param disks its disks that get into the page, which has no others
 * @throws RecordingError if a file of its run is missing, or they are too large
 */
export async function packedFiles(
  path: string,
  bytes: Uint8Array,
  disks: Parameters<typeof packedRecording>[2]["disks"] = [],
): Promise<PackedFiles> {
  const { text, files } = await packedRecording(path, bytes, { images: "apart", withoutPaths: false, disks });
  const whole = new Map<string, string | Uint8Array>([[RECORDING, text], ...files]);
  return new Map([...whole].map(([name, content]) => [name, new Uint8Array(node.zlib.gzipSync(content))]));
}

/** @param programs the page's scripts (`PAGE_SCRIPTS`) */
export function publishedFiles(subject: PageSubject, programs: ReadonlyMap<string, string>): ReadonlyMap<string, string> {
  const { run, scripts } = piecesOf(subject);
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
