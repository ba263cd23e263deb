import assert from "node:assert/strict";
import { PERMISSIONS } from "../../../src/app/cli/common/runtime.ts";
import { FROM_SOURCES } from "../../../src/session/worker/prepared-program.ts";
import { filesBelow, ROOT } from "../../support/files.ts";

const SOURCE = new URL("../../../src/", import.meta.url);
/**
 * Modules that only a machine needs: a worker, or a command with a machine in its own thread, loads
 * them.
 */
const HEAVY = ["session/assembly/assemble.ts", "cpu/isa/table.ts", "cpu/core/core.ts", "machine/hypervisor/hypervisor.ts"];

/**
 * Modules that a module loads with itself: not those that are types alone, nor those that it loads
 * when it needs them.
 */
function loadedBy(file: URL): URL[] {
  const text = Deno.readTextFileSync(file);
  const loaded: URL[] = [];
  for (const [, names, specifier] of text.matchAll(/^(?:import|export) ((?:\{[^}]*\}|\*|[\w*, ]+)[^;"]*?)\s*from "(\.[^"]+\.ts)"/gm)) {
    const braces = /^\{([^}]*)\}$/.exec(names.trim())?.[1];
    const onlyTypes = names.startsWith("type ") ||
      braces?.split(",").every((name) => name.trim() === "" || name.trim().startsWith("type "));
    if (!onlyTypes) loaded.push(new URL(specifier, file));
  }
  return loaded;
}

/** Every module that a file loads with itself, and the module that it is first reached from. */
function closureOf(entry: URL): Map<string, string> {
  const from = new Map<string, string>([[entry.href, ""]]);
  for (const file of from.keys()) {
    for (const { href } of loadedBy(new URL(file))) if (!from.has(href)) from.set(href, file);
  }
  return from;
}

/** For each unwanted module that a file loads with itself: the chain of modules up to it. */
function chainsTo(entry: string, unwanted: (module: string) => boolean): string[][] {
  const from = closureOf(new URL(entry, SOURCE));
  assert.ok(from.size > 0);
  const chains: string[][] = [];
  for (const { href } of [...from.keys()].map((file) => new URL(file))) {
    if (!unwanted(href.slice(SOURCE.href.length))) continue;
    const chain: string[] = [];
    for (let file = href; from.has(file); file = from.get(file)!) chain.push(file.slice(SOURCE.href.length));
    chains.push(chain);
  }
  return chains;
}

const MODULES = [...filesBelow(SOURCE, ".ts")];

/** Whether a module is heavy, or at one of these places, each of which has modules. */
function isAt(...places: readonly RegExp[]): (module: string) => boolean {
  const all = [...HEAVY.map((module) => new RegExp(`^${module}$`)), ...places];
  for (const place of all) assert.ok(MODULES.some((module) => place.test(module)), `there is no module ${place}`);
  return (module) => all.some((place) => place.test(module));
}

const MESSAGES = /^machine\/abi\/rpc\/messages\/(?!vm)/, DEBUG = /^session\/debug\//, CONTROL = /^session\/control\/(hub|server)/;
const ACTIONS = /^model\/commands\/actions\./;

Deno.test("el2 boot loads neither a machine, nor screens, nor gdb's server, nor other commands, nor configurations, nor recordings", () => {
  const screens = /^app\/tui\//,
    commands = /^app\/cli\/commands\/(?!machines\/boot\.)/,
    configurations = /^app\/configuration\/(?!keys\/names\.)/;
  const others = [screens, commands, configurations, /^session\/recordings\/file\/recording-/, /^session\/inspection\/rules\//];
  assert.deepEqual(chainsTo("app/cli/boot.ts", isAt(...others, DEBUG, CONTROL, MESSAGES, ACTIONS)), []);
});

Deno.test("a plan of el2 boot needs neither the Resource Manager's rules, nor the formats of disks", () => {
  const rules = /^machine\/resource-manager\/(?!config\/limits)/, disks = /^kit\/formats\/qcow2/;
  const others = [rules, disks, /^machine\/abi\/hypercalls/, /^session\/outside\//];
  assert.deepEqual(chainsTo("app/cli/options/boot-table.ts", isAt(...others, MESSAGES)), []);
});

Deno.test("el2 run loads neither a machine, nor screens, nor gdb's server, nor other commands, nor JSON Schemas, nor readers of recordings", () => {
  const screens = /^app\/tui\/app\/(app|run)\./,
    commands = /^app\/cli\/commands\/(?!machines\/run\.)/,
    schemas = /^kit\/support\/values\/json-schema\./;
  const others = [screens, commands, schemas, /^session\/recordings\/file\/recording-reader\./];
  assert.deepEqual(chainsTo("app/cli/run.ts", isAt(...others, DEBUG, CONTROL, ACTIONS)), []);
});

Deno.test("el2 test loads neither a machine, nor screens, nor gdb's server, nor other commands", () => {
  const screens = /^app\/tui\/app\/(app|run)\./, commands = /^app\/cli\/commands\/(?!scenarios\/test)/;
  assert.deepEqual(chainsTo("app/cli/test.ts", isAt(screens, commands, DEBUG, CONTROL, ACTIONS)), []);
});

Deno.test("commands load neither a machine nor screens before they need one: --help and completion answer at once", () => {
  const unwanted = isAt(/^app\/tui\/app\/(app|run)\.ts$/, /^app\/catalog\/debian\.ts$/, /^app\/catalog\/xz\.ts$/);
  assert.deepEqual(chainsTo("app/cli/main.ts", unwanted), [], "reached from the command line");
});

Deno.test("el2 --version, and the worker before it loads the machine, load at most ten modules", async () => {
  // Without this, Deno reads every module that any of them might import later.
  const { unstable } = JSON.parse(await Deno.readTextFile(new URL("deno.json", ROOT)));
  assert.ok(unstable.includes("lazy-dynamic-imports"));
  const modules = [...closureOf(new URL("main.ts", ROOT)).keys()].map((file) => file.slice(ROOT.href.length));
  assert.ok(modules.includes("src/session/worker/client.ts"));
  assert.ok(modules.length <= 10, modules.join("\n"));
});

Deno.test("a machine's worker begins before the command line is loaded for commands that run a machine alone", () => {
  const [, list] = /^const RUNNING = \[undefined, (.*)\];$/m.exec(Deno.readTextFileSync(new URL("main.ts", ROOT))) ?? [];
  const names: string[] = JSON.parse(`[${list}]`), commands = MODULES.filter((module) => module.startsWith("app/cli/commands/"));
  assert.ok(names.length > 3);
  for (const name of names) {
    const text = commands.map((module) => Deno.readTextFileSync(new URL(module, SOURCE))).find((text) =>
      text.includes(`.command("${name}"`)
    );
    assert.match(text ?? "", /\b(?:connectEmbedded|showSession)\(/, name);
  }
});

Deno.test("the worker and the command line are loaded without the data of Intl, which takes 10 ms", async () => {
  const modules = ["session/worker/worker.ts", "app/cli/main.ts", "app/cli/boot.ts", "app/cli/run.ts", "app/cli/test.ts"];
  const program = `
    for (const name of Object.getOwnPropertyNames(Intl)) {
      if (typeof Intl[name] === "function") Intl[name] = class { constructor() { throw new Error("made at the start: Intl." + name); } };
    }
    for (const module of ${JSON.stringify(modules.map((module) => new URL(module, SOURCE).href))}) await import(module);`;
  const args = ["run", "-q", "--no-check", ...PERMISSIONS, `--config=${new URL("deno.json", ROOT).pathname}`, "-"];
  const child = new Deno.Command(Deno.execPath(), { args, stdin: "piped", stdout: "null", stderr: "piped" }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(program));
  await writer.close();
  const { code, stderr } = await child.output();
  assert.equal(new TextDecoder().decode(stderr), "");
  assert.equal(code, 0);
});

Deno.test("a command that waits for what cannot come ends with 1 and says so", async () => {
  const main = new URL("app/cli/main.ts", SOURCE).href, stuck = "data:text/javascript,export const main = () => new Promise(() => {});";
  const map = `data:application/json,${encodeURIComponent(JSON.stringify({ imports: { [main]: stuck } }))}`;
  const args = ["run", "-q", "--no-check", ...PERMISSIONS, "--import-map", map, new URL("main.ts", ROOT).pathname, "ls"];
  const { code, stderr } = await new Deno.Command(Deno.execPath(), { args, stdin: "null", env: { [FROM_SOURCES]: "1" } }).output();
  assert.equal(new TextDecoder().decode(stderr), "el2: a bug of el2: the command waits for what cannot come\n");
  assert.equal(code, 1);
});
