// Cache folders of el2 for `--ab` of benches whose runs begin without code of earlier ones: each
// tree has its own, with the core that it generated.

import { forgetCode, preferredTree } from "./machines.ts";

/**
 * Asks for the cache folder of the preferred tree, without code in it.
 * @param folder an existing one, for the caches
 * @param start starts el2 with a new cache, so that it leaves its core there
 */
export function coldCaches(folder: string, start: (cache: string) => Promise<unknown>): () => Promise<string> {
  const caches = new Map<string, string>();
  return async () => {
    const tree = preferredTree();
    let cache = caches.get(tree);
    if (cache === undefined) {
      cache = await Deno.makeTempDir({ dir: folder, prefix: "cache-" });
      caches.set(tree, cache);
      await start(cache);
    }
    await forgetCode(cache);
    return cache;
  };
}
