// For commands that make machines in their own thread, and not in the machine's worker.

/** Cores come from the cache, and go there. What machines are made of is loaded only by who calls this. */
export async function useCoreCache(): Promise<void> {
  const { keepCores } = await import("../workstation/assembly/core-cache.ts");
  keepCores();
}
