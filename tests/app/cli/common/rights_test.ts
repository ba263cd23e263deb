// The rights that processes give up before guests run in them: what a guest that escaped would not
// have.

import assert from "node:assert/strict";
import { el2Process } from "../program.ts";
import { Place } from "../place.ts";
import { ENTRY, mainModule } from "../prepared-main.ts";
import { PERMISSIONS } from "../../../../src/app/cli/common/runtime.ts";
import { MALLOC_SETTINGS } from "../../../../src/kit/support/computer/garbage.ts";
import { repositoryFiles, ROOT } from "../../../support/files.ts";

/** A process that has all rights, calls `main`, and says which it has left once `ready` holds. */
async function rightsLeft(env: Record<string, string>, args: readonly string[], ready = "true"): Promise<string> {
  const script = `
    const { main } = await import("${mainModule()}");
    const ended = main(${JSON.stringify(args)}, new URL("${ENTRY}"));
    const exists = (path) => { try { Deno.statSync(path); return true; } catch { return false; } };
    const ask = () => ["read", "write", "env", "net", "run", "ffi", "sys", "import"].filter((name) =>
      Deno.permissions.querySync({ name }).state === "granted").join(" ");
    while (!(${ready})) await new Promise((resolve) => setTimeout(resolve, 20));
    // What begins after the socket is there takes a moment.
    for (let i = 0; i < 200 && ask() !== Deno.env.get("WANTED"); i++) await new Promise((resolve) => setTimeout(resolve, 20));
    Deno.stderr.writeSync(new TextEncoder().encode("rights: " + ask() + "\\n"));
    Deno.kill(Deno.pid, "SIGKILL");`;
  return await withScript(script, env, async (child) => {
    const stderr = await new Response(child.stderr).text();
    return /rights: (.*)/.exec(stderr)?.[1] ?? stderr;
  });
}

/** Runs a script of this folder as a process with all rights. */
async function withScript<T>(script: string, env: Record<string, string>, use: (child: Deno.ChildProcess) => Promise<T>): Promise<T> {
  const file = new URL(`./rights-${crypto.randomUUID()}.ts`, import.meta.url).pathname;
  await Deno.writeTextFile(file, script);
  try {
    const args = ["run", "-q", "--no-check", "-A", file];
    const child = new Deno.Command(Deno.execPath(), { args, env, stdin: "null", stdout: "null", stderr: "piped" }).spawn();
    const result = await use(child);
    await child.status;
    return result;
  } finally {
    await Deno.remove(file);
  }
}

Deno.test("a session in the background has no right to run programs, to connect, or to load libraries", async () => {
  await using place = new Place();
  const env = { XDG_RUNTIME_DIR: place.folder, EL2_SESSION: "" };
  const ready = `exists(${JSON.stringify(`${place.folder}/el2/s.sock`)})`;
  const without = "read write env", nat = `${place.folder}/nat.toml`;
  assert.equal(await rightsLeft({ ...env, WANTED: without }, ["background", "demo", "--name", "s"], ready), without);
  await Deno.remove(`${place.folder}/el2`, { recursive: true });
  const image = new URL("../../../../assets/guests/hello.bin", import.meta.url).pathname;
  await Deno.writeTextFile(nat, `el2 = 1\n[vm.a]\nimage = "${image}"\ndevices = [{ kind = "net", backend = "user" }]\n`);
  const withNet = "read write env net";
  assert.equal(await rightsLeft({ ...env, WANTED: withNet }, ["background", nat, "--name", "s", "--allow-host", "all"], ready), withNet);
});

/**
 * Steps of a process in order: giving up rights, reading files that the user names, starting its
 * machine.
 */
async function steps(place: Place, args: readonly string[]): Promise<string[]> {
  const script = `
    const say = (text) => Deno.stderr.writeSync(new TextEncoder().encode("step: " + text + "\\n"));
    const { main } = await import("${mainModule()}");
    const spy = (object, name, text) => {
      const original = object[name];
      object[name] = function (...args) { const said = text(...args); if (said) say(said); return original.apply(this, args); };
    };
    spy(Deno.permissions, "revokeSync", ({ name }) => "revoke " + name);
    // What a user names: modules, caches and the socket's folder are el2's own.
    const named = (path) => String(path).startsWith(${JSON.stringify(place.folder)} + "/given") && "read " + String(path).split("/").at(-1);
    for (const name of ["readFileSync", "readTextFileSync", "openSync", "readFile", "readTextFile", "open"]) spy(Deno, name, named);
    spy(Worker.prototype, "postMessage", (data) =>
      Array.isArray(data) && data.some(({ kind }) => kind === "start") && "start machine");
    await main(${JSON.stringify(args)}, new URL("${ENTRY}"));
    say("end");
    Deno.exit();`;
  return await withScript(script, { XDG_RUNTIME_DIR: place.folder, EL2_SESSION: "" }, async (child) => {
    let text = "";
    for await (const part of child.stderr.pipeThrough(new TextDecoderStream())) {
      text += part;
      if (/step: (start machine|end)/.test(text)) break;
    }
    child.kill("SIGKILL");
    return [...text.matchAll(/step: (.*)/g)].map(([, step]) => step);
  });
}

Deno.test("a process gives up its rights before it reads what the user names, and the rest before its machine starts", async () => {
  await using place = new Place();
  const given = `${place.folder}/given`;
  await Deno.mkdir(given);
  await Deno.copyFile(new URL("../../../../assets/guests/hello.bin", import.meta.url), `${given}/hello.bin`);
  await Deno.writeTextFile(`${given}/c.toml`, 'el2 = 1\n[vm.a]\nimage = "hello.bin"\nmemory = "4MiB"\n');
  const never = ["revoke ffi", "revoke sys", "revoke import"];
  const background = await steps(place, ["background", `${given}/c.toml`, "--name", "s"]);
  assert.deepEqual(background.slice(0, 4), [...never, "revoke run"], background.join());
  assert.ok(background.indexOf("read c.toml") > 3 && background.indexOf("read hello.bin") > 3, background.join());
  assert.deepEqual(background.slice(-2), ["revoke net", "start machine"], background.join());
  const headless = await steps(place, ["run", `${given}/c.toml`, "--headless", "--for", "10ms"]);
  assert.deepEqual(headless.slice(0, 3), never, headless.join());
  assert.deepEqual(headless.slice(-2), ["revoke run", "start machine"], headless.join());
  assert.ok(headless.indexOf("read c.toml") > 2, headless.join());
});

Deno.test("el2 doctor --rights shows what processes may do, and this one, and that the worker of guests may do nothing", async () => {
  const { code, stdout } = await el2Process(["doctor", "--rights", "--json"]);
  assert.equal(code, 0, stdout);
  const { data } = JSON.parse(stdout) as { data: { id: string; says: string; ok: boolean }[] };
  assert.deepEqual(data.map(({ id, says, ok }) => `${ok ? "ok " : ""}${id}: ${says.split(";")[0]}`), [
    "ok screen: read write env net run",
    "ok headless: read write env net",
    "ok session: read write env",
    "ok command: read write env net",
    "ok starter: read write env net run",
    "ok here: read write env net",
    "ok worker: none",
  ]);
  const here = data.find(({ id }) => id === "here");
  assert.equal(here?.says, "read write env net; this command, which has given up run, ffi, sys, import");
});

Deno.test("nothing of el2 starts a program with all rights: neither its sources, tasks and benches nor what is distributed", async () => {
  const sources = ["src/", "bench/", "scripts/"].flatMap((folder) => [...repositoryFiles(folder)]);
  const files = ["deno.json", ".ci/run", "main.ts", ...sources.filter((path) => /\.(ts|cjs|sh)$/.test(path))];
  assert.ok(files.length > 0);
  const found: string[] = [];
  for (const file of files) {
    const text = await Deno.readTextFile(new URL(file, ROOT));
    for (const [match] of text.matchAll(/.*(--allow-all\b|"-\w*A"|\bdeno\b[^\n]* -\w*A\b| -A '|"-A ).*/g)) {
      found.push(`${file}: ${match.trim()}`);
    }
  }
  assert.deepEqual(found, []);
});

Deno.test("where Deno was started without the flag, guests run with their process's rights, and doctor says which flag is missing", async () => {
  const main = new URL("../../../../main.ts", import.meta.url).pathname;
  const rights = PERMISSIONS.filter((flag) => flag.startsWith("--allow-"));
  const root = main.slice(0, -"main.ts".length);
  // Without the lock file Deno would ask the registry which versions there are.
  const packages = ["--import-map", `${root}import-map.json`, "--lock", `${root}deno.lock`, "--frozen"];
  const args = ["run", "-q", "--no-check", "--no-config", "--unstable-raw-imports", ...packages, ...rights, main];
  const el2 = (...words: string[]) =>
    new Deno.Command(Deno.execPath(), { args: [...args, ...words], env: { NO_COLOR: "1" }, stdin: "null" }).output();
  const { code, stdout } = await el2("doctor", "--rights");
  const text = new TextDecoder().decode(stdout);
  assert.equal(code, 0, text);
  assert.match(
    text,
    /^tip worker {4}those of its process\n +to run guests .* --unstable-worker-options /m,
  );
  assert.equal((await el2("run", "demo", "--headless", "--for", "1ms")).code, 0);
});

Deno.test("everything that starts el2 lets its worker have its own rights, and bounds its memory", async () => {
  const root = new URL("../../../../", import.meta.url).pathname;
  const flags = PERMISSIONS.join(" ");
  const { tasks } = JSON.parse(await Deno.readTextFile(`${root}deno.json`)) as { tasks: Record<string, { command: string }> };
  for (const name of ["start", "el2", "bench", "pictures"]) {
    assert.match(tasks[name].command, /^sh scripts\/preflight\.sh && deno run -qRE --allow-run scripts\/start\.ts /);
  }
  const start = await new Deno.Command(Deno.execPath(), { args: ["run", "-q", "--allow-read", `${root}scripts/start.ts`, "--settings"] })
    .output();
  assert.deepEqual(JSON.parse(new TextDecoder().decode(start.stdout)), { environment: MALLOC_SETTINGS, options: PERMISSIONS });
  const { RUN_FLAGS } = await import("../../../../scripts/dist/one-file.ts");
  assert.ok(RUN_FLAGS.includes(flags), RUN_FLAGS);
  const { runtimeArguments } = await import("../../../../src/app/cli/common/runtime.ts");
  assert.ok(runtimeArguments(new URL("file:///el2.js")).join(" ").includes(flags));
});
