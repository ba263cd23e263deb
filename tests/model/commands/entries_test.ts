// The entries of commands: each is whole, its examples are right, and its arguments come back from
// the words that spell them.

import assert from "node:assert/strict";
import { COMMANDS, GROUPS } from "../../../src/model/commands/all.ts";
import { type Action, actOn, anyAction } from "../../../src/model/commands/actions.ts";
import { ArgumentError, checkedValues, type Typed, valuesOf } from "../../../src/model/commands/argument.ts";
import type { Command } from "../../../src/model/commands/command.ts";
import { FLUSH } from "../../../src/model/commands/queue.ts";
import { hintFor, pathOf, typedOf } from "../../../src/model/commands/words.ts";
import { hint, hintArguments, hintText, hintWords } from "../../../src/kit/support/text/hint.ts";
import { sampleValues } from "./samples.ts";

/** Options that all commands of a session take, and lists. */
const COMMON = new Set(["json", "session", "read-only", "columns", "watch", "o", "follow", "core"]);

/** The words of a line as a POSIX shell splits them, up to the next command or redirection. */
function shellWords(line: string): string[] {
  const words = line.matchAll(/'([^']*)'|[^\s']+/g);
  const all = Array.from(words, ([word, quoted]) => quoted ?? word);
  const end = all.findIndex((word) => /^(?:&&|[>|;])/.test(word));
  return end < 0 ? all : all.slice(0, end);
}

/** The arguments of a command that a command line gives. */
function typedIn({ args }: Command, words: readonly string[]): Typed {
  const options: Record<string, string | true | string[]> = {}, rest: string[] = [];
  for (let at = 0; at < words.length; at++) {
    const name = /^--?([a-z-]+)$/.exec(words[at])?.[1];
    const long = Object.entries(args).find(([long, { short }]) => long === name || short === name)?.[0] ?? name;
    if (words[at] === "--") continue;
    if (name === undefined) rest.push(words[at]);
    else if (args[long!]) options[long!] = args[long!].form === "flag" ? true : args[long!].many ? [words[++at]] : words[++at];
    else {
      assert.ok(COMMON.has(name), `no option ${words[at]}`);
      if (["session", "columns", "o", "core"].includes(name)) at++;
    }
  }
  return typedOf({ args }, hint("x", ...rest, options));
}

Deno.test("each command has a name of its own, in a group or by itself, a text and examples that its arguments take", () => {
  assert.equal(new Set(COMMANDS.map(({ name }) => name)).size, COMMANDS.length);
  for (const one of COMMANDS) {
    const path = pathOf(one), [first, ...more] = path.split(" ");
    const isBelow = more.length > 0 && COMMANDS.some(({ name }) => name === first);
    assert.equal(GROUPS.some(({ name }) => name === first), more.length > 0 && !isBelow, path);
    assert.match(one.doc, /^[a-z]/, path);
    assert.ok(one.examples.length > 0, path);
    const own = one.examples.filter((example) => example === path || example.startsWith(`${path} `));
    assert.ok(own.length > 0, `${path} has an example of itself`);
    for (const example of own) {
      const typed = typedIn(one, shellWords(example.split(/ {3,}/)[0]).slice(path.split(" ").length));
      assert.doesNotThrow(() => checkedValues(path, one, typed), example);
    }
  }
});

Deno.test("each action that an example takes is one of the schema, and each of the schema is taken; a value that is too long is named", async () => {
  const taken = COMMANDS.flatMap((one) => {
    const path = pathOf(one), own = one.examples.filter((example) => example.startsWith(`${path} `));
    return own.flatMap((example) => {
      const typed = typedIn(one, shellWords(example.split(/ {3,}/)[0]).slice(path.split(" ").length));
      try {
        return one.steps?.(checkedValues(path, one, typed)) ?? [];
      } catch (error) {
        // It lists the fields of a message.
        if (error instanceof ArgumentError) return [];
        throw error;
      }
    });
  }).flatMap((step) => step.kind === "act" ? [step.action] : []);
  const heard: Action[] = [], actor = { act: (action: Action) => Promise.resolve(void heard.push(action)) };
  for (const one of taken) assert.equal(await actOn(actor, one), undefined);
  assert.deepEqual(heard, taken);
  assert.deepEqual(
    [...new Set(taken.map(({ kind }) => kind))].sort(),
    anyAction.options.map(({ entries }) => entries.kind.literal).sort(),
  );
  const wrong = await actOn(actor, FLUSH.of({ queue: "q".repeat(257) }));
  assert.deepEqual(wrong, { what: "queue.flush: queue: is longer than 256 characters" });
  assert.equal(heard.length, taken.length);
});

Deno.test("exclusions, needs and prompts name arguments that there are", () => {
  for (const { name, args, excludes = [], needs = [], menus = [] } of COMMANDS) {
    for (const argument of [...excludes, ...needs].flat()) assert.ok(args[argument], `${name}: ${argument}`);
    for (const { prompt } of menus) if (prompt) assert.ok(args[prompt.fills], `${name}: ${prompt.fills}`);
  }
});

Deno.test("arguments come back from the words of their hint, whatever they are", () => {
  for (const one of COMMANDS) {
    const path = pathOf(one), values = sampleValues(one), given = hintFor(one, values);
    assert.deepEqual(hintWords(given).slice(0, path.split(" ").length).join(" "), path);
    assert.deepEqual(valuesOf(path, one.args, typedOf(one, given)), values, path);
  }
});

Deno.test("a hint is spelled for a shell, and for a program so that no value is an option", () => {
  const given = hint("break", "kind=rpc refused=yes", { at: ["a:b", "c d"], wait: true, timeout: undefined });
  assert.equal(hintText(given), "el2 break 'kind=rpc refused=yes' --at a:b --at 'c d' --wait");
  assert.deepEqual(hintArguments(given), ["break", "--at=a:b", "--at=c d", "--wait", "--", "kind=rpc refused=yes"]);
  assert.equal(hintText(hint("input wheel", "host", "-3")), "el2 input wheel -- host -3");
});

Deno.test("an argument that is missing, unknown, wrong, given twice or without a value is refused by its name", () => {
  const [who] = COMMANDS.filter(({ name }) => name === "who"),
    refused = (typed: Typed) => {
      try {
        valuesOf("who", who.args, typed);
      } catch (error) {
        assert.ok(error instanceof ArgumentError);
        return error.message;
      }
      throw new Error("it was not refused");
    };
  assert.match(refused({}), /^who: "target" is missing; pa:ADDRESS/);
  assert.match(refused({ target: "x", sise: "1" }), /^who has no argument "sise"; did you mean "size"\?/);
  assert.equal(refused({ target: "x", size: "9999" }), '--size: "9999" is outside 1..4096 bytes');
  assert.equal(refused({ target: ["x", "y"] }), 'who: "target" takes one value, and 2 were given');
  assert.equal(refused({ target: "x", size: true }), '--size: "size" takes a value');
  assert.equal(refused({ target: "x", all: "no" }), '--all: "all" takes no value');
});
