// How this program starts itself once more: with the permissions that it has, and no others.

/**
 * What el2 may do, wherever it starts itself: as the launcher and the tasks of deno.json have it.
 */
const PERMISSIONS = ["--allow-read", "--allow-write", "--allow-env", "--allow-net", "--allow-run"];

/** What comes after Deno's path to start this program, whose module is `entry`. */
export function runtimeArguments(entry: URL): readonly string[] {
  return Deno.build.standalone ? [] : ["run", "-q", "--no-prompt", ...PERMISSIONS, entry.href];
}
