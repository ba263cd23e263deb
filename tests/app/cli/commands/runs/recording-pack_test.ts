import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { keepMarks } from "../../../../../src/session/recordings/file/marks.ts";
import { DEMO } from "../recordings.ts";
import { el2With, type Outcome } from "../../program.ts";
import { inFolder } from "../../../../support/temporary-folder.ts";

/** Bytes of an image that is too large for a recording. */
const PADDED = 80 * 1024;

/** A recording in a folder, whose VM has an image of that size; el2 with one of two caches. */
async function recorded(folder: string) {
  const hello = await Deno.readFile(new URL("guests/hello.bin", `file://${DEMO}`)), image = new Uint8Array(PADDED);
  image.set(hello);
  await Deno.mkdir(`${folder}/home`);
  await Deno.writeFile(`${folder}/home/hello.bin`, image);
  const vm = `el2 = 1\n[vm.rt]\nimage = "${folder}/home/hello.bin"\nmemory = "4MiB"\n`;
  await Deno.writeTextFile(`${folder}/el2.toml`, vm);
  const el2 = (cache: string) => (...args: string[]): Promise<Outcome> => el2With({ EL2_CACHE: `${folder}/${cache}` }, ...args);
  const mine = el2("mine"), other = el2("other"), file = `${folder}/a.rec`;
  const run = await mine("run", `${folder}/el2.toml`, "--headless", "--turbo", "--for", "1ms", "--record", file);
  assert.equal(run.code, 0, run.stderr);
  return { mine, other, file, hash: createHash("sha256").update(image).digest("hex") };
}

Deno.test("a packed recording opens where no image is; without images it asks for each by its digest", () =>
  inFolder(async (folder) => {
    const { mine, other, file, hash } = await recorded(folder), out = `${folder}/out.rec`, bare = `${folder}/bare.rec`;
    const missing = await other("replay", file);
    assert.equal(missing.code, 2);
    assert.match(
      missing.stderr,
      new RegExp(`a\\.rec: a file of the run, SHA-256 ${hash}, is not in the cache; copy it to ${folder}/images/${hash}`),
    );
    const packed = await mine("recording", "pack", file, out, "--redact", "paths", "--redact", "input");
    assert.deepEqual([packed.code, packed.stderr], [0, `el2: ${out}: a copy of ${file}\n`]);
    assert.ok(!(await Deno.readTextFile(out)).includes(folder), "no path of this computer");
    const replayed = await other("replay", out, "--verify");
    assert.equal(replayed.code, 0, replayed.stderr);
    // Its marks join those of the recording that it is a copy of.
    keepMarks(out, [{ name: "lost", instructions: 5, time: 5, text: "here it is lost", by: "Ann" }]);
    const merged = await mine("recording", "merge", file, out);
    assert.deepEqual([merged.code, merged.stderr], [0, `el2: ${file}: 1 mark\n`]);

    assert.equal((await mine("recording", "pack", file, bare, "--without-images")).code, 0);
    assert.ok((await Deno.stat(bare)).size < 32 * 1024);
    assert.match((await other("replay", bare)).stderr, new RegExp(`copy it to ${folder}/images/[0-9a-f]{64}`));
    const shown = JSON.parse((await other("recording", "show", bare, "--json")).stdout);
    assert.deepEqual(shown.files.map((one: { in: string | null }) => one.in), shown.files.map(() => null));
  }));

Deno.test("a folder of packed recordings has each image once, and they open there", () =>
  inFolder(async (folder) => {
    const { mine, other, file, hash } = await recorded(folder), second = `${folder}/b.rec`;
    await Deno.copyFile(file, second);
    const packed = await mine("recording", "pack", file, second, `${folder}/shared/`);
    assert.equal(packed.code, 0, packed.stderr);
    const names = (path: string) => [...Deno.readDirSync(path)].map(({ name }) => name).sort();
    assert.deepEqual([names(`${folder}/shared`), names(`${folder}/shared/images`)], [["a.rec", "b.rec", "images"], [hash]]);
    const replayed = await other("replay", `${folder}/shared/b.rec`, "--verify");
    assert.equal(replayed.code, 0, replayed.stderr);
    await Deno.writeTextFile(`${folder}/shared/images/${hash}`, "other");
    assert.match((await other("replay", `${folder}/shared/b.rec`)).stderr, /was changed; its SHA-256 does not match its name/);
  }));

Deno.test("what a run does not allow to leave out is said, and nothing is written", () =>
  inFolder(async (folder) => {
    const { mine, file } = await recorded(folder), out = `${folder}/out.rec`, typed = `${folder}/typed.rec`;
    const lines = (await Deno.readTextFile(file)).split("\n");
    // One that was cut off after a line that was typed.
    await Deno.writeTextFile(
      typed,
      `${lines[0]}\n{"at":1,"settled":true,"input":{"kind":"console","console":"rt","bytes":{"$bytes":"cm9vdAo="}}}\n`,
    );
    const refused = async (message: RegExp, ...words: string[]) => {
      const { code, stderr } = await mine("recording", "pack", ...words);
      assert.equal(code, 2, stderr);
      assert.match(stderr, message);
    };
    await refused(/--redact input: .*typed\.rec has 5 bytes that were typed, from which the run follows/, typed, out, "--redact", "input");
    await refused(/--redact console: .* a replay prints it/, file, out, "--redact", "console");
    await refused(/--redact: "name" is not one of input, paths, console/, file, out, "--redact", "name");
    await refused(/no file to write is named/, file);
    await refused(/no such file/, `${folder}/none.rec`, out);
    await assert.rejects(Deno.stat(out), Deno.errors.NotFound);
  }));
