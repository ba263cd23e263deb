// Objects that a reader looks for by name are in a file of that name: commands, screens, and RM
// messages in one file of their group. tests/hypervisor/object-files_test.ts has the hypervisor's
// object types.

import assert from "node:assert/strict";
import { commandTree } from "../../src/cli/common/command-tree.ts";
import { makeProgram } from "../../src/cli/main.ts";
import { RPC_MESSAGES } from "../../src/abi/rpc/messages/all.ts";
import { SCREEN_LIST } from "../../src/tui/actions.ts";

const ROOT = new URL("../../", import.meta.url);

function* files(folder: string): Generator<string> {
  for (const { name, isDirectory } of Deno.readDirSync(new URL(folder, ROOT))) {
    if (isDirectory) yield* files(`${folder}${name}/`);
    else yield folder + name;
  }
}

Deno.test("each top-level command has a source file and a test file with its name", () => {
  const commands = commandTree(makeProgram(new URL(import.meta.url), () => {})).commands.map(({ name }) => name);
  assert.ok(commands.length > 40, commands.join());
  const missing = commands.flatMap((name) =>
    [`src/cli/commands/${name}.ts`, `tests/cli/commands/${name}_test.ts`].filter((path) =>
      ![...files(path.slice(0, path.lastIndexOf("/") + 1))].includes(path)
    )
  );
  assert.deepEqual(missing, []);
});

Deno.test("each screen has a source file and a test file with its name", () => {
  const found = new Set([...files("src/tui/"), ...files("tests/tui/")]);
  assert.equal(SCREEN_LIST.length, 10);
  const missing = SCREEN_LIST.flatMap(({ name, title }) => {
    // Its name in actions is short: memory is `mem`, and its title has the whole word.
    const stems = [name, title.toLowerCase()];
    const held = (path: (stem: string) => string) => stems.some((stem) => found.has(path(stem)));
    const source = held((stem) => `src/tui/${stem}-screen.ts`), test = held((stem) => `tests/tui/${stem}-screen_test.ts`);
    return source && test ? [] : [title];
  });
  assert.deepEqual(missing, []);
});

Deno.test("each message to or from the Resource Manager stands in exactly one file of src/abi/rpc/messages", () => {
  const texts = [...files("src/abi/rpc/messages/")].map((path) => ({ path, text: Deno.readTextFileSync(new URL(path, ROOT)) }));
  const wrong = [...RPC_MESSAGES.values()].flatMap(({ name }) => {
    const found = texts.filter(({ text }) => new RegExp(`\\b(?:request|notification)\\(\\s*"${name}"`).test(text));
    return found.length === 1 ? [] : [`${name}: ${found.map(({ path }) => path).join(", ") || "nowhere"}`];
  });
  assert.ok(RPC_MESSAGES.size > 40, `${RPC_MESSAGES.size} messages`);
  assert.deepEqual(wrong, []);
});
