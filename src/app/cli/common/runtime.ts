// How this program starts itself once more: with the permissions and settings that it has.

import { WORKER_OPTIONS } from "../../../session/worker/rights/worker-rights.ts";
import { MALLOC_SETTINGS } from "../../../kit/support/computer/garbage.ts";
import { V8_OPTIONS } from "../../../kit/support/computer/v8-options.ts";

/**
 * Permissions and other options with which el2 starts itself: those of the launcher and of
 * scripts/start.ts.
 */
export const PERMISSIONS: readonly string[] = [
  ...["--allow-read", "--allow-write", "--allow-env", "--allow-net", "--allow-run", "--allow-ffi", "--no-prompt"],
  ...WORKER_OPTIONS,
  ...V8_OPTIONS,
];

/** `MALLOC_SETTINGS` as words for a shell. */
export const ENVIRONMENT = Object.entries(MALLOC_SETTINGS).map(([name, value]) => `${name}=${value}`).join(" ");

/**
 * The option that names the lock file of a checkout. deno.json names none: `deno task` would fetch
 * all that is in it, also what only tests need.
 */
export function lockOf(entry: URL): readonly string[] {
  const [, root] = /^file:\/\/(.*\/)main\.ts$/.exec(entry.href) ?? [];
  return root === undefined ? [] : [`--lock=${decodeURIComponent(root)}deno.lock`];
}

/**
 * Options of a program without a checkout. They keep the surroundings out: no configuration,
 * package or module of others. As in a checkout, by deno.json, modules that may be imported later
 * are not read before: that is half of the time in which a command starts.
 */
export const ALONE: readonly string[] = [
  ...["--no-config", "--no-lock", "--no-npm", "--no-remote", "--cached-only"],
  "--unstable-lazy-dynamic-imports",
];

/** Arguments after Deno's path that start this program, whose module is `entry`. */
export function runtimeArguments(entry: URL): readonly string[] {
  if (Deno.build.standalone) return [];
  const lock = lockOf(entry), settings = lock.length === 0 && entry.protocol === "file:" ? ALONE : lock;
  return ["run", "-q", ...PERMISSIONS, ...settings, entry.href];
}
