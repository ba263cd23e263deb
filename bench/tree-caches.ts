// Cache folders of el2 for `--ab`: each tree has its own, with the core that it generated, and
// either without code of earlier runs or with that of one.

import { forgetCode, preferredTree } from "./machines.ts";

/**
 * Asks for the cache folder of the preferred tree.
 * @param folder an existing one, for the caches
 * @param cached whether there is code of an earlier run
 * @param start runs el2 with a new cache, so that it leaves its core there, and its code
 */
export function treeCaches(folder: string, cached: boolean, start: (cache: string) => Promise<unknown>): () => Promise<string> {
  const caches = new Map<string, string>();
  return async () => {
    const tree = preferredTree();
    let cache = caches.get(tree);
    if (cache === undefined) {
      cache = await Deno.makeTempDir({ dir: folder, prefix: "cache-" });
      caches.set(tree, cache);
      await start(cache);
    }
    if (!cached) await forgetCode(cache);
    return cache;
  };
}
