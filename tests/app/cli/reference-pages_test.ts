import assert from "node:assert/strict";
import { partsOfHelp } from "../../../src/app/cli/common/command.ts";
import { type CommandNode, commandTree, isRunnable } from "../../../src/app/cli/common/command-tree.ts";
import { makeProgram } from "../../../src/app/cli/main.ts";
import { REFERENCE_PAGES } from "../../../scripts/reference/pages.ts";
import { ACTIONS } from "../../../src/app/tui/actions/actions.ts";
import { KNOWN_KEYS } from "../../../src/app/configuration/schema.ts";
import { STEPS } from "../../../src/app/scenarios/scenario.ts";
import { HYPERCALLS } from "../../../src/machine/abi/hypercalls.ts";
import { requestNames } from "../../../src/machine/abi/ioctl/decode.ts";
import { PERSONA_NAMES } from "../../../src/machine/abi/ioctl/personas.ts";
import { DOCUMENTS } from "../../../src/model/queries/documents.ts";
import { checkDocument } from "../../support/columns.ts";
import { el2, el2Process } from "./program.ts";

const TREE = commandTree(makeProgram(new URL(import.meta.url), () => {}));

/** Pages of which only the names are compared. */
const BY_NAME = ["commands.md", "configuration.md", "hypercalls.md", "ioctls.md"];

for (const { file, text } of REFERENCE_PAGES) {
  // Every change of an option or key would touch these pages: they have all of them, and are
  // written anew for a release.
  if (BY_NAME.includes(file)) continue;
  Deno.test(`docs/reference/${file} is what the tables say (deno task reference writes it)`, () => {
    assert.equal(Deno.readTextFileSync(new URL(`../../../docs/reference/${file}`, import.meta.url)), text());
  });
}

Deno.test("docs/reference/commands.md has a section for every command (deno task reference writes it)", () => {
  const page = Deno.readTextFileSync(new URL("../../../docs/reference/commands.md", import.meta.url));
  for (const command of TREE.commands) {
    const { name, commands } = command;
    for (const path of [...isRunnable(command) ? [name] : [], ...commands.map((child) => `${name} ${child.name}`)]) {
      assert.ok(page.includes(`\n## ${path}\n`), path);
    }
  }
  const examples = (
    node: CommandNode,
  ): string[] => [...partsOfHelp(node.after).examples.map(({ line }) => line), ...node.commands.flatMap(examples)];
  for (const line of TREE.commands.flatMap(examples)) assert.ok(page.includes(`\n${line}`), line);
});

Deno.test("docs/reference/configuration.md has every key of a configuration and every step of a scenario (deno task reference writes it)", () => {
  const page = Deno.readTextFileSync(new URL("../../../docs/reference/configuration.md", import.meta.url));
  for (const key of [...KNOWN_KEYS.machine, ...KNOWN_KEYS.host, ...KNOWN_KEYS.vm, ...Object.keys(STEPS)]) {
    assert.ok(page.includes(`| \`${key}\` |`), key);
  }
});

Deno.test("docs/reference has a row for every hypercall and every ioctl (deno task reference writes them)", () => {
  const page = (file: string) => Deno.readTextFileSync(new URL(`../../../docs/reference/${file}`, import.meta.url));
  for (const name of Object.keys(HYPERCALLS)) assert.ok(page("hypercalls.md").includes(` | ${name} | `), name);
  for (const name of requestNames()) assert.ok(page("ioctls.md").includes(`| ${name} |`), name);
});

Deno.test("W9: the reference of keys lists every action of the table", () => {
  const page = REFERENCE_PAGES.find(({ file }) => file === "keys.md")!.text();
  for (const { name } of ACTIONS) assert.ok(page.includes(`\`${name}\``), name);
});

/** Output of `--help` for a command. */
function helpOf(path: readonly string[]): string {
  let command = makeProgram(new URL(import.meta.url), () => {}) as unknown as Helped;
  for (const name of path) command = command.commands.find((child) => child.name() === name)!;
  let text = "";
  command.configureOutput({ writeOut: (part) => text += part });
  command.outputHelp();
  return text;
}

/** The used part of a command, whatever its types. */
interface Helped {
  readonly commands: readonly Helped[];
  name(): string;
  configureOutput(to: { writeOut(text: string): void }): void;
  outputHelp(): void;
}

Deno.test("the help of every command has examples, of commands and options that there are", () => {
  const leaves = (
    node: CommandNode,
    path: string[],
  ): string[][] => [
    ...path.length && isRunnable(node) ? [path] : [],
    ...node.commands.flatMap((child) => leaves(child, [...path, child.name])),
  ];
  for (const path of leaves(TREE, [])) {
    const [, examples] = helpOf(path).split(/^Examples?:$/m);
    assert.ok(examples, `el2 ${path.join(" ")} --help has no example`);
    const lines = [...examples.matchAll(/\bel2 ((?:'[^'\n]*'|[^;|&'\n])+)/g)].map(([, words]) => words.match(/'[^']*'|\S+/g)!);
    assert.ok(lines.length > 0, path.join(" "));
    for (const words of lines) {
      let node = TREE;
      const rest = [...words];
      while (node.commands.some(({ name }) => name === rest[0])) {
        const name = rest.shift();
        node = node.commands.find((child) => child.name === name)!;
      }
      assert.ok(node === TREE || isRunnable(node), `el2 ${words.join(" ")}`);
      const end = rest.indexOf("--");
      for (const word of end < 0 ? rest : rest.slice(0, end)) {
        if (word.startsWith("--")) assert.ok(node.options.some(({ long }) => long === word), `el2 ${words.join(" ")}: ${word}`);
      }
    }
  }
});

Deno.test("documents of commands that need no session have the fields of their schemas", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const dtb = `${folder}/bad.dtb`;
    await Deno.writeFile(dtb, new Uint8Array(64));
    const log = `${folder}/dmesg.txt`;
    await Deno.writeTextFile(log, "misc gunyah: Failed to start VM: -19\n");
    const scenario = new URL("../../../examples/refused-lend.test.toml", import.meta.url).pathname;
    const guest = new URL("../../../assets/guests/hello.bin", import.meta.url).pathname;
    // The catalog of a new user is empty.
    const cache = { EL2_CACHE: folder };
    assert.equal((await el2Process(["guests", "add", "hello", guest], cache)).code, 0);
    const commands: readonly (readonly [name: string, args: readonly string[], least?: number])[] = [
      ["ls", ["ls", "--json"]],
      ["doctor", ["doctor", "--json"]],
      ["ioctl.decode", ["reference", "ioctl", "0x40204701", "--json"]],
      ["ioctl.decode", ["reference", "ioctl", "0x5401", "--json"]],
      ["rpc.decode", ["rpc", "decode", "2102", "--json"]],
      ["vm.lint", ["vm", "lint", dtb, "--json"]],
      ["explain", ["explain", log, "--json"]],
      ["test", ["test", scenario, "--json"]],
      ["guest", ["guests", "ls", "--json"]],
      ["version", ["version", "--json"]],
      ["error", ["vm", "ls", "--json", "--session", "none"]],
      ["persona", ["reference", "personas", "--json"], PERSONA_NAMES.length],
    ];
    for (const [name, args, least = 1] of commands) {
      const document = DOCUMENTS.find((one) => one.name === name)!;
      const { stdout, stderr } = name === "guest" ? await el2Process(args, cache) : await el2(...args);
      const lines = (name === "error" ? stderr : stdout).trimEnd().split("\n");
      assert.ok(lines.length >= least, args.join(" "));
      for (const line of lines) checkDocument(document, line);
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
