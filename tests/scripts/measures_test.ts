// The counts of `deno task structure`, each on sources that were made for it.

import assert from "node:assert/strict";
import * as v from "valibot";
import type { CommandNode } from "../../src/app/cli/common/command-tree.ts";
import { namesCrossed } from "../../scripts/structure/faces.ts";
import { summaryOf } from "../../scripts/structure/homes.ts";
import { linuxTableHomes, verdictHomes } from "../../scripts/structure/homes-of-tables.ts";
import { keyHomes } from "../../scripts/structure/keys.ts";
import { screenHomes } from "../../scripts/structure/screens.ts";
import { codeLinesOf, sizesBelow } from "../../scripts/structure/sizes.ts";
import { importedNames, Source } from "../../scripts/structure/sources.ts";
import { keysOf, surfaceOf } from "../../scripts/structure/surface.ts";
import { namesOfTwoThings, typeNames } from "../../scripts/structure/type-names.ts";
import { spelledIn, verbHomes, verbsOf } from "../../scripts/structure/verbs.ts";

const VERBS = new Set(["queue flush", "vm ls", "ls", "who", "back"]);
const spelled = (text: string, path = "room/file.ts") => [...spelledIn(new Source(path, text), VERBS)];

/** A command of a program that was made for this. */
function command(name: string, rest: Partial<CommandNode> = {}): CommandNode {
  return { name, help: "", arguments: [], options: [], commands: [], after: "", ...rest };
}

function option(long: string, common = false): CommandNode["options"][number] {
  return { flags: long, help: "", long, short: undefined, before: undefined, value: false, choices: [], offers: [], common };
}

Deno.test("a file spells a verb by its name, its words, its command line, or a row of it", () => {
  for (
    const text of [
      'case "queue.flush":',
      'const command = "queue flush mq:289";',
      'return ["queue", "flush", id];',
      "say(`empty it with el2 queue flush ${id}`);",
    ]
  ) assert.deepEqual(spelled(text), ["queue flush"], text);
  for (
    const text of [
      'program.command("who")',
      'tool({\n  name: "who",',
      'command: "who",',
      'el2(["who", "--json"])',
      'examples: ["who --back 3"]',
    ]
  ) {
    assert.deepEqual(spelled(text), ["who"], text);
  }
  for (const text of ['command("queue.flush", {})', 'changeOf("queue.flush", {})']) {
    assert.deepEqual(spelled(text, "model/commands/queue.ts"), ["queue flush"]);
  }
  assert.deepEqual(spelled('command("who", { notes: "el2 ls lists them", examples: ["who --back 3"] })', "model/commands/who.ts"), ["who"]);
  const breaks = (path: string) => [...spelledIn(new Source(path, '"console.break": () => {}'), new Set(["console break"]))];
  assert.deepEqual([breaks("app/tui/app/actions.ts"), breaks("session/act.ts")], [[], ["console break"]], "the name of a key");
  assert.deepEqual(spelled('queries: [{ name: "flush" }]', "app/cli/commands/session/queue.ts"), ["queue flush"]);
  assert.deepEqual(spelled('vm.command("ls")', "app/cli/commands/session/vm-more.ts"), ["vm ls"]);
});

/** The things of which a file is a home. */
function homesIn(find: typeof verdictHomes, text: string, path: string): string[] {
  return find([new Source(path, text)]).filter(({ files }) => files.length > 0).map(({ name }) => name);
}

Deno.test("a file is a home of a verdict by its code, as a fact, in a rule or in a list", () => {
  const of = (text: string, path = "session/inspection/verdicts/verdict-work.ts") =>
    homesIn(verdictHomes, `import { verdictRule } from "./verdict.ts";\n${text}`, path);
  for (
    const text of [
      'return { fact: { code: "spins", vcpu } };',
      'if (fact.code === "spins") return;',
      'verdictRule({ codes: ["spins"], of: "vcpu", judge });',
      'const VAIN = { "spins": FAULT_KINDS };',
      'const WAITING = new Set<VerdictFact["code"]>(["spins"]);',
    ]
  ) assert.deepEqual(of(text), ["spins"], text);
  assert.deepEqual(of('say("spins");'), []);
  assert.deepEqual(of('new Facts<Evidence>({ "broken": ({ rule }) => rule });'), []);
  assert.deepEqual(homesIn(verdictHomes, 'const wait = { code: "spins" };', "app/file.ts"), []);
});

Deno.test("a file is a home of a Linux table by its name, its reader, its ids, its command or prose", () => {
  const of = (text: string, path = "room/file.ts") => homesIn(linuxTableHomes, text, path);
  assert.deepEqual(of('  name: "linux.dt",'), ["linux.dt"]);
  assert.deepEqual(of('  "linux.dt": readNodes,'), ["linux.dt"]);
  assert.deepEqual(of("  dtnode: Vm & { path: string };", "model/queries/ids.ts"), ["linux.dt"]);
  assert.deepEqual(of('type NodeRow = RowOf<LinuxTables["linux.dt"]>;', "inside/linux/structures/devicetree.ts"), ["linux.dt"]);
  assert.deepEqual(of('{ name: "dt", help }', "app/cli/commands/session/linux.ts"), ["linux.dt"]);
  assert.deepEqual(of('list("dt", "nodes")', "model/commands/linux.ts"), ["linux.dt"]);
  assert.deepEqual(of('{ doc: "for linux.dt: the node" }'), ["linux.dt"]);
  assert.deepEqual(of('ask({ table: "linux.dt", args: {} });'), []);
  assert.deepEqual(of('const DT = LINUX_TABLES["linux.dt"];'), []);
});

Deno.test("an import, a table, a use of a command by its name, prose and comments do not spell a verb", () => {
  for (
    const text of [
      'import { flush } from "queue.flush";',
      'ask({ table: "vm.ls", args: {} });',
      'failed("it is full", hint("queue flush", queue));',
      'say("they go back to it, who knows");',
      "// el2 queue flush",
      'group.command("who")',
    ]
  ) assert.deepEqual(spelled(text), [], text);
});

Deno.test("verbs are the commands that take --session, and the actions", () => {
  const session = { options: [option("--session")] };
  const tree = command("el2", {
    commands: [command("man"), command("who", session), command("queue", { commands: [command("flush", session)] })],
  });
  const verbs = verbsOf(tree);
  assert.deepEqual(verbs.slice(0, 2), ["who", "queue flush"]);
  assert.ok(verbs.includes("irq raise") && !verbs.includes("man"));
  const homes = verbHomes(["who", "queue flush"], [
    new Source("b.ts", 'x("el2 who")'),
    new Source("a.ts", 'x("el2 who, el2 queue flush")'),
  ]);
  assert.deepEqual(homes, [{ name: "who", files: ["a.ts", "b.ts"] }, { name: "queue flush", files: ["a.ts"] }]);
  assert.deepEqual(summaryOf(homes), { greatest: 2, mean: 1.5, worst: [homes[0]] });
});

Deno.test("a screen has a home where its name or key is, or its file is imported, and in that", () => {
  const sources = [
    new Source("app/tui/app/names.ts", 'const COMMANDS = { "screen.queue": "queue ls" };'),
    new Source("app/tui/app/chapters.ts", 'goal: { screen: "6" }'),
    new Source("app/tui/look/links.ts", 'mq: ["6", "queues"]'),
    new Source("app/tui/screens/queue-screen.ts", ""),
    new Source("app/tui/screens/screens.ts", 'import { queueScreen } from "./queue-screen.ts";'),
    new Source("app/tui/app/doing/navigation.ts", 'windows.show("6");'),
    new Source("app/tui/app/frame/hints.ts", '  "6": ["object.go", "pane.next"],'),
    new Source("app/tui/app/frame/header.ts", 'if (screen.key === "6") return;'),
    new Source("app/tui/app/frame/opening.ts", '{ title, screen: key = "6", readOnly = false }'),
    new Source("app/tui/panes/refusals-pane.ts", 'bottom: [{ text: "6", role: "accent" }],'),
    new Source("app/tui/panes/overview/link-lines.ts", 'packed(pieces, width, MOST, "6")'),
    new Source("app/tui/app/guide/guide-chapters.ts", 'task: "Press {screen.queue} for the queues.",'),
    new Source("app/tui/look/numbers.ts", 'const digits = ["6"], six = "6", all = text.padStart(8, "6");'),
    new Source("app/cli/queue.ts", 'key: "6"'),
  ];
  const [{ name, files }] = screenHomes("/src", [{ key: "6", name: "queue", title: "Queues" }], sources);
  assert.equal(name, "6 Queues");
  assert.deepEqual(files, sources.slice(0, -2).map(({ path }) => path));
});

Deno.test("the surface of a program is its commands and the options in their help", () => {
  const boot = command("boot", { options: [option("--a"), option("--b")] });
  const group = command("group", { commands: [command("one", { options: [option("--a")] }), command("two")] });
  const tree = command("el2", { options: [option("--c")], commands: [boot, group] });
  assert.deepEqual(surfaceOf(tree), { commands: 2, runnable: 3, options: 3, optionLines: 4, boot: 2, run: 0 });
  const lists = command("lists", { options: [option("--a"), option("--d", true), option("--e", true)] });
  const more = command("more", { options: [option("--d", true)] });
  const { options, optionLines } = surfaceOf(command("el2", { commands: [lists, more] }));
  assert.deepEqual([options, optionLines], [3, 5], "common options are a line of each command, and explained once");
});

Deno.test("keys are those of tables, of tables in lists and of their kinds; a table that two have counts once, and a key of two kinds", () => {
  const device = v.variant("kind", [
    v.object({ kind: v.literal("disk"), file: v.string() }),
    v.object({ kind: v.literal("none") }),
  ]);
  const schema = v.object({
    machine: v.optional(v.object({ cpus: v.optional(v.number()), windows: v.array(v.object({ base: v.number() })) })),
    vm: v.record(v.string(), v.object({ devices: v.array(device) })),
    host: v.object({ devices: v.array(device) }),
  });
  assert.deepEqual(keysOf(schema), [
    ...["machine.cpus", "machine.windows", "machine.windows.base"],
    ...["vm.devices", "vm.devices.kind", "vm.devices.file", "host.devices"],
  ]);
});

Deno.test("a key is at home in its entry, in a type of the plan, and where it is copied or renamed", () => {
  const homes = (text: string, path: string, key = "vm.cpu_frequencies") =>
    keyHomes([key], [new Source(path, text)]).some(({ files }) => files.length > 0);
  const entries = "app/configuration/keys/vm.ts", plan = "machine/host/boards/vm-plan.ts", code = "app/configuration/plan-vm.ts";
  assert.ok(homes("export const VM = keysOf({\n  cpu_frequencies: {\n    type,", entries));
  assert.ok(homes("export const VM = keysOf({\n  memory: { type: size, doc }", entries, "vm.memory"));
  assert.ok(!homes("export const HOST = keysOf({\n  memory: { type: size, doc }", "app/configuration/keys/host.ts", "vm.memory"));
  assert.ok(homes("  readonly cpuFrequencies?: readonly number[];", plan));
  assert.ok(homes("cpuFrequencies: vm.cpu_frequencies,", code));
  assert.ok(homes("const { cpu_frequencies: cpuFrequencies } = vm;", code));
  assert.ok(homes("memory: vm.memory,", code, "vm.memory"));
  assert.ok(homes('capIds: "machine.cap_ids",', "app/cli/options/behavior.ts", "machine.cap_ids"));
  assert.ok(!homes("const { cpuFrequencies } = plan;", "machine/host/boards/crosvm/devices.ts"));
  assert.ok(!homes("const { vcpus, cpu_frequencies } = vm;", code));
});

Deno.test("names that cross a face are counted once, types and re-exports too, those within a level not", () => {
  const names = [
    new Source(
      "app/tui/a.ts",
      'import { ask, type Asked as Question } from "../../session/control/ask.ts";\nexport type { Asked } from "../../session/control/ask.ts";',
    ),
    new Source("app/cli/b.ts", 'import { ask } from "../../session/control/ask.ts";\nimport { box } from "../tui/box.ts";'),
  ].flatMap((source) => importedNames("/src", source));
  assert.deepEqual(namesCrossed(names, new Set(["tui", "cli"]), new Set(["control"])), ["Asked", "ask"]);
});

Deno.test("declarations of types are counted by their names, the shown ones apart", () => {
  const sources = [
    new Source("a.ts", "export interface Place {}\ntype Row = 1;\nexport type Same = Other;"),
    new Source("b.ts", "class Place {}\nconst Row = 1;\n  type Place = 2;"),
  ];
  assert.deepEqual(typeNames(sources), [
    { name: "Place", files: ["a.ts", "b.ts"], exporters: ["a.ts"] },
    { name: "Row", files: ["a.ts"], exporters: [] },
  ]);
});

Deno.test("a name stands for two things where two files of one floor export it", () => {
  const one = "export interface Place {}", both = `${one}\nexport const Place = 1;\nexport interface Place {}`;
  const names = (...sources: [path: string, text: string][]) =>
    namesOfTwoThings(typeNames(sources.map(([path, text]) => new Source(path, text)))).map(({ name }) => name);
  assert.deepEqual(names(["app/tui/a.ts", one], ["app/cli/b.ts", one]), ["Place"]);
  assert.deepEqual(names(["app/tui/a.ts", one], ["cpu/b.ts", one]), []);
  assert.deepEqual(names(["app/tui/a.ts", both], ["app/cli/b.ts", "interface Place {}"], ["app/c.d.ts", one]), []);
});

Deno.test("lines of code are those apart from imports, re-exports, comments and empty ones", () => {
  const text =
    `// A file.\n\nimport {\n  a,\n} from "./a.ts";\nexport * from "./b.ts";\n/**\n * Doc.\n */\nexport const b = a; // why\n/* one */\n`;
  assert.equal(codeLinesOf(text), 1);
});

Deno.test("small files, spreads and flat folders are found", async () => {
  const folder = await Deno.makeTempDir();
  try {
    await Deno.mkdir(`${folder}/flat`);
    for (let index = 0; index < 26; index++) await Deno.writeTextFile(`${folder}/flat/${index}.ts`, "1;\n".repeat(index ? 30 : 29));
    await Deno.writeTextFile(`${folder}/spread.ts`, `${"1;\n".repeat(40)}x({ ...{ a, b }, ...c });\ny({\n  ...{\n    d,\n  },\n});\n`);
    const { smallFiles, spreads, flatFolders } = sizesBelow(folder);
    assert.deepEqual(smallFiles, [{ file: "flat/0.ts", line: 1, text: "29 lines" }]);
    assert.deepEqual(spreads.map(({ line }) => line), [41, 43]);
    assert.deepEqual(flatFolders, [{ file: "flat", line: 1, text: "26 files" }]);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
