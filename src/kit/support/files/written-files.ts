// How files that el2 writes begin: other readers of files say what they were given.

import type { Problem } from "../problem.ts";

/** Start of every recording, of any version. */
export const RECORDING_START = '{"schema":"el2.recording/';
export const SNAPSHOT_START = "EL2SNAP\n";

const OWN: readonly (readonly [start: string, problem: Problem])[] = [
  [RECORDING_START, { what: "it is a recording", wayOut: "el2 replay FILE runs it again" }],
  [SNAPSHOT_START, { what: "it is a snapshot", wayOut: "el2 snapshot load FILE continues it" }],
];

/** The kind of a file that el2 has written, and the command for it; undefined for others. */
export function ownFile(file: Uint8Array): Problem | undefined {
  return OWN.find(([start]) => new TextDecoder().decode(file.subarray(0, start.length)) === start)?.[1];
}
