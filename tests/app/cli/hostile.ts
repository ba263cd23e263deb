// Bytes and text that a terminal would obey, and the check of what commands write of them.

import { denoFolder, el2Command } from "../../support/el2.ts";
import type { Written } from "./many-commands.ts";

/** The mark of what is not el2's own. */
export const MARK = "qzx";
/** In a word, a line and a name of a file. */
export const HOSTILE =
  `\x1b[66;77m${MARK}\x1b]0;${MARK}\x07\x1b]8;;a/${MARK}\x1b\\\x1b[6n\x1bc\x9b2J\x90${MARK}\x9c\b\x7f\u202e${MARK}\u200b\u2066`;

/** Colors, links with a target that is printable ASCII, and lines of progress. */
// deno-lint-ignore no-control-regex
const OWN =
  /\x1b\[[0-9;:]*m|\x1b\]8;;([\x21-\x7e]*)\x1b\\|\r\x1b\[K|\r[^\x00-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069]* \(Ctrl-C stops\)\x1b\[K/g;
// deno-lint-ignore no-control-regex
const LEFT = /[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069]/;

/** The harmful part of a terminal's output; undefined if it is harmless. */
export function harm(text: string): string | undefined {
  // Progress names a file, whose characters are looked at like all text.
  const sequences = [...text.matchAll(OWN)].filter(([sequence]) => !sequence.startsWith("\r"));
  const foreign = sequences.find(([sequence]) => sequence.includes("66;77") || sequence.includes(MARK));
  const left = text.replaceAll(OWN, "");
  const at = foreign ? foreign.index : LEFT.exec(left)?.index;
  return at === undefined ? undefined : JSON.stringify((foreign ? text : left).slice(Math.max(0, at - 60), at + 40));
}

/** Surroundings of a process: its umask, and variables. */
interface Surroundings {
  readonly umask?: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** Runs command lines one after the other in one process whose output goes to a terminal. */
export async function runOnTerminal(
  folder: string,
  lines: readonly (readonly string[])[],
  { umask = "022", env = {} }: Surroundings = {},
): Promise<Written[]> {
  const program = new URL("./many-commands.ts", import.meta.url).pathname;
  const child = new Deno.Command("/bin/sh", {
    args: ["-c", `umask ${umask}; exec "$@"`, "sh", ...el2Command().slice(0, -1), program],
    cwd: folder,
    env: { XDG_RUNTIME_DIR: folder, XDG_CACHE_HOME: `${folder}/cache`, DENO_DIR: denoFolder(), EL2_SESSION: "", ...env },
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  const output = child.output();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(lines.map((line) => `${JSON.stringify(line)}\n`).join("")));
  await writer.close();
  const text = new TextDecoder().decode((await output).stdout);
  return text.trim().split("\n").map((line) => JSON.parse(line));
}
