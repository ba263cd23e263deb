// A PATH on which there is no deno, to try what brings its own.

/**
 * The folders of the PATH; instead of those that have deno, folders with links to all else.
 * @param links folder for these
 */
export async function pathWithoutDeno(links: string): Promise<string> {
  const folders = (Deno.env.get("PATH") ?? "").split(":").filter((folder) => folder !== "");
  return (await Promise.all(folders.map(async (folder, index) => {
    if (!hasDeno(folder)) return folder;
    const instead = `${links}/${index}`;
    await Deno.mkdir(instead, { recursive: true });
    for await (const { name } of Deno.readDir(folder)) if (name !== "deno") await Deno.symlink(`${folder}/${name}`, `${instead}/${name}`);
    return instead;
  }))).join(":");
}

function hasDeno(folder: string): boolean {
  try {
    return Deno.statSync(`${folder}/deno`).isFile;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory) return false;
    throw error;
  }
}
