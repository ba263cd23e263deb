// Hints hold a command and its arguments (src/kit/support/text/hint.ts): each names a command of
// the program, so that nobody searches for texts when one gets another name.

import assert from "node:assert/strict";
import { sourcesBelow } from "../../scripts/structure/sources.ts";
import { noCommands } from "../app/cli/command-names.ts";
import { ROOT } from "../support/files.ts";

Deno.test("each hint names a command of the program", () => {
  const named = sourcesBelow(new URL("src", ROOT).pathname).flatMap((source) =>
    source.literals.filter(({ from }) => /\bhint\(\s*$/.test(source.before(from))).map(({ text }) => text)
  );
  assert.ok(named.length > 0);
  assert.deepEqual(noCommands(named), []);
});
