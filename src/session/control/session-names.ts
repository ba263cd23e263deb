// Names of sessions.

/** A name that can be a file's: letters, digits, `-`, `_` and `.`, not hidden. */
const NAME = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}$/;

/** Whether a session can have this name. */
export function isSessionName(name: string): boolean {
  return NAME.test(name);
}

/** The name of a session of WHAT: the file's without its end. */
export function defaultName(what: string): string {
  return (what.split("/").at(-1) ?? what).replace(/\.toml$/, "").replaceAll(/[^A-Za-z0-9_.-]/g, "-").replace(/^[.-]+/, "") || "session";
}
