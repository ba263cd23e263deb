// The table and the lists of CONTRIBUTING.md: the files that they name exist, and so do their
// examples. The walk through one of them, docs/first-change.md, fits the tree as it is.

import assert from "node:assert/strict";
import { HYPERCALLS } from "../../src/machine/abi/hypercalls.ts";

const ROOT = new URL("../../", import.meta.url);
const TEXT = Deno.readTextFileSync(new URL("CONTRIBUTING.md", ROOT));

/** The lists by what they add. */
const LISTS = new Map(
  TEXT.slice(TEXT.indexOf("\n## How to add\n")).split("\n### ").slice(1).map((part) => {
    const end = part.indexOf("\n");
    return [part.slice(0, end), part.slice(end)] as const;
  }),
);

/** Paths in code spans. */
function pathsOf(text: string): string[] {
  return [...text.matchAll(/`((?:\.ci|assets|bench|docs|examples|scripts|src|tests)\/[\w./-]*)`/g)].map(([, path]) => path);
}

const exists = (path: string) => {
  try {
    return Deno.statSync(new URL(path, ROOT)).isDirectory === path.endsWith("/");
  } catch {
    return false;
  }
};

async function git(...args: string[]): Promise<string | undefined> {
  try {
    const { success, stdout } = await new Deno.Command("git", { args, cwd: ROOT, stderr: "null" }).output();
    return success ? new TextDecoder().decode(stdout).trim() : undefined;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

Deno.test("CONTRIBUTING lists the files to touch for each thing that is added often", () => {
  assert.deepEqual([...LISTS.keys()], [
    ...["A hypercall", "An RM message", "An instruction", "A CPU feature", "A device", "A key", "A fact", "A verdict"],
    ...["A report of a Linux kernel", "A line or a cause of `el2 explain`", "A Linux table", "A screen", "A command"],
  ]);
  for (const [name, list] of LISTS) {
    const steps = [...list.matchAll(/^(\d+)\. /gm)].map(([, number]) => Number(number));
    assert.ok(steps.length > 0, `${name}: ${steps.length} steps`);
    // Two kinds of the same thing may have a list each.
    assert.deepEqual(steps.filter((step, index) => step !== 1 && step !== steps[index - 1] + 1), [], name);
    assert.ok(pathsOf(list).length > 0, `${name} names ${pathsOf(list).length} files`);
  }
});

Deno.test("every file and folder that CONTRIBUTING names exists", () => {
  const paths = pathsOf(TEXT);
  assert.ok(paths.length > 0);
  assert.deepEqual(paths.filter((path) => !exists(path)), []);
});

Deno.test("each list has an example commit, which the history has under that subject", async () => {
  const examples = [...LISTS].map(([name, list]) => {
    const example = /^Example: `([0-9a-f]{7,})` (.*)$/m.exec(list);
    assert.ok(example, `${name} has no example`);
    return { name, commit: example[1], subject: example[2].replace(/ ?…$/, "") };
  });
  // An archive or a shallow clone has no history to check.
  if (await git("rev-parse", "--is-shallow-repository") !== "false") return;
  for (const { name, commit, subject } of examples) {
    const found = await git("log", "-1", "--format=%s", commit);
    assert.ok(found?.startsWith(subject), `${name}: ${commit} is ${JSON.stringify(found)}`);
    assert.notEqual(await git("merge-base", "--is-ancestor", commit, "HEAD"), undefined, `${name}: ${commit} is not in this history`);
  }
});

Deno.test("the exercise of docs/first-change.md takes a free number and the next line of the checklist, in files that exist", () => {
  const text = Deno.readTextFileSync(new URL("docs/first-change.md", ROOT));
  const paths = pathsOf(text);
  assert.ok(paths.length > 0);
  assert.deepEqual(paths.filter((path) => !exists(path)), []);
  const number = Number(/^doorbell_peek: call\((0x\w+),/m.exec(text)![1]);
  // A reader who is past a step has the call, or the line, already.
  const others = Object.entries(HYPERCALLS).filter(([name]) => name !== "doorbell_peek");
  assert.ok(others.every(([, call]) => call.number !== number));
  assert.ok(text.replaceAll(/\s+/g, " ").includes(`${others.length + 1} instead of ${others.length}`));
  const book = Deno.readTextFileSync(new URL("docs/spec/hypervisor.md", ROOT));
  const last = [...book.matchAll(/^(\d+)\. (?!doorbell_peek)/gm)].at(-1)![1];
  assert.equal(Number(/^(\d+)\. doorbell_peek/m.exec(text)![1]), Number(last) + 1);
});
