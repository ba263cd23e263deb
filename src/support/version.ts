// The version of el2, from the one place that has it.

import manifest from "../../deno.json" with { type: "json" };

/** Version in the sense of semver. */
export const VERSION: string = manifest.version;
