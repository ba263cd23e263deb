// The modules of a folder, such as a kernel's build tree: files of symbols for one VM. Each is used
// for the module that has its build id alone, so that a tree may have several builds.

import { Failure } from "../../common/failure.ts";
import { SYMBOL_BYTES, SYMBOL_FILES } from "../../../../inside/symbols/elf-symbols.ts";
import { cannotRead } from "../../../../kit/support/files/named-file.ts";
import { formatSize } from "../../../../kit/support/text/units.ts";

const MODULE = /\.ko(\.debug)?(\.(xz|zst))?$/, DEBUG = /\.debug(\.|$)/;
/** Names in a folder and those below it that are read. */
const NAMES_MAX = 1 << 20;

/**
 * Paths of the modules in a folder and those below it, without links. Files of debug information
 * come last: they take precedence.
 * @throws Failure if there are none, or more than a machine takes
 */
export function modulesIn(folder: string): string[] {
  const plain: string[] = [], debug: string[] = [], folders = [folder];
  let names = 0, size = 0;
  for (let at = folders.pop(); at !== undefined; at = folders.pop()) {
    for (const { name, isFile, isDirectory } of entriesOf(at)) {
      if (++names > NAMES_MAX) throw new Failure(`symbols ${folder}: more than ${NAMES_MAX} files`, "name a folder below it");
      const path = `${at}/${name}`;
      if (isDirectory && !name.startsWith(".")) folders.push(path);
      if (!isFile || !MODULE.test(name)) continue;
      (DEBUG.test(name) ? debug : plain).push(path);
      size += Deno.statSync(path).size;
    }
  }
  const modules = [...plain.sort(), ...debug.sort()];
  if (!modules.length) {
    throw new Failure(`symbols ${folder}: no modules in it (.ko, .ko.debug)`, "name the folder in which they were built");
  }
  if (modules.length > SYMBOL_FILES || size > SYMBOL_BYTES) {
    const most = `${SYMBOL_FILES} and ${formatSize(SYMBOL_BYTES)}`;
    throw new Failure(`symbols ${folder}: ${modules.length} modules with ${formatSize(size)}, at most ${most}`, "name a folder below it");
  }
  return modules;
}

function entriesOf(folder: string): Deno.DirEntry[] {
  try {
    return [...Deno.readDirSync(folder)];
  } catch (error) {
    throw new Failure(cannotRead(error, `symbols ${folder}`));
  }
}
