// The script in front of the one file's payload, with a runtime that is a script.

import assert from "node:assert/strict";
import { pack } from "../../scripts/dist/one-file.ts";
import { inFolder } from "../support/temporary-folder.ts";

const OTHER = 65534;
const RUNTIME = new TextEncoder().encode('#!/bin/sh\necho "$(basename "$0") of $(basename "$(dirname "$0")")"\n');

/** Packs a program; what runs it. */
async function packed(folder: string): Promise<(env: Record<string, string>) => Promise<{ code: number; stdout: string; stderr: string }>> {
  for (const name of ["split", "page"]) await Deno.mkdir(`${folder}/${name}`);
  await Deno.writeTextFile(`${folder}/split/el2.js`, "");
  const target = "test";
  await pack({ folder, split: `${folder}/split`, page: `${folder}/page` } as Parameters<typeof pack>[0], target, RUNTIME);
  const [program] = [...Deno.readDirSync(folder)].filter(({ name }) => name.endsWith(`-${target}`));
  return async (env) => {
    const { code, stdout, stderr } = await new Deno.Command("sh", {
      args: [`${folder}/${program.name}`],
      env: { PATH: "/usr/bin:/bin", ...env },
      clearEnv: true,
    }).output();
    return { code, stdout: new TextDecoder().decode(stdout), stderr: new TextDecoder().decode(stderr) };
  };
}

const modeOf = (path: string) => (Deno.statSync(path).mode ?? 0) & 0o7777;

Deno.test("the one file executes nothing from a folder that others can change", () =>
  inFolder(async (folder) => {
    const run = await packed(folder), base = `${folder}/runtime`;
    const first = await run({ EL2_RUNTIME: base });
    assert.match(first.stdout, /^deno of el2-\S+\n$/, first.stderr);
    assert.equal(modeOf(base), 0o700);
    const [{ name }] = [...Deno.readDirSync(base)], home = `${base}/${name}`;
    for (const [path, mode] of [[base, 0o777], [base, 0o770], [home, 0o777], [home, 0o1777]] as const) {
      const before = modeOf(path);
      Deno.chmodSync(path, mode);
      const { code, stdout, stderr } = await run({ EL2_RUNTIME: base });
      assert.deepEqual([code, stdout], [1, ""]);
      assert.ok(stderr.startsWith(`el2: others can change ${path}; `), stderr);
      Deno.chmodSync(path, before);
    }
    assert.equal(Deno.uid(), 0, "this test needs root, to be another user");
    for (const path of [base, home]) {
      Deno.chownSync(path, OTHER, OTHER);
      const { code, stdout, stderr } = await run({ EL2_RUNTIME: base });
      assert.deepEqual([code, stdout], [1, ""]);
      assert.match(stderr, /^el2: \S+ belongs to another user; name a folder of yours with EL2_RUNTIME/);
      Deno.chownSync(path, 0, 0);
    }
    // As /tmp is: others write there, and cannot replace what is ours.
    Deno.chmodSync(base, 0o1777);
    assert.equal((await run({ EL2_RUNTIME: base })).code, 0);
    // A folder that is empty is checked before anything is unpacked into it.
    const open = `${folder}/open`;
    Deno.mkdirSync(open);
    Deno.chmodSync(open, 0o777);
    assert.equal((await run({ EL2_RUNTIME: open })).code, 1);
    assert.deepEqual([...Deno.readDirSync(open)], []);
  }));

Deno.test("parts of an unpacking that was killed go after a day", () =>
  inFolder(async (folder) => {
    const run = await packed(folder), base = `${folder}/runtime`;
    Deno.mkdirSync(base, { mode: 0o700 });
    for (const name of [".part-abcdef", ".part-ghijkl", "mine"]) Deno.mkdirSync(`${base}/${name}`);
    const old = Date.now() / 1000 - 2 * 86_400;
    for (const name of [".part-abcdef", "mine"]) Deno.utimeSync(`${base}/${name}`, old, old);
    assert.equal((await run({ EL2_RUNTIME: base })).code, 0);
    const left = [...Deno.readDirSync(base)].map(({ name }) => name).filter((name) => !name.startsWith("el2-")).sort();
    assert.deepEqual(left, [".part-ghijkl", "mine"]);
  }));
