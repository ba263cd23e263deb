// The folder for files that outlive a session, below the user's state folder.

/** The folder of this name; undefined if the environment names none. */
export function stateFolder(name: string): string | undefined {
  const home = Deno.env.get("HOME");
  const folder = Deno.env.get("XDG_STATE_HOME") || (home && `${home}/.local/state`);
  return folder ? `${folder}/el2/${name}` : undefined;
}
