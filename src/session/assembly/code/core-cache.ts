// Blueprints of cores in the cache folder (`core/`): one start generates them, others read them.
// The file name follows from the generating sources, the runtime that executes them and the place
// of RAM. Without a readable and writable cache nothing is kept.
// Writers to this folder are trusted (docs/threat-model.md).

import { type BlueprintStore, type CoreBlueprint, equipCores } from "../../../cpu/core/boot.ts";
import { readIfThere } from "../../../kit/support/files/cache.ts";
import { type CodeFolders, codeFolders } from "../../../kit/support/files/code-folders.ts";
import { writeCached } from "../../../kit/support/files/files.ts";
import { checkTrustedFolder } from "../../../kit/support/files/own-files.ts";
import { decodeBlueprint, encodeBlueprint } from "./blueprint-file.ts";
import { CodeCache } from "./code-cache.ts";
import { fileNameOf, generatingProgram } from "./generating-program.ts";
import { unlessUnusable } from "../../../kit/support/files/unusable.ts";

/** Files that are kept: a few sizes of RAM of a few versions. One has 0.3 MB. */
const KEPT = 16;

/** The blueprints in one folder. */
export class CoreCache implements BlueprintStore {
  /**
   * @param loaded when the program was read, ms since 1970: later changes are not part of what runs
   * @param trusted whether the folder was checked already
   */
  constructor(readonly folder: string, readonly loaded: number, readonly trusted = false) {}

  load(key: string): CoreBlueprint | undefined {
    const bytes = unlessUnusable("cores are not kept", () => {
      const path = this.#path(key);
      if (path === undefined) return undefined;
      // The content of this folder is executed.
      if (!this.trusted) checkTrustedFolder(this.folder);
      return readIfThere(path);
    });
    return bytes && decodeBlueprint(bytes);
  }

  keep(key: string, blueprint: CoreBlueprint): void {
    unlessUnusable("cores are not kept", () => {
      const path = this.#path(key);
      if (path === undefined) return;
      writeCached(path, encodeBlueprint(blueprint), KEPT);
    });
  }

  /** The file for a key; undefined if the program on disk may be another one by now. */
  #path(key: string): string | undefined {
    const program = generatingProgram(this.loaded);
    return program && `${this.folder}/${fileNameOf(program, key)}.core`;
  }
}

let code: CodeCache | undefined;

/** Writes what is not yet in the cache folder, before the process ends. */
export function saveRegions(): void {
  code?.save();
}

/**
 * Makes this thread read its cores and compiled regions from the cache folder, and keep new ones
 * there; does nothing without such a folder.
 * @param checked the folders, if another thread has found and checked them
 */
export function keepCores(checked?: CodeFolders): void {
  const { cores, code: regions } = checked ?? codeFolders(), trusted = checked !== undefined;
  if (cores !== undefined) equipCores({ blueprints: new CoreCache(cores, performance.timeOrigin, trusted) });
  if (regions === undefined) return;
  code = new CodeCache(regions, () => generatingProgram(performance.timeOrigin), undefined, trusted);
  equipCores({ regions: code });
}
