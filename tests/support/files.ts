// Files of a folder and of those below it.

/**
 * Paths below a folder, relative to it.
 * @param folder with a slash at its end
 * @param ending of the names
 */
export function* filesBelow(folder: URL, ending = ""): Generator<string> {
  for (const { name, isDirectory } of Deno.readDirSync(folder)) {
    if (isDirectory) { for (const path of filesBelow(new URL(`${name}/`, folder), ending)) yield `${name}/${path}`; }
    else if (name.endsWith(ending)) yield name;
  }
}

/** The root of the repository. */
export const ROOT = new URL("../../", import.meta.url);

/** Paths of the files below a folder of the repository, from its root: "src/", ".ts". */
export function* repositoryFiles(folder: string, ending = ""): Generator<string> {
  for (const path of filesBelow(new URL(folder, ROOT), ending)) yield folder + path;
}
