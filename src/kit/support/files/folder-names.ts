// Names of el2's own folders, without imports: they are needed before anything else is loaded.

/** Builds of `deno task prepare`, in the checkout. */
export const PREPARED_FOLDER = ".prepared/";

/** The folder that the environment names; undefined if it names no home. */
export function namedCacheFolder(): string | undefined {
  const own = Deno.env.get("EL2_CACHE");
  if (own) return own;
  const xdg = Deno.env.get("XDG_CACHE_HOME");
  if (xdg) return `${xdg}/el2`;
  // Windows has another name for it.
  const home = Deno.env.get("HOME") || Deno.env.get("USERPROFILE");
  return home ? `${home}/.cache/el2` : undefined;
}

/** The folder of cores in a cache folder. */
export function coresIn(folder: string): string {
  return `${folder}/core`;
}

/** The folder of snapshots of first prompts in a cache folder. */
export function instantIn(folder: string): string {
  return `${folder}/instant`;
}

/** The folder in which files for states of runs are made. */
export function statesIn(folder: string): string {
  return `${folder}/states`;
}

/**
 * A file for the states of a recorded run.
 * @param prefix the folder and what names the program
 * @param recording SHA-256 of the recording in hexadecimal digits
 */
export function statesFile(prefix: string, recording: string): string {
  return `${prefix}${recording}.states`;
}

/** The folder of compiled regions in a cache folder. */
export function codeIn(folder: string): string {
  return `${folder}/code`;
}
