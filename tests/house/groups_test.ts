// Each RM message and each instruction is defined in one file, whose group the table of
// CONTRIBUTING.md names.

import assert from "node:assert/strict";
import { basename } from "node:path";
import { RPC_MESSAGES } from "../../src/machine/abi/rpc/messages/all.ts";
import type { Instruction } from "../../src/cpu/isa/notation/insn.ts";
import { instructions } from "../../src/cpu/isa/table.ts";
import { handlers } from "../../src/machine/resource-manager/handlers/all.ts";
import { filesBelow, ROOT } from "../support/files.ts";

/** A file's name, and the values that it defines. */
type Group = readonly [file: string, defined: ReadonlySet<unknown>];

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> => typeof value === "object" && value !== null;
const isMessage = (value: unknown) => isObject(value) && (value.kind === "request" || value.kind === "notification");
const isHandler = (value: unknown) => isObject(value) && isMessage(value.message);
const isInstruction = (value: unknown): value is Instruction => isObject(value) && "assembly" in value && "semantics" in value;

/** Values of a kind that an exported value is or lists. */
const valuesOf = (kind: (value: unknown) => boolean) => (exported: unknown) => [exported].flat().filter(kind);
const isMaker = (value: unknown): value is () => unknown => typeof value === "function" && value.length === 0 && !("prototype" in value);
/** Names of the instructions that an exported arrow function makes, other objects in each call. */
const instructionNames = (exported: unknown) => isMaker(exported) ? [exported()].flat().filter(isInstruction).map(({ name }) => name) : [];

/** Files of a folder that define something; `joining` files only join what others define. */
async function groupsOf(folder: string, definedBy: (exported: unknown) => unknown[], joining: readonly string[]): Promise<Group[]> {
  const files = [...filesBelow(new URL(folder, ROOT), ".ts")].filter((file) => !joining.includes(basename(file)));
  const groups = await Promise.all(files.map(async (file): Promise<Group> => {
    const exported = Object.values<unknown>(await import(new URL(folder + file, ROOT).href));
    return [basename(file), new Set(exported.flatMap(definedBy))];
  }));
  return groups.filter(([, defined]) => defined.size);
}

const messageGroups = await groupsOf("src/machine/abi/rpc/messages/", valuesOf(isMessage), ["all.ts"]);
const handlerGroups = await groupsOf("src/machine/resource-manager/handlers/", valuesOf(isHandler), ["all.ts"]);
const instructionGroups = await groupsOf("src/cpu/isa/", instructionNames, ["table.ts", "fp-simd.ts", "extensions.ts"]);

/** A row of CONTRIBUTING's table by its first cell. */
function row(what: string): string {
  const found = Deno.readTextFileSync(new URL("CONTRIBUTING.md", ROOT)).split("\n").filter((line) => line.startsWith(`| ${what} `));
  assert.equal(found.length, 1, `rows "${what}" of CONTRIBUTING.md`);
  return found[0];
}

/** File names in code spans, each once. */
function namesIn(text: string): string[] {
  return [...text.matchAll(/`([a-z-]+\.ts)`/g)].map(([, name]) => name);
}

/** Names of the groups of messages. */
const MESSAGE_NAMES = namesIn(row("an RM message"));

/** Names of the groups of instructions: the list that the row links. */
const INSTRUCTION_NAMES = (() => {
  const [, page, anchor] = /\]\(([\w./-]+)#([\w-]+)\)/.exec(row("an instruction"))!;
  const [section] = Deno.readTextFileSync(new URL(page, ROOT)).split("\n## ").filter((text) =>
    text.slice(0, text.indexOf("\n")).toLowerCase().replaceAll(" ", "-") === anchor
  );
  return section.split("\n").flatMap((line) => /^\| `([a-z-]+\.ts)`/.exec(line)?.[1] ?? []);
})();

/**
 * Violations: things that no file or several files define, files that define other things of that
 * kind, and differences between the files and the list of their names.
 */
function violations(things: ReadonlyMap<unknown, string>, groups: readonly Group[], names: readonly string[]): string[] {
  const found: string[] = [];
  for (const [thing, name] of things) {
    const files = groups.filter(([, defined]) => defined.has(thing)).map(([file]) => file);
    if (files.length !== 1) found.push(`${name} is defined in ${files.join(" and ") || "no file"}`);
  }
  for (const [file, defined] of groups) {
    if (defined.difference(new Set(things.keys())).size) found.push(`${file} defines something that is not in the table`);
    if (!names.includes(file)) found.push(`${file} is not listed`);
  }
  for (const name of names) if (!groups.some(([file]) => file === name)) found.push(`${name} is listed and defines nothing`);
  if (new Set(names).size !== names.length) found.push("a name is listed twice");
  return found;
}

const MESSAGES = new Map<unknown, string>(Array.from(RPC_MESSAGES.values(), (message) => [message, message.name]));
const INSTRUCTIONS = new Map<unknown, string>(instructions().map(({ name }) => [name, name]));

Deno.test("each RM message is declared in one file, whose group CONTRIBUTING's table names", () => {
  assert.ok(MESSAGES.size > 0);
  assert.deepEqual(violations(MESSAGES, messageGroups, MESSAGE_NAMES), []);
});

Deno.test("each request to the Resource Manager is handled in the file that has the name of its declaration's", () => {
  const things = new Map<unknown, string>(Array.from(handlers.values(), (handler) => [handler, handler.message.name]));
  const requests = [...RPC_MESSAGES.values()].filter(({ kind }) => kind === "request");
  assert.equal(things.size, requests.length);
  assert.deepEqual(violations(things, handlerGroups, MESSAGE_NAMES), []);
  const fileOf = (groups: readonly Group[], thing: unknown) => groups.find(([, defined]) => defined.has(thing))?.[0];
  for (const message of requests) {
    assert.equal(fileOf(handlerGroups, handlers.get(message.id)), fileOf(messageGroups, message), message.name);
  }
});

Deno.test("each instruction is defined in one file, whose group CONTRIBUTING's table names, and has its own name", () => {
  assert.ok(INSTRUCTIONS.size > 0);
  assert.deepEqual(violations(INSTRUCTIONS, instructionGroups, INSTRUCTION_NAMES), []);
  const names = Map.groupBy(instructions(), ({ name }) => name);
  assert.deepEqual([...names].filter(([, entries]) => entries.length > 1).map(([name]) => name), []);
});

Deno.test("a message or an instruction in two files, in none, or in one that is not listed, is a violation", () => {
  for (
    const [things, groups, names] of [
      [MESSAGES, messageGroups, MESSAGE_NAMES],
      [INSTRUCTIONS, instructionGroups, INSTRUCTION_NAMES],
    ] as const
  ) {
    const [[file, defined], ...rest] = groups, [thing] = defined, name = things.get(thing);
    assert.deepEqual(violations(things, [...groups, ["other.ts", new Set([thing])]], [...names, "other.ts"]), [
      `${name} is defined in ${file} and other.ts`,
    ]);
    const without = new Set([...defined].slice(1));
    assert.deepEqual(violations(things, [[file, without], ...rest], names), [`${name} is defined in no file`]);
    assert.deepEqual(violations(things, groups, names.filter((one) => one !== file)), [`${file} is not listed`]);
    assert.deepEqual(violations(things, groups, [...names, "other.ts"]), ["other.ts is listed and defines nothing"]);
    assert.deepEqual(violations(things, groups, [...names, file]), ["a name is listed twice"]);
    // As two messages of one id are one entry of the table.
    const fewer = new Map([...things].filter(([one]) => one !== thing));
    assert.deepEqual(violations(fewer, groups, names), [`${file} defines something that is not in the table`]);
  }
});
