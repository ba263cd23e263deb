import assert from "node:assert/strict";
import { type CommandNode, commandTree } from "../../../src/cli/common/command-tree.ts";
import { QUERY_COMMANDS } from "../../../src/cli/groups.ts";
import { makeProgram } from "../../../src/cli/main.ts";
import { namedColumns, tsvText } from "../../../src/queries/list-text.ts";
import { VMS } from "../../../src/queries/tables.ts";
import { el2Command } from "../../support/el2.ts";
import { Place } from "../place.ts";

Deno.test("every command that prints a list has --columns, -o and --watch", () => {
  const tree = commandTree(makeProgram(new URL(import.meta.url), () => {}));
  const lists = [
    ...QUERY_COMMANDS.filter(({ full }) => !full).map(({ path }) => path),
    ...["irq top", "inject", "break", "back", "why", "trace stats"],
  ];
  for (const path of lists) {
    let node: CommandNode = tree;
    for (const name of path.split(" ")) node = node.commands.find((child) => child.name === name)!;
    const options = node.options.map(({ long }) => long);
    for (const one of ["--columns", "--output", "--watch"]) assert.ok(options.includes(one), `${path} ${one}`);
  }
});

Deno.test("tsv has exact values, and no value of a guest can add a column or a line", () => {
  const row = { id: "vm:a\tb\n", memory: 65536, owner: null, cpu: 0.5 };
  assert.equal(tsvText([row], namedColumns(VMS, ["id", "memory", "owner", "cpu"])), "id\tmemory\towner\tcpu\nvm:a^Ib^J\t65536\t\t0.5\n");
});

Deno.test("lists have the columns that are named, all columns, or tabs, and --watch prints them again", async () => {
  await using place = new Place();
  await place.up("one");
  const columns = await place.el2("vm", "ls", "--columns", "state,id");
  assert.match(columns.stdout, /^state +id\nrunning +vm:/);
  const tsv = await place.el2("vm", "ls", "-o", "tsv", "--filter", "id=vm:host");
  const [heading, values] = tsv.stdout.split("\n").map((line) => line.split("\t"));
  assert.equal(heading.length, values.length);
  assert.equal(values[heading.indexOf("state")], "running");
  const wrong = await place.el2("vm", "ls", "--columns", "sate");
  assert.deepEqual([wrong.code, /vm\.ls has no column "sate"; did you mean "state"/.test(wrong.stderr)], [2, true]);
  assert.equal((await place.el2("vm", "ls", "-o", "tsv", "--json")).code, 2);

  const [program, ...args] = el2Command("vm", "ls", "--watch", "--columns", "id");
  const env = { NO_COLOR: "1", XDG_RUNTIME_DIR: place.folder, EL2_SOCKET: "" };
  const child = new Deno.Command(program, { args, env, stdin: "null", stdout: "piped", stderr: "null" }).spawn();
  let text = "";
  const decoder = new TextDecoder();
  for await (const bytes of child.stdout) {
    text += decoder.decode(bytes, { stream: true });
    if (text.split(/^id$/m).length > 2) break;
  }
  child.kill("SIGKILL");
  await child.status;
  assert.match(text, /^id\nvm:[\s\S]*\n\nid\nvm:/);
});
