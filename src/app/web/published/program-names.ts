// Names that a published page and its maker agree on, without imports: old browsers read them.

/** The scripts that each page has: the first one, its program, and that of its worker. */
export const PAGE_SCRIPTS = { start: "start.js", page: "el2.js", engine: "engine.js" } as const;

/** The property of the page with its worker, which the first script starts. */
export const WORKER = "el2Worker";
