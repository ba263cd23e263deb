// The table of processes and threads in docs/threat-model.md: each right is tried in each of them,
// started with the options that launchers give, and is allowed or refused as the table says.

import assert from "node:assert/strict";
import { PROCESS_RIGHTS } from "../../../src/app/cli/common/rights.ts";
import { PERMISSIONS } from "../../../src/app/cli/common/runtime.ts";
import { V8_OPTIONS } from "../../../src/kit/support/computer/v8-options.ts";
import { longTest } from "../../support/long.ts";
import { DENO, GLOBALS, NODE_MODULES, SERVICES } from "../../../src/session/worker/rights/remaining.ts";
import type { Remains } from "../../support/remains.ts";
import { Place } from "./place.ts";

const PROCESS = new URL("./tried-process.ts", import.meta.url).pathname;
const WORKERS = new URL("../../session/worker/tried-rights.ts", import.meta.url).pathname;

const PAGE = await Deno.readTextFile(new URL("../../../docs/threat-model.md", import.meta.url));
/** Rows of the table: process or thread, and its rights. */
const ROWS = [...PAGE.matchAll(/^\| `([a-z ]+)` +\| ([a-z ]+?) +\|/gm)].map(([, id, rights]) => [id, rights] as const);

type When = "given up" | "start";

/** Tries the rights of a process with this command line, on a terminal or without one. */
async function tried(onTerminal: boolean, when: When, ...args: string[]): Promise<string> {
  await using place = new Place();
  const command = [Deno.execPath(), "run", "-q", "--no-check", ...PERMISSIONS, PROCESS, when, ...args];
  const env = { NO_COLOR: "1", EL2_SESSION: "", XDG_RUNTIME_DIR: place.folder };
  const file = `${place.folder}/stderr`;
  const quoted = command.map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(" ");
  const [program, ...rest] = onTerminal ? ["script", "-qec", `${quoted} 2>${file}`, "/dev/null"] : ["sh", "-c", `${quoted} 2>${file}`];
  await new Deno.Command(program, { args: rest, env, stdin: "null", stdout: "null", stderr: "null" }).output();
  const text = await Deno.readTextFile(file);
  return /^rights: (.*)$/m.exec(text)?.[1] || text || "none";
}

/**
 * The rights of the worker of sessions, or of jobs, once its guest runs, in a process with these
 * flags.
 */
async function ofWorker(flags: readonly string[], ...job: readonly string[]): Promise<string> {
  const said = await saidByWorker(flags, ...job), rights = /^rights:(.*)$/m.exec(said)?.[1];
  return rights === undefined ? said : rights.trim() || "none";
}

async function saidByWorker(flags: readonly string[], ...job: readonly string[]): Promise<string> {
  const args = ["run", "-q", "--no-check", ...flags, WORKERS, ...job];
  const { stdout, stderr } = await new Deno.Command(Deno.execPath(), { args, env: { EL2_FROM_SOURCES: "1", NO_COLOR: "1" } }).output();
  const text = new TextDecoder().decode(stdout);
  return text.startsWith("rights:") ? text : new TextDecoder().decode(stderr);
}

/** How each comes into being. */
const WAYS: Readonly<Record<string, () => Promise<string>>> = {
  screen: () => tried(true, "start", "run", "demo"),
  headless: () => tried(false, "start", "run", "demo", "--headless"),
  session: () => tried(false, "start", "background", "demo", "--name", "s"),
  command: () => tried(false, "given up", "vm", "ls"),
  starter: () => tried(false, "given up", "guests", "ls"),
  worker: () => ofWorker(PERMISSIONS),
  "job worker": () => ofWorker(PERMISSIONS, "job"),
  compiler: () => ofWorker(PERMISSIONS, "compiler"),
};

Deno.test("the threat model has a row for each process that gives up rights, and for the workers", () => {
  assert.deepEqual(ROWS.map(([id]) => id), Object.keys(WAYS));
  assert.deepEqual(ROWS.filter(([, rights]) => rights !== "none"), PROCESS_RIGHTS.map(({ id, rights }) => [id, rights.join(" ")]));
});

for (const [id, rights] of ROWS) {
  Deno.test(`threat model: ${id} is allowed ${rights}, and refused every other right, when it tries`, async () => {
    assert.equal(await WAYS[id](), rights);
  });
}

/** Words of a row of the table of what remains in the worker. */
const remaining = (row: string) => new RegExp(`^\\| ${row} +\\| (.*?) +\\|$`, "m").exec(PAGE)?.[1].replaceAll("`", "").split(" ");

/** The services that remain in a worker. */
async function remainsIn(...which: readonly string[]): Promise<Remains> {
  return JSON.parse(/^remains: (.*)$/m.exec(await saidByWorker(PERMISSIONS, ...which))![1]);
}

Deno.test("in the worker of guests remains what the threat model lists: each global, module of Node and way to others is tried", async () => {
  const { globals, deno, modules, foreign, ways } = await remainsIn();
  assert.deepEqual(globals.filter((name) => !GLOBALS.has(name)), []);
  assert.deepEqual([deno, remaining("members of `Deno`")], [DENO, DENO]);
  assert.deepEqual([modules, remaining("modules of Node")], [NODE_MODULES, NODE_MODULES]);
  assert.deepEqual(SERVICES.filter((name) => !globals.includes(name)), []);
  assert.deepEqual(remaining("services"), SERVICES);
  assert.deepEqual([foreign, ways], [[], []]);
});

Deno.test("in the worker that compiles remains no more than in that of guests", async () => {
  const { globals, deno, modules, foreign, ways } = await remainsIn("compiler");
  assert.deepEqual([globals.filter((name) => !GLOBALS.has(name)), deno, modules], [[], DENO, NODE_MODULES]);
  assert.deepEqual([foreign, ways], [[], []]);
});

Deno.test("the threat model names the options of V8 that take checks away, or turn on what is experimental", () => {
  const options = V8_OPTIONS.join().split(/[=,]/).filter((option) => /^--(experimental|no)-/.test(option));
  assert.equal(options.length, 3);
  for (const option of options) assert.ok(PAGE.includes(`\`${option}\``), option);
});

longTest("without Deno's flag for workers, the worker of guests has the rights of its process, and its services", async () => {
  const flags = PERMISSIONS.filter((flag) => flag.startsWith("--allow-"));
  assert.equal(await ofWorker(["--unstable-raw-imports", ...flags]), "read write env net run ffi import caches Worker node:Worker");
});
