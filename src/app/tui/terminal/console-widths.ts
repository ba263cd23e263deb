// Widths of what guests print, for the emulators of their consoles: the clusters and columns with
// which el2 draws. The emulator's own table is Unicode 6, in which emoji have one column.

import { clusterWidth, codeWidth, continues, isSingleCode } from "../../../kit/support/text/text-width.ts";
import type { IUnicodeVersionProvider } from "./xterm.ts";

/** Code units of the longest cluster: a guest can print marks without end. */
const LONGEST = 64;

/** The emulator keeps a number of each character for the next: its state, width, and this bit. */
const JOINS = 1;
const WIDTH_SHIFT = 1;
const STATE_SHIFT = 3;
/** The state is the code point, or this bit for a cluster of several. */
const SEVERAL = 1 << 21;

/** Clusters of one console. */
export class ConsoleWidths implements IUnicodeVersionProvider {
  readonly version = "el2";
  /** The last cluster of several code points. */
  #cluster = "";

  wcwidth(code: number): 0 | 1 | 2 {
    return codeWidth(code);
  }

  /** @param before what this returned for the character before; 0 for none */
  charProperties(code: number, before: number): number {
    const last = before >> STATE_SHIFT;
    if (isSingleCode(code) && (before === 0 || isSingleCode(last))) return properties(code, 1);
    if (before !== 0) {
      const cluster = last === SEVERAL ? this.#cluster : String.fromCodePoint(last);
      // A character without columns takes none, also where it is not a part of the cluster.
      if (cluster.length < LONGEST && (codeWidth(code) === 0 || continues(cluster, code))) {
        this.#cluster = cluster + String.fromCodePoint(code);
        return properties(SEVERAL, clusterWidth(this.#cluster)) | JOINS;
      }
    }
    return properties(code, clusterWidth(String.fromCodePoint(code)));
  }
}

function properties(state: number, width: number): number {
  return state << STATE_SHIFT | width << WIDTH_SHIFT;
}
