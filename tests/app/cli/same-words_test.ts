// Arguments of every command, from the command line and from an agent: refused by the same words.

import assert from "node:assert/strict";
import { inProcess } from "./in-process.ts";
import { commandTree } from "../../../src/app/cli/common/command-tree.ts";
import { makeProgram } from "../../../src/app/cli/main.ts";
import { toolsOf } from "../../../src/app/cli/mcp/tools.ts";
import { COMMANDS } from "../../../src/model/commands/all.ts";
import { ArgumentError, checkedValues, type Typed } from "../../../src/model/commands/argument.ts";
import type { Command } from "../../../src/model/commands/command.ts";
import { pathOf } from "../../../src/model/commands/words.ts";
import { hint, hintArguments } from "../../../src/kit/support/text/hint.ts";
import { sampleOf } from "../../model/commands/samples.ts";

/** Texts that hardly anything takes. */
const WRONG = ["@@", "nope=", "", "-1"];

/** A text that an argument refuses; undefined if it takes each. */
function wrongFor({ args }: Command, name: string): string | undefined {
  return WRONG.find((text) => {
    try {
      args[name].kind.parse(text);
      return false;
    } catch (error) {
      assert.ok(error instanceof ArgumentError);
      return true;
    }
  });
}

/** The words of the refusal. */
function refusal(one: Command, typed: Typed): string {
  try {
    checkedValues(pathOf(one), one, typed);
  } catch (error) {
    if (error instanceof ArgumentError) return error.message;
    throw error;
  }
  throw new Error(`${one.name} takes ${JSON.stringify(typed)}`);
}

/** Every command with an argument that is wrong, and the others right. */
const CASES = COMMANDS.flatMap((one) =>
  Object.entries(one.args).flatMap(([name, { form, many }]) => {
    const wrong = form === "flag" ? undefined : wrongFor(one, name);
    return wrong === undefined ? [] : [{ one, name, typed: { ...sampleOf(one), [name]: many ? [wrong] : wrong } as Typed }];
  })
);

/** The words and options of a command line with these arguments. */
function argumentsOf({ args, name }: Command, typed: Typed): string[] {
  const words = Object.entries(args).filter(([, { form }]) => form === "word").flatMap(([name]) => typed[name] ?? []).map(String);
  const options = Object.fromEntries(Object.entries(typed).filter(([name]) => args[name].form !== "word"));
  const line = hint(name.replaceAll(".", " "), ...words, options as Record<string, string>);
  return hintArguments(line);
}

Deno.test("the command line refuses an argument by the words of its kind, with exit code 2", async () => {
  assert.ok(CASES.length > 50, `${CASES.length}`);
  for (const { one, name, typed } of CASES) {
    const { code, stdout, stderr } = await inProcess(argumentsOf(one, typed), { EL2_SESSION: "none" });
    assert.deepEqual([code, stdout, stderr], [2, "", `el2: ${refusal(one, typed)}\n`], `${one.name} ${name}`);
  }
});

Deno.test("an agent's argument is refused by the same words", async () => {
  const tools = toolsOf(commandTree(makeProgram(new URL(import.meta.url), () => {})), true);
  const context = { host: [], signal: new AbortController().signal, el2: () => Promise.reject(new Error("it was run")) };
  let tried = 0;
  for (const { one, typed } of CASES) {
    const own = tools.find((tool) => tool.name === one.name.replaceAll(/[.-]/g, "_"));
    if (!own || Object.keys(typed).some((name) => !own.args[name])) continue;
    await assert.rejects(async () => await own.call(typed, context), { message: refusal(one, typed) }, one.name);
    tried++;
  }
  assert.ok(tried > 25, `${tried}`);
});
