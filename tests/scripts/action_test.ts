// The guests that the GitHub action fetches, with npm and el2 replaced by scripts that note their
// arguments.

import assert from "node:assert/strict";
import { runAction } from "../dist/action.ts";

const NPM = `#!/bin/sh
mkdir -p "$RUNNER_TEMP/el2/bin" && cp "$RUNNER_TEMP/el2.sh" "$RUNNER_TEMP/el2/bin/el2"
`;
const EL2 = `#!/bin/sh
echo "el2 $*"
if [ "$1 $2" = "guests ls" ]; then echo "debian-bookworm  Debian bookworm"; exit "$LS_CODE"; fi
`;

/** The `guests fetch` commands of the action on a runner whose cache has debian-bookworm. */
async function fetched(env: Record<string, string>): Promise<string[]> {
  const temp = await Deno.makeTempDir({ prefix: "el2-action-" });
  try {
    await Deno.mkdir(`${temp}/bin`);
    for (const [path, text] of [["bin/npm", NPM], ["el2.sh", EL2]]) await Deno.writeTextFile(`${temp}/${path}`, text, { mode: 0o755 });
    await Deno.writeTextFile(`${temp}/a.test.toml`, "");
    const path = `${temp}/bin:${Deno.env.get("PATH")}`;
    const inputs = { scenarios: "a.test.toml", guests: "debian\n\ndebian --release trixie\n" };
    const outcome = await runAction(temp, temp, { PATH: path, HOME: temp, LS_CODE: "0", ...env }, inputs);
    assert.equal(outcome.code, 0, outcome.stderr);
    return Array.from(outcome.stdout.matchAll(/^el2 guests fetch (.*)$/gm), ([, args]) => args);
  } finally {
    await Deno.remove(temp, { recursive: true });
  }
}

Deno.test("the action fetches all guests unless their own cache was restored whole", async () => {
  const all = ["debian", "debian --release trixie"];
  assert.deepEqual(await fetched({}), all);
  assert.deepEqual(await fetched({ EL2_GUESTS_CACHED: "" }), all);
  assert.deepEqual(await fetched({ EL2_GUESTS_CACHED: "true" }), []);
  assert.deepEqual(await fetched({ EL2_GUESTS_CACHED: "true", LS_CODE: "1" }), all, "a file in the cache is damaged");
});
