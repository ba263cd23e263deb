// `deno task prepare`, in a copy of this checkout.

import assert from "node:assert/strict";
import { PERMISSIONS } from "../../src/app/cli/common/runtime.ts";
import { buildOf, FROM_SOURCES, PARTS, PREPARATION } from "../../src/session/worker/prepared-program.ts";
import { PREPARED_FOLDER } from "../../src/kit/support/files/folder-names.ts";
import { A64, imageOf, SYSTEM_OFF } from "../app/cli/program.ts";
import { LONG } from "../support/long.ts";
import { inFolder } from "../support/temporary-folder.ts";

const ROOT = new URL("../../", import.meta.url).pathname;
/** Files of the program and its preparation. */
const COPIED = ["main.ts", "deno.json", "import-map.json", "deno.lock", "src", "scripts", "assets", "docs", "examples"];

Deno.test("a prepared program runs a guest without its sources, shares what they generate, and its worker has no rights", async () => {
  await inFolder(async (folder) => {
    const copy = `${folder}/copy`, cache = `${folder}/cache`, list = `${copy}/${PREPARED_FOLDER}${PREPARATION}`;
    Deno.mkdirSync(copy);
    // With its files' times, the checkout's own build is the copy's: CI has just made it.
    const isMade = !LONG && buildOf(new URL("main.ts", `file://${ROOT}`))?.isCurrent() === true;
    await run("cp", ["-R", "-p", ...[...COPIED, ...isMade ? [PREPARED_FOLDER] : []].map((part) => ROOT + part), copy]);
    const prepare = () => run("/bin/sh", ["-c", 'umask 0; exec "$0" task -q prepare', Deno.execPath()], { cwd: copy });
    assert.deepEqual(await prepare(), { success: true, stdout: "", stderr: "" });
    const made = Deno.statSync(list).mtime, { build } = JSON.parse(Deno.readTextFileSync(list));
    for (const part of Object.values(PARTS)) assert.ok(Deno.statSync(`${copy}/${build}${part}`).isFile, part);
    // commander's modules of Node wait for their first use.
    for (const { name, isFile } of Deno.readDirSync(`${copy}/${build}cli`)) {
      if (isFile) assert.doesNotMatch(Deno.readTextFileSync(`${copy}/${build}cli/${name}`), /^import .*"node:child_process"/m, name);
    }
    // Nobody else gets there, and each file is compared.
    const files = [...below(`${copy}/${build}`)].map((path) => path.slice(copy.length + 1));
    assert.deepEqual(JSON.parse(Deno.readTextFileSync(list)).made.map(([path]: [string]) => path).sort(), files.sort());
    for (const path of [PREPARED_FOLDER, build, `${build}cli`, list.slice(copy.length + 1), ...files]) {
      assert.equal(Deno.statSync(`${copy}/${path}`).mode! & 0o077, 0, path);
    }
    await prepare();
    assert.deepEqual(Deno.statSync(list).mtime, made);

    const image = `${folder}/guest.bin`;
    Deno.writeFileSync(image, imageOf([...A64.loadW0(SYSTEM_OFF), A64.hvc]));
    const el2 = (args: readonly string[], fromSources: boolean) =>
      run(Deno.execPath(), ["run", "-q", "--no-check", ...PERMISSIONS, `${copy}/main.ts`, ...args], {
        // The copy has no git to ask for its commit.
        env: { EL2_CACHE: cache, [FROM_SOURCES]: fromSources ? "1" : "", EL2_COMMIT: "0".repeat(40) },
      });
    const boot = async (fromSources: boolean) => (await el2(["boot", image, "--memory", "64MiB", "--stdio"], fromSources)).success;
    assert.ok(await boot(true));
    const cores = Array.from(Deno.readDirSync(`${cache}/core`), ({ name }) => name);
    assert.equal(cores.length, 1);
    assert.ok(await boot(false));
    assert.deepEqual(Array.from(Deno.readDirSync(`${cache}/core`), ({ name }) => name), cores);
    const { stdout } = await el2(["doctor", "--rights"], false);
    assert.match(stdout, /^ok {2}worker +none;/m);

    // Sources themselves are what most other tests run.
    for (const args of LONG ? [["vm", "--help"], ["diff", image, image, "--memory", "64MiB"]] : []) {
      assert.deepEqual(await el2(args, false), await el2(args, true));
    }
    // The guests of the checkout need no consent.
    const example = [`${copy}/examples/hangs.toml`, "--headless", "--for", "1ms"];
    assert.match((await el2(["run", ...example], false)).stdout, /starting the timer/);
    // It knows which page is its own, as its sources do.
    const recording = `${folder}/a.rec`,
      recorded = await el2(["run", "demo", "--headless", "--turbo", "--for", "1ms", "--record", recording], false);
    assert.ok(recorded.success, recorded.stderr);
    for (const fromSources of [false, true]) {
      const { success, stderr } = await el2(["publish", recording, `${folder}/page`], fromSources);
      assert.ok(success, stderr);
      assert.ok(Deno.statSync(`${folder}/page/index.html`).isFile);
    }
    assert.equal([...Deno.readDirSync(`${copy}/${PREPARED_FOLDER}`)].filter(({ name }) => name.startsWith("page-")).length, 1);
    // A change that size and time do not show breaks only a worker that runs from the sources.
    const source = `${copy}/src/session/worker/worker.ts`, { mtime } = Deno.statSync(source), text = Deno.readTextFileSync(source);
    Deno.writeTextFileSync(source, text.replace("export function serveMachine(): void {", "export function serveMachine(): void }"));
    Deno.utimeSync(source, mtime!, mtime!);
    assert.ok(await boot(false));
    assert.ok(!await boot(true));
    // Its new time shows it.
    Deno.utimeSync(source, mtime!, new Date());
    assert.ok(!await boot(false));
  });
});

/** All files below a folder, whose path ends with a slash. */
function* below(folder: string): Generator<string> {
  for (const { name, isDirectory } of Deno.readDirSync(folder)) {
    if (isDirectory) yield* below(`${folder}${name}/`);
    else yield folder + name;
  }
}

async function run(program: string, args: readonly string[], options: { cwd?: string; env?: Record<string, string> } = {}) {
  const { success, stdout, stderr } = await new Deno.Command(program, { args: [...args], stdin: "null", ...options }).output();
  const text = new TextDecoder();
  return { success, stdout: text.decode(stdout), stderr: text.decode(stderr) };
}
