// Commands and screens are in a file of their name. tests/hypervisor/object-files_test.ts has the
// hypervisor's object types, tests/house/groups_test.ts RM messages and instructions.

import assert from "node:assert/strict";
import { commandTree } from "../../src/cli/common/command-tree.ts";
import { makeProgram } from "../../src/cli/main.ts";
import { SCREENS } from "../../src/tui/actions/screen-table.ts";
import { repositoryFiles } from "../support/files.ts";

Deno.test("each top-level command has a source file and a test file with its name", () => {
  const commands = commandTree(makeProgram(new URL(import.meta.url), () => {})).commands.map(({ name }) => name);
  assert.ok(commands.length > 40, commands.join());
  const found = new Set([...repositoryFiles("src/cli/commands/"), ...repositoryFiles("tests/cli/commands/")]);
  const missing = commands.flatMap((name) =>
    [`src/cli/commands/${name}.ts`, `tests/cli/commands/${name}_test.ts`].filter((path) => !found.has(path))
  );
  assert.deepEqual(missing, []);
});

Deno.test("each screen has a source file and a test file with its name", () => {
  const found = new Set([...repositoryFiles("src/tui/"), ...repositoryFiles("tests/tui/")]);
  assert.ok(SCREENS.length > 0);
  const missing = SCREENS.flatMap(({ name, title }) => {
    // Its name in actions is short: memory is `mem`, and its title has the whole word.
    const stems = [name, title.toLowerCase()];
    const held = (path: (stem: string) => string) => stems.some((stem) => found.has(path(stem)));
    const source = held((stem) => `src/tui/screens/${stem}-screen.ts`), test = held((stem) => `tests/tui/${stem}-screen_test.ts`);
    return source && test ? [] : [title];
  });
  assert.deepEqual(missing, []);
});
