// `el2 help WORD..`: the commands whose help has words.

import assert from "node:assert/strict";
import { commandAt, commandsAbout, foundText } from "../../../../src/app/cli/common/command-search.ts";
import type { CommandNode } from "../../../../src/app/cli/common/command-tree.ts";
import { el2 } from "../program.ts";

const command = (name: string, rest: Partial<CommandNode> = {}): CommandNode => ({
  ...{ name, help: "", arguments: [], options: [], commands: [], after: "" },
  ...rest,
});

const OPTION = {
  ...{ flags: "--stacks <file>", help: "write a flame graph", long: "--stacks", short: undefined, before: undefined },
  ...{ value: true, choices: [], offers: [], common: false },
};

const TREE = command("el2", {
  commands: [
    command("vm", { help: "the VMs", commands: [command("ls", { help: "list the VMs" })] }),
    command("profile", { help: "where the time goes", options: [OPTION, { ...OPTION, flags: "--json", help: "JSON", common: true }] }),
    command("bench", { help: "measure a graph of time" }),
  ],
});

Deno.test("commands are found by all words, in any case, first by name and description, then by options, which are named", () => {
  assert.deepEqual(commandsAbout(TREE, ["Graph"]).map(({ path, by }) => ({ path, by })), [
    { path: "bench", by: [] },
    { path: "profile", by: ["--stacks <file>"] },
  ]);
  assert.deepEqual(commandsAbout(TREE, ["list", "vms"]).map(({ path }) => path), ["vm ls"]);
  assert.deepEqual(commandsAbout(TREE, ["json"]), [], "options that many commands have are not about one");
  assert.deepEqual(commandsAbout(TREE, ["flame", "nothing"]), []);
  assert.equal(
    foundText(commandsAbout(TREE, ["graph"])),
    "bench    measure a graph of time\nprofile  where the time goes (--stacks <file>)\n",
  );
  assert.equal(commandAt(TREE, ["vm", "ls"])?.help, "list the VMs");
  assert.equal(commandAt(TREE, ["vm", "nope"]), undefined);
});

Deno.test("el2 help of a word lists the commands about it, of a command its help, and of neither is an error", async () => {
  const found = await el2("help", "deadlock");
  assert.deepEqual([found.code, found.stderr], [0, ""]);
  assert.match(found.stdout, /^(?:[a-z][a-z -]* {2}.+\n)+$/);
  const flame = await el2("help", "flame", "graph");
  assert.match(flame.stdout, /^profile +.*--stacks/m);
  const pages = await el2("help", "16K");
  assert.match(pages.stdout, /^boot .*\(--cpu <name>, docs\/own-guests\.md\)$/m);
  assert.match(await Deno.readTextFile(new URL("../../../../docs/own-guests.md", import.meta.url)), /pages of 16 or 64 KiB/);
  assert.match((await el2("help", "vm", "ls")).stdout, /^Usage: el2 vm ls/);
  const none = await el2("help", "no-such-word");
  assert.deepEqual([none.code, none.stdout], [2, ""]);
  assert.match(none.stderr, /^el2: unknown command "no-such-word"/);
  const below = await el2("help", "vm", "nope");
  assert.deepEqual([below.code, below.stdout], [2, ""]);
  assert.match(below.stderr, /no command/);
});
