// The folders of the cache that the thread of guests uses: cores and compiled regions, which are
// executed, and states of runs.

import { findCacheFolder, NoCacheFolder } from "./cache.ts";
import { codeIn, coresIn, statesIn } from "./folder-names.ts";
import { checkTrustedFolder } from "./own-files.ts";
import { unlessUnusable } from "./unusable.ts";
import { warn } from "../warn.ts";

/**
 * In the environment: compiled regions are neither read from the cache folder nor kept there, if it
 * is set to anything.
 */
const NO_CODE_CACHE = "EL2_NO_CODE_CACHE";

/** The folders; undefined for one that cannot or must not be used. */
export interface CodeFolders {
  readonly cores: string | undefined;
  readonly code: string | undefined;
  readonly states: string | undefined;
}

const NONE: CodeFolders = { cores: undefined, code: undefined, states: undefined };

/** The folders that the environment names. */
export function codeFolders(): CodeFolders {
  try {
    const folder = findCacheFolder();
    if (folder === undefined) return NONE;
    return {
      cores: coresIn(folder),
      code: Deno.env.get(NO_CODE_CACHE) === undefined ? codeIn(folder) : undefined,
      states: statesIn(folder),
    };
  } catch (error) {
    if (!(error instanceof NoCacheFolder)) throw error;
    warn(`cores are not kept: ${error.message}`);
    return NONE;
  }
}

/** The same, checked: only this user can change their content. */
export function trustedCodeFolders(): CodeFolders {
  const { cores, code, states } = codeFolders();
  return {
    cores: trusted(cores, "cores are not kept"),
    code: trusted(code, "compiled code is not kept"),
    states: trusted(states, "fewer states are kept for going back"),
  };
}

function trusted(folder: string | undefined, loss: string): string | undefined {
  return unlessUnusable(loss, () => {
    if (folder !== undefined) checkTrustedFolder(folder);
    return folder;
  });
}
