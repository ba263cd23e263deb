// How files begin that el2 writes, and dumps that it opens: other readers of files say what they
// were given.

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

/** Starts of dumps of memory that others write. */
export const DumpStart = { kdump: "KDUMP   ", flattened: "makedumpfile", lime: "EMiL" } as const;

const DUMPS = [
  { start: DumpStart.kdump, kind: "a compressed dump of memory" },
  { start: DumpStart.flattened, kind: "a compressed dump of memory" },
  { start: DumpStart.lime, kind: "a LiME dump of memory" },
] as const;
const ELF = "\x7fELF", ELF_TYPE = 16, ET_CORE = 4;

/** Whether a file begins with these characters. */
export const begins = (file: Uint8Array, start: string) => new TextDecoder().decode(file.subarray(0, start.length)) === start;

/** The kind of a dump of memory; undefined for other files. */
function dumpKind(file: Uint8Array): string | undefined {
  if (begins(file, ELF) && file[ELF_TYPE] === ET_CORE) return "an ELF core file";
  return DUMPS.find(({ start }) => begins(file, start))?.kind;
}

/**
 * The kind of a file that el2 has written or opens, and the command for it; undefined for others.
 * @param path where it is known
 */
export function ownFile(file: Uint8Array, path?: string): Problem | undefined {
  const dump = dumpKind(file);
  if (dump !== undefined) {
    return { what: `it is ${dump}`, wayOut: way`${hint("open", path ?? "FILE")} shows what it has` };
  }
  const own = OWN.find(({ start }) => begins(file, start));
  if (!own) return undefined;
  const { kind, command, does } = own;
  return { what: `it is a ${kind}`, wayOut: way`${path === undefined ? command : hint(command, path)} ${does}` };
}
