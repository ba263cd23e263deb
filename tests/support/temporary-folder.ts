// Folders that tests work in, gone afterwards.

/** Does `work` with a folder that is removed afterwards. */
export async function inFolder<T>(work: (folder: string) => T | Promise<T>): Promise<T> {
  const folder = await Deno.makeTempDir({ prefix: "el2-test-" });
  try {
    return await work(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** The same, with an empty cache of el2 in the folder's `cache`. */
export async function inCache(work: (folder: string) => void | Promise<void>): Promise<void> {
  await inFolder(async (folder) => {
    const before = Deno.env.get("EL2_CACHE");
    Deno.env.set("EL2_CACHE", `${folder}/cache`);
    try {
      await work(folder);
    } finally {
      if (before === undefined) Deno.env.delete("EL2_CACHE");
      else Deno.env.set("EL2_CACHE", before);
    }
  });
}
