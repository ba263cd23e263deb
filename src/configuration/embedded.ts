// Files embedded in the program: the demo's configuration and guests. The one-file program has no
// folder to read them from.

import demo from "../../assets/demo.toml" with { type: "text" };
import hello from "../../assets/guests/hello.bin" with { type: "bytes" };
import ping from "../../assets/guests/ping.bin" with { type: "bytes" };
import pong from "../../assets/guests/pong.bin" with { type: "bytes" };

/** Text of the demo's configuration. */
export const DEMO: string = demo;

/** Folder that stands for the program's own files: paths in `DEMO` are relative to it. */
export const EMBEDDED_FOLDER = "embedded:";

const FILES: Readonly<Record<string, Uint8Array>> = {
  "guests/hello.bin": hello,
  "guests/ping.bin": ping,
  "guests/pong.bin": pong,
};

/** A file of the program's own; undefined for a path outside of `EMBEDDED_FOLDER`. */
export function embeddedFile(path: string): Uint8Array | undefined {
  return path.startsWith(`${EMBEDDED_FOLDER}/`) ? FILES[path.slice(EMBEDDED_FOLDER.length + 1)] : undefined;
}
