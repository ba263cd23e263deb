// How this program starts itself once more: with the permissions that it has, and no others.

import { WORKER_OPTIONS } from "../../session/worker-rights.ts";

/**
 * Permissions with which el2 starts itself: those of the launcher and of the tasks of deno.json.
 */
export const PERMISSIONS: readonly string[] = [
  ...["--allow-read", "--allow-write", "--allow-env", "--allow-net", "--allow-run", "--no-prompt"],
  ...WORKER_OPTIONS,
];

/** Arguments after Deno's path that start this program, whose module is `entry`. */
export function runtimeArguments(entry: URL): readonly string[] {
  return Deno.build.standalone ? [] : ["run", "-q", ...PERMISSIONS, entry.href];
}
