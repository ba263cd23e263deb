import assert from "node:assert/strict";
import { makeProgram } from "../../../src/cli/main.ts";
import { commandTree } from "../../../src/cli/common/command-tree.ts";
import { manualPage } from "../../../src/cli/commands/man.ts";

const TREE = commandTree(makeProgram(new URL(import.meta.url), () => {}));

Deno.test("the manual page has every command, and roff takes it", () => {
  const page = manualPage(TREE);
  for (const line of page.split("\n")) assert.match(line, /^(\.(TH|SH|B|I|TP|RS|RE)\b|[^.']|\\&|$)/, line);
  assert.match(page, /\.B el2 vcpu ls \[vm\]/);
});
