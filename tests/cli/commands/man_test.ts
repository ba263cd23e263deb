import assert from "node:assert/strict";
import { el2 } from "../program.ts";
import { makeProgram } from "../../../src/cli/main.ts";
import { commandTree } from "../../../src/cli/common/command-tree.ts";
import { commandPage, manualPage } from "../../../src/cli/commands/man.ts";

const TREE = commandTree(makeProgram(new URL(import.meta.url), () => {}));

Deno.test("the manual page has every command, and roff takes it", () => {
  const page = manualPage(TREE);
  for (const line of page.split("\n")) assert.match(line, /^(\.(TH|SH|B|I|TP|RS|RE|nh|ad)\b|[^.']|\\&|$)/, line);
  assert.match(page, /\.B el2 vcpu ls \[vm\]/);
});

Deno.test("every command, and every group of commands, has a page, with a date and a name of one line", () => {
  const visit = (node: typeof TREE, path: readonly string[]) => {
    if (path.length) {
      const page = commandPage(path, node);
      const title = ["EL2", ...path].join("-").toUpperCase();
      assert.ok(page.startsWith(`.TH ${title} 1 "`), title);
      assert.match(
        page,
        /^\.TH \S+ 1 "\d{4}-\d\d-\d\d" "el2 \S+" "User Commands"\n\.nh\n\.ad l\n\.SH NAME\nel2\S+ \\- .+\n\.SH SYNOPSIS\n/,
      );
      for (const line of page.split("\n")) assert.match(line, /^(\.(TH|SH|SS|B|BR|br|I|TP|nh|ad)\b|[^.']|\\&|$)/, line);
      for (const { long } of node.options) if (long) assert.ok(page.includes(long.replaceAll("-", "\\-")), `${title} ${long}`);
    }
    for (const child of node.commands) visit(child, [...path, child.name]);
  };
  visit(TREE, []);
});

Deno.test("man prints the page of the command that is named, and refuses what is not a command", async () => {
  const { stdout } = await el2("man", "vm", "ls");
  assert.match(stdout, /^\.TH EL2-VM-LS 1 /);
  const wrong = await el2("man", "vm", "lss");
  assert.deepEqual([wrong.code, wrong.stderr], [2, 'el2: there is no command "vm lss"; did you mean "ls"? List them with el2 --help\n']);
});
