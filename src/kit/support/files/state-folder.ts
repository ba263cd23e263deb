// The folder for files that outlive a session, below the user's state folder.

/** The folder of this name; undefined if the environment names none. */
export function stateFolder(name: string): string | undefined {
  // Windows has another name for it.
  const home = Deno.env.get("HOME") || Deno.env.get("USERPROFILE");
  const folder = Deno.env.get("XDG_STATE_HOME") || (home && `${home}/.local/state`);
  return folder ? `${folder}/el2/${name}` : undefined;
}
