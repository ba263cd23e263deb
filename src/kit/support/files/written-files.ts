// How files that el2 writes begin: other readers of files say what they were given.

import type { Problem } from "../problem.ts";
import { hint } from "../text/hint.ts";
import { way } from "../text/way-out.ts";

/** Start of every recording, of any version. */
export const RECORDING_START = '{"schema":"el2.recording/';
export const SNAPSHOT_START = "EL2SNAP\n";

const OWN = [
  { start: RECORDING_START, kind: "recording", command: "replay", does: "runs it again" },
  { start: SNAPSHOT_START, kind: "snapshot", command: "snapshot load", does: "continues it" },
] as const;

/**
 * The kind of a file that el2 has written, and the command for it; undefined for others.
 * @param path where it is known
 */
export function ownFile(file: Uint8Array, path?: string): Problem | undefined {
  const own = OWN.find(({ start }) => new TextDecoder().decode(file.subarray(0, start.length)) === start);
  if (!own) return undefined;
  const { kind, command, does } = own;
  return { what: `it is a ${kind}`, wayOut: way`${path === undefined ? command : hint(command, path)} ${does}` };
}
