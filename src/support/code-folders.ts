// The folders of the cache whose content is executed: cores, and compiled regions.

import { findCacheFolder, isOfSystem, NoCacheFolder } from "./cache.ts";
import { codeIn, coresIn } from "./cache-name.ts";
import { NO_CODE_CACHE } from "./code-cache-switch.ts";
import { checkTrustedFolder, NotOurs } from "./own-files.ts";
import { warn } from "./warn.ts";

/** The folders; undefined what cannot or shall not be used. */
export interface CodeFolders {
  readonly cores: string | undefined;
  readonly code: string | undefined;
}

/** The folders that the environment names. */
export function codeFolders(): CodeFolders {
  try {
    const folder = findCacheFolder();
    if (folder === undefined) return { cores: undefined, code: undefined };
    return { cores: coresIn(folder), code: Deno.env.get(NO_CODE_CACHE) === undefined ? codeIn(folder) : undefined };
  } catch (error) {
    if (!(error instanceof NoCacheFolder)) throw error;
    warn(`cores are not kept: ${error.message}`);
    return { cores: undefined, code: undefined };
  }
}

/** The same, looked at: nobody else can change what is in them. */
export function trustedCodeFolders(): CodeFolders {
  const { cores, code } = codeFolders();
  return { cores: trusted(cores, "cores are not kept"), code: trusted(code, "compiled code is not kept") };
}

/** @param loss begins the warning where others can change the folder */
function trusted(folder: string | undefined, loss: string): string | undefined {
  try {
    if (folder !== undefined) checkTrustedFolder(folder);
    return folder;
  } catch (error) {
    if (error instanceof NotOurs) warn(`${loss}: ${error.message}`);
    else if (!isOfSystem(error)) throw error;
    return undefined;
  }
}
