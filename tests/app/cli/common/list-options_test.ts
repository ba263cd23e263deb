import assert from "node:assert/strict";
import { type CommandNode, commandTree } from "../../../../src/app/cli/common/command-tree.ts";
import { noCommands } from "../command-names.ts";
import { COMMANDS } from "../../../../src/model/commands/all.ts";
import { pathOf } from "../../../../src/model/commands/words.ts";
import { makeProgram } from "../../../../src/app/cli/main.ts";
import { namedColumns, tsvHeading, tsvRow } from "../../../../src/model/queries/texts/list-text.ts";
import { VMS } from "../../../../src/model/queries/tables.ts";
import { el2Command } from "../../../support/el2.ts";
import { Place } from "../place.ts";

/** Commands that print rows, although neither their name nor their description says so. */
const LISTS = [
  "reference personas",
  "reference cpu",
  "reference phone",
  "reference theme",
  ...COMMANDS.filter(({ lists }) => lists).map(pathOf),
];
/**
 * Calls are printed below the requests that they were made for, while they are made; files with a
 * consent are a path on a line.
 */
const NO_LISTS = ["trace calls", "consent"];

/** Lists of kernels, which may be empty; without a kernel there is no other list of a Linux. */
const KERNELS = ["linux ls", "linux cmdline"];

/** Options with which a command prints its list, and ends. */
const MORE: Readonly<Record<string, readonly string[]>> = {
  events: ["--limit", "3"],
  back: ["--list"],
  find: ["--event", "kind=rpc", "--limit", "3"],
};

/** Every command that prints a list, with its path. */
function* lists(node: CommandNode, path: readonly string[] = []): Generator<readonly [path: string, command: CommandNode]> {
  const name = path.join(" ");
  const isList = node.name === "ls" || /^list\b/.test(node.help) || LISTS.includes(name);
  const isGroup = node.commands.length > 0 && node.arguments.length === 0;
  if (!isGroup && isList && !NO_LISTS.includes(name)) yield [name, node];
  for (const child of node.commands) yield* lists(child, [...path, child.name]);
}

const tree = () => commandTree(makeProgram(new URL(import.meta.url), () => {}));

Deno.test("every command that prints a list has --columns, -o and --watch", () => {
  const found = [...lists(tree())];
  assert.deepEqual([...LISTS, ...Object.keys(MORE)].filter((name) => !found.some(([path]) => path === name)), []);
  assert.deepEqual(noCommands([...NO_LISTS, ...KERNELS]), [], "no longer needed");
  for (const name of ["ls", "guests ls", "reference theme", "reference phone", "symbols", "events"]) {
    assert.ok(found.some(([path]) => path === name), name);
  }
  for (const [path, { options }] of found) {
    const names = options.map(({ long }) => long);
    for (const one of ["--columns", "--output", "--watch"]) assert.ok(names.includes(one), `${path} ${one}`);
  }
});

Deno.test("every list prints the columns that are named, exact values with tabs, and refuses a column that it lacks", async () => {
  await using place = new Place();
  await place.up("one");
  await place.el2("pause");
  const [queue] = (await place.json("queue", "ls", "--limit", "1")).data,
    [cap] = (await place.json("caps", "ls", "ping", "--limit", "1")).data;
  const [rpc] = (await place.json("rpc", "ls", "--limit", "1")).data;
  const named: Record<string, string> = {
    ...{ vm: "ping", vcpu: "ping/0", irq: "irq:ping/27", address: "ipa:ping/0x80000000", parcel: "parcel:0x0" },
    ...{
      queue: String(queue.id),
      cap: String(cap.id),
      rpc: String(rpc.id),
      id: "vm:ping",
      target: "ipa:ping/0x80000000",
      expression: "ping/0:$pc",
    },
  };
  for (const [path, { arguments: taken }] of lists(tree())) {
    // No VM of the demo has a Linux, so that it has no tasks to list something of.
    if (taken.some(({ name }) => name === "task")) continue;
    const given = taken.filter(({ required }) => required).map(({ name }) => path === "who print" ? "ping:*ticks" : named[name]);
    const words = [...path.split(" "), ...given, ...MORE[path] ?? []];
    const wrong = await place.el2(...words, "--columns", "nope");
    assert.equal(wrong.code, 2, path);
    assert.match(wrong.stderr, /has no column "nope"; (?:its columns are|did you mean)/, path);
    if (path.startsWith("linux ") && !KERNELS.includes(path)) {
      const { code, stdout, stderr } = await place.el2(...words, "-o", "tsv");
      assert.deepEqual([code, stdout, stderr.split(";")[0]], [1, "", "el2: no VM's memory has a Linux kernel"], path);
      continue;
    }
    const run = async (...options: string[]) => {
      const outcome = await place.el2(...words, ...options);
      assert.ok(outcome.code === 0 || ["mem check", "diagnose", "guests ls"].includes(path), `${words.join(" ")}: ${outcome.stderr}`);
      return outcome.stdout.split("\n").slice(0, -1).map((line) => line.split("\t"));
    };
    const [heading, ...rows] = await run("-o", "tsv");
    assert.ok(heading.length > 1, path);
    for (const row of rows) assert.equal(row.length, heading.length, `${path}: ${row.join(" | ")}`);
    const swapped = await run("-o", "tsv", "--columns", `${heading[1]},${heading[0]}`);
    assert.deepEqual(swapped[0], [heading[1], heading[0]], path);
    assert.match((await run("-o", "json")).flat().join(""), /^\{\s*"schema": ?"el2\./, path);
  }
});

Deno.test("tsv has exact values, and no value of a guest can add a column or a line", () => {
  const row = { id: "vm:a\tb\n", memory: 65536, owner: null, cpu: 0.5 };
  const shown = namedColumns(VMS, ["id", "memory", "owner", "cpu"]);
  assert.equal(tsvHeading(shown) + tsvRow(row, shown), "id\tmemory\towner\tcpu\nvm:a^Ib^J\t65536\t\t0.5\n");
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
  for (const both of [["-o", "tsv", "--json"], ["-o", "json", "-o", "wide"]]) assert.equal((await place.el2("vm", "ls", ...both)).code, 2);

  const [program, ...args] = el2Command("vm", "ls", "--watch", "--columns", "id");
  const env = { NO_COLOR: "1", XDG_RUNTIME_DIR: place.folder, EL2_SESSION: "" };
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
