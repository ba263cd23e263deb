// LiME's format of memory: runs one after another, each after a header of 32 bytes with its first
// and last physical address (github.com/504ensicsLabs/LiME, its documentation of the format).

import { begins, DumpStart } from "../../kit/support/files/written-files.ts";
import { ADDRESS_END, DumpError, type DumpSource, type FileMemory, type FileRun, plainMemory, RUNS_MAX } from "./file-memory.ts";

const HEADER = 32, VERSION = 1;
/** Start of a run that is compressed: the form of AVML (github.com/microsoft/avml). */
const COMPRESSED = "AVML";

/** Whether a file begins as one of LiME's does. */
export const isLime = (beginning: Uint8Array): boolean =>
  beginning.length >= HEADER && (begins(beginning, DumpStart.lime) || begins(beginning, COMPRESSED));

/** @throws DumpError */
export function readLime(source: DumpSource): FileMemory {
  const runs: FileRun[] = [], bytes = new Uint8Array(HEADER), view = new DataView(bytes.buffer);
  for (let at = 0; at + HEADER <= source.size;) {
    source.read(at, bytes);
    const damaged = (what: string, wayOut?: string) => new DumpError(`${source.name}: byte ${at}: ${what}`, wayOut);
    if (begins(bytes, COMPRESSED)) throw damaged("a run that AVML has compressed", "make it LiME's with: avml-convert");
    if (!begins(bytes, DumpStart.lime)) throw damaged("no header of LiME, where the run before it ends");
    if (view.getUint32(4, true) !== VERSION) {
      throw damaged(`version ${view.getUint32(4, true)} of LiME's format`, `el2 reads version ${VERSION}`);
    }
    const first = Number(view.getBigUint64(8, true)), size = Number(view.getBigUint64(16, true)) + 1 - first;
    if (!(size > 0 && first + size <= ADDRESS_END)) throw damaged("its last address is not after its first");
    if (runs.push({ address: first, offset: at + HEADER, size }) > RUNS_MAX) throw damaged(`more than ${RUNS_MAX} runs`);
    at += HEADER + size;
  }
  return plainMemory(source, "LiME dump", runs);
}
