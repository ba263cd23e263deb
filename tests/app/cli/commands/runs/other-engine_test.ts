// Recordings and snapshots of another engine are refused before anything is shown; --anyway opens
// them.

import assert from "node:assert/strict";
import { thisMaker } from "../../../../../src/kit/support/files/maker.ts";
import { writeSnapshot } from "../../../../../src/session/snapshots/file.ts";
import { snapshotOf } from "../../../../../src/session/snapshots/save.ts";
import { assemble } from "../../../../../src/session/assembly/assemble.ts";
import { demoPlan, runTo } from "../../../../session/snapshots/systems.ts";
import { inFolder } from "../../../../support/temporary-folder.ts";
import { denoFolder } from "../../../../support/el2.ts";
import { PERMISSIONS } from "../../../../../src/app/cli/common/runtime.ts";
import { el2, el2With } from "../../program.ts";
import { DEMO, rewrite } from "../recordings.ts";

const COMMIT = "7467012e00000000000000000000000000000001", OTHER = "0123456789abcdef";
const { engine, version } = thisMaker();

/** Puts other values into the header of a recording. */
function withHeader(file: string, changes: Readonly<Record<string, unknown>>): Promise<void> {
  return rewrite(file, (line) => line.startsWith('{"schema"') ? JSON.stringify({ ...JSON.parse(line), ...changes }) : line);
}

Deno.test("a recording of another engine is refused before anything is shown, by its version and commit; --anyway replays it", () =>
  inFolder(async (folder) => {
    const file = `${folder}/a.rec`;
    assert.equal((await el2("run", DEMO, "--turbo", "--for", "20ms", "--record", file)).code, 0);
    const [header] = (await Deno.readTextFile(file)).split("\n");
    assert.equal(JSON.parse(header).engine, engine);
    const same = await el2("replay", file);
    assert.equal(same.code, 0);
    assert.ok(!same.stderr.includes("engine"));
    await withHeader(file, { engine: OTHER, commit: COMMIT });
    const told =
      `a.rec was made by another engine: el2 ${version}, engine ${OTHER}, commit ${COMMIT}; this is el2 ${version}, engine ${engine}`;
    for (const args of [["replay"], ["profile"], ["coverage"], ["diff", file], ["compare-runs", "--bad", file, "--good"]]) {
      const refused = await el2(...args, file);
      assert.deepEqual([refused.code, refused.stdout], [2, ""], args.join());
      assert.ok(refused.stderr.includes(told), refused.stderr);
      assert.match(
        refused.stderr,
        new RegExp(`git -C \\S+ worktree add --detach \\.\\./el2-7467012e ${COMMIT} checks that version out; el2 replay `),
      );
    }
    const anyway = await el2("replay", file, "--anyway");
    assert.equal(anyway.code, 0);
    assert.equal(anyway.stdout, same.stdout);
    assert.ok(anyway.stderr.startsWith("el2: ") && anyway.stderr.includes(told), anyway.stderr);
  }));

Deno.test("another version with the same engine is replayed, and a header that names nothing rightly has no engine", () =>
  inFolder(async (folder) => {
    const file = `${folder}/a.rec`;
    assert.equal((await el2("run", DEMO, "--turbo", "--for", "5ms", "--record", file)).code, 0);
    await withHeader(file, { version: "9.9.9" });
    assert.equal((await el2("replay", file, "--verify")).code, 0);
    for (const wrong of [undefined, 7, "", `${engine} `, [engine], "x".repeat(1e6)]) {
      await withHeader(file, { engine: wrong, version: "1.0; rm -rf", commit: "$(id)", released: 1 });
      const { code, stderr } = await el2("replay", file);
      assert.equal(code, 2);
      assert.match(stderr, /a\.rec was made by another engine: el2 of an unknown version, an unknown engine; this is /);
      assert.ok(!stderr.includes("$(id)") && !stderr.includes("git -C") && stderr.length < 1000);
    }
    await withHeader(file, { engine: OTHER, version: "0.0.9", released: true });
    assert.match((await el2("replay", file)).stderr, /worktree add --detach \.\.\/el2-0\.0\.9 v0\.0\.9 checks that version out/);
  }));

Deno.test("a snapshot of another engine is refused, and loaded or made a session anyway; info shows who made it", () =>
  inFolder(async (folder) => {
    const file = `${folder}/a.snap`, plan = await demoPlan(), system = assemble(plan);
    runTo(system, 300_000);
    const snapshot = snapshotOf(system, plan, "demo");
    for (const _done of writeSnapshot(file, { ...snapshot, header: { ...snapshot.header, engine: OTHER, commit: COMMIT } }));
    for (const args of [["load", "--headless", "--turbo", "--for", "1ms"], ["verify"]]) {
      const refused = await el2("snapshot", ...args, file);
      assert.notEqual(refused.code, 0);
      assert.equal(refused.stdout, "");
      assert.ok(refused.stderr.includes(`made by another engine: el2 ${version}, engine ${OTHER}, commit ${COMMIT}`), refused.stderr);
      assert.equal((await el2("snapshot", ...args, file, "--anyway")).code, 0);
    }
    const session = (...args: string[]) => el2With({ XDG_RUNTIME_DIR: folder, EL2_SESSION: "" }, ...args),
      refused = await session("up", file);
    assert.deepEqual([refused.code, refused.stdout], [2, ""]);
    assert.match(refused.stderr, /made by another engine: .*; el2 up \S+a\.snap --anyway uses this engine$/m);
    assert.match((await session("up", DEMO, "--anyway")).stderr, /--anyway: \S+ is not a snapshot; remove the option$/m);
    const up = await session("up", file, "--anyway");
    assert.equal(up.code, 0, up.stderr);
    assert.equal((await session("down")).code, 0);
    assert.ok((await el2("snapshot", "info", file)).stdout.includes(`engine ${OTHER}`));
  }));

Deno.test("a snapshot is read once: it may come through a pipe", () =>
  inFolder(async (folder) => {
    const file = `${folder}/a.snap`, pipe = `${folder}/pipe`, plan = await demoPlan(), system = assemble(plan);
    for (const _done of writeSnapshot(file, snapshotOf(system, plan, "demo")));
    assert.ok((await new Deno.Command("mkfifo", { args: [pipe] }).output()).success);
    // Later readers get nothing.
    const writer = new Deno.Command("sh", { args: ["-c", 'cat "$0" > "$1"; while sleep 0.1; do : > "$1"; done', file, pipe] }).spawn();
    const { code, stderr } = await el2("snapshot", "verify", pipe);
    assert.deepEqual([code, stderr], [0, ""]);
    writer.kill();
    await writer.status;
  }));

Deno.test("a hash that differs ends each replay with its place", () =>
  inFolder(async (folder) => {
    const file = `${folder}/a.rec`;
    assert.equal((await el2("run", DEMO, "--turbo", "--for", "10ms", "--record", file)).code, 0);
    await rewrite(file, (line) => line.includes('"end"') ? line.replace(/"registers":"../, '"registers":"zz') : line);
    const { code, stderr } = await el2("replay", file);
    assert.equal(code, 1);
    const place = /the replay differs: t:0\.\d{6}, instruction \d+: registers were zz/;
    assert.match(stderr, place);
    const exported = await el2("trace", "export", `${folder}/a.json`, "--recording", file);
    assert.equal(exported.code, 0, exported.stderr);
    assert.match(exported.stderr, place);
  }));

/** A copy of this checkout, as far as the program needs it. */
async function copyOfCheckout(folder: string): Promise<void> {
  const checkout = new URL("../../../../../", import.meta.url).pathname;
  const paths = ["src", "assets", "docs", "main.ts", "deno.json", "deno.lock", "import-map.json"].map((path) => checkout + path);
  assert.ok((await new Deno.Command("cp", { args: ["-r", ...paths, folder] }).output()).success);
}

Deno.test("a recording is named at once by a changed engine, which finds the first difference; a changed screen replays it", () =>
  inFolder(async (folder) => {
    const file = `${folder}/a.rec`, copy = `${folder}/copy`;
    assert.equal((await el2("run", DEMO, "--turbo", "--for", "20ms", "--record", file)).code, 0);
    await Deno.mkdir(copy);
    await copyOfCheckout(copy);
    const other = async (...args: string[]) => {
      const options = ["run", "-q", "--no-check", `--lock=${copy}/deno.lock`, ...PERMISSIONS, `${copy}/main.ts`, ...args];
      const env = { DENO_DIR: denoFolder(), NO_COLOR: "1" };
      const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), { args: options, stdin: "null", env }).output();
      return { code, stdout: new TextDecoder().decode(stdout), stderr: new TextDecoder().decode(stderr) };
    };
    const plant = async (path: string, from: string, to: string) => {
      const text = await Deno.readTextFile(`${copy}/${path}`);
      assert.ok(text.includes(from), `${path} has ${from}`);
      await Deno.writeTextFile(`${copy}/${path}`, text.replace(from, to));
    };
    await plant("src/app/tui/actions/screen-table.ts", "// ", "// Another. ");
    const screen = await other("replay", file, "--verify");
    assert.equal(screen.code, 0, screen.stderr);
    await plant("src/machine/hardware/clock.ts", "CNTFRQ = 62_500_000", "CNTFRQ = 31_250_000");
    const named = await other("replay", file);
    assert.deepEqual([named.code, named.stdout], [2, ""], named.stderr);
    assert.match(named.stderr, /a\.rec was made by another engine/);
    const anyway = await other("replay", file, "--anyway");
    assert.equal(anyway.code, 1, anyway.stderr);
    assert.match(anyway.stderr, /a\.rec was made by another engine[^]*the replay differs: t:0\.\d{6}, instruction \d+: /);
  }));
