// The version of el2, from the one place that has it.

import manifest from "../../../deno.json" with { type: "json" };

/** Version in the sense of semver. */
export const VERSION: string = manifest.version;

/** Day of this version, ISO 8601: manual pages name it, and are the same in every build. */
export const RELEASED = "2026-11-21";
