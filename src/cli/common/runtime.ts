// How this program starts itself once more: with the permissions and settings that it has.

import { WORKER_OPTIONS } from "../../session/worker-rights.ts";
import { MALLOC_SETTINGS } from "../../support/garbage.ts";
import { V8_OPTIONS } from "../../support/v8-options.ts";

/**
 * Permissions and other options with which el2 starts itself: those of the launcher and of the
 * tasks of deno.json.
 */
export const PERMISSIONS: readonly string[] = [
  ...["--allow-read", "--allow-write", "--allow-env", "--allow-net", "--allow-run", "--allow-ffi", "--no-prompt"],
  ...WORKER_OPTIONS,
  ...V8_OPTIONS,
];

/** `MALLOC_SETTINGS` as words for a shell. */
export const ENVIRONMENT = Object.entries(MALLOC_SETTINGS).map(([name, value]) => `${name}=${value}`).join(" ");

/** Arguments after Deno's path that start this program, whose module is `entry`. */
export function runtimeArguments(entry: URL): readonly string[] {
  return Deno.build.standalone ? [] : ["run", "-q", ...PERMISSIONS, entry.href];
}
