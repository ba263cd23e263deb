// Messages between a page and the worker in which its machine runs. After the first one and
// its answer, they are lists of requests and of events, as between a session and its machine.

import type { LinkedScreens } from "../../../model/commands/link.ts";
import type { Problem } from "../../../kit/support/problem.ts";

/** Files of a run by name, each compressed by gzip. */
export type PackedFiles = ReadonlyMap<string, Uint8Array<ArrayBuffer>>;

/** The name of the recording among its files. */
export const RECORDING = "";

/** The property of the worker with its core (`PackedCore`), which its program brings. */
export const CORE = "el2Core";

/** The first message to the worker: a recording with its files, of which it makes the machine. */
export interface OpenMessage {
  readonly kind: "open";
  /** Name of the recording's file. */
  readonly name: string;
  readonly packed: PackedFiles;
  /** The machine of the recording runs anew, instead of its replay. */
  readonly live: boolean;
  /** The fragment of the page's address, without its `#`. */
  readonly fragment: string;
}

/** The answer to it: the machine runs, or why there is none. */
export type Opened =
  | { readonly kind: "opened"; readonly linked: LinkedScreens | undefined }
  | { readonly kind: "refused"; readonly problem: Problem };
