// `el2 recording pack --with-sources`: source files go into a recording by consent, and their lines
// are shown where the files are not.

import assert from "node:assert/strict";
import { rewrite } from "../recordings.ts";
import { el2, el2In, type Outcome } from "../../program.ts";
import { buildProgram } from "../../../../session/debug/programs.ts";
import { ConsoleProgram } from "../../../../support/console.ts";
import { el2Command } from "../../../../support/el2.ts";
import { inFolder } from "../../../../support/temporary-folder.ts";

const PROGRAMS = new URL("../../../../session/debug/programs", import.meta.url).pathname;
/** A line of the program that is on its stack at `PLACE`, and the name of its file there. */
const LINE = "int32_t result = recurse(3);", FILE = "calls.c", PLACE = 300;
const SECONDS = 60;

/**
 * A recording of a program, whose source and a secret are in the folder `src`; el2 there.
 * @param mapped folders that have other names in the program; of several that match the last one
 */
async function recorded(folder: string, mapped = [`${PROGRAMS}=${folder}/src`]) {
  const source = `${folder}/src/${FILE}`, secret = `${folder}/src/secret.h`;
  await Deno.mkdir(`${folder}/src`);
  await Deno.copyFile(`${PROGRAMS}/${FILE}`, source);
  await Deno.writeTextFile(secret, "hunter2");
  await buildProgram("calls", `${folder}/calls.elf`, { more: mapped.map((one) => `-ffile-prefix-map=${one}`) });
  const run = (...args: string[]): Promise<Outcome> => el2In(folder, {}, ...args);
  const booted = await run("boot", "calls.elf", "--turbo", "--record", "a.rec");
  assert.equal(booted.code, 0, booted.stderr);
  const pack = (to: string, ...args: string[]) => run("recording", "pack", "a.rec", to, "--with-sources", ...args);
  return { run, pack, source, secret };
}

/** The lines of a picture of the vCPU's screen at the place. */
async function pictured(folder: string, run: (...args: string[]) => Promise<Outcome>, file: string): Promise<string> {
  const shown = await run("screenshot", "o.txt", "--recording", `${file}#to=${PLACE}&screen=vcpu`, "--size", "260x50");
  assert.equal(shown.code, 0, shown.stderr);
  return await Deno.readTextFile(`${folder}/o.txt`);
}

Deno.test("source files are packed by consent alone, named ones only, and their lines are shown where they are not", () =>
  inFolder(async (folder) => {
    const { run, pack, source, secret } = await recorded(folder);
    const refused = await pack("b.rec");
    assert.equal(refused.code, 2);
    assert.match(
      refused.stderr,
      new RegExp(`its copy would have these files of this computer: .*source ${source} \\(ro\\)[,;] .*--allow-host PATH`),
    );
    await assert.rejects(Deno.stat(`${folder}/b.rec`), Deno.errors.NotFound);

    const packed = await pack("b.rec", "--allow-host", "all");
    assert.equal(packed.code, 0, packed.stderr);
    assert.match(packed.stderr, /b\.rec: a copy of a\.rec, with \d+ source files/);
    const text = await Deno.readTextFile(`${folder}/b.rec`),
      { sources } = JSON.parse((await run("recording", "show", "b.rec", "--json")).stdout);
    assert.ok(!text.includes("hunter2") && !text.includes(secret), "a file that nothing names");
    assert.deepEqual(sources.find(({ path }: { path: string }) => path === source), {
      path: source,
      bytes: (await Deno.stat(source)).size,
    });
    assert.match((await run("recording", "show", "b.rec")).stdout, new RegExp(`^sources\\n(  .*\\n)*  ${source}  \\S+ \\S+$`, "m"));

    // Paths in a program cannot be taken out of it.
    assert.match(
      (await run("recording", "show", "a.rec")).stdout,
      new RegExp(`^folders in debug information\\n(  .*\\n)*  ${folder}/src$`, "m"),
    );
    const kept = await run("recording", "pack", "a.rec", "d.rec", "--redact", "paths");
    assert.equal(kept.code, 2);
    assert.match(
      kept.stderr,
      new RegExp(`the debug information of its programs names /\\S+ and \\d+ other source files`),
    );

    await Deno.remove(`${folder}/src`, { recursive: true });
    assert.ok((await pictured(folder, run, "b.rec")).includes(`${FILE}:54  ${LINE}`));
    const bare = await pictured(folder, run, "a.rec");
    assert.ok(bare.includes(`${FILE}:54`) && !bare.includes(LINE));
    assert.equal((await run("replay", "b.rec", "--verify")).code, 0);

    // A copy of the copy keeps them, and one without paths has none.
    assert.equal((await run("recording", "pack", "b.rec", "c.rec")).code, 0);
    assert.ok((await Deno.readTextFile(`${folder}/c.rec`)).includes(LINE));
    assert.equal((await pack("d.rec", "--redact", "paths")).code, 2);
    assert.equal((await run("recording", "pack", "b.rec", "d.rec", "--redact", "paths", "--without-images")).code, 0);
    assert.ok(!(await Deno.readTextFile(`${folder}/d.rec`)).includes(LINE));
  }));

Deno.test("source files with relative names are those of the working folder, and no path in a program stays", () =>
  inFolder(async (folder) => {
    const { run, pack, source } = await recorded(folder, [`${Deno.cwd()}=.`, `${PROGRAMS}=src`]), name = `./src/${FILE}`;
    const refused = await pack("b.rec");
    assert.equal(refused.code, 2);
    assert.match(refused.stderr, new RegExp(`source ${name} .*--allow-host PATH`));
    assert.equal((await pack("b.rec", "--allow-host", source)).code, 0);
    const { sources, folders } = JSON.parse((await run("recording", "show", "b.rec", "--json")).stdout);
    assert.deepEqual([sources, folders], [[{ path: name, bytes: (await Deno.stat(source)).size }], []]);
    await Deno.remove(`${folder}/src`, { recursive: true });
    assert.ok((await pictured(folder, run, "b.rec")).includes(`${FILE}:54  ${LINE}`));
    assert.equal((await pack("c.rec")).stderr, "el2: c.rec: a copy of a.rec, with 0 source files\n");
    assert.equal((await run("recording", "pack", "a.rec", "d.rec", "--redact", "paths")).code, 0);
    assert.ok(!(await Deno.readTextFile(`${folder}/d.rec`)).includes(folder));
  }));

Deno.test("on a terminal the names of source files are shown, and a yes copies them", () =>
  inFolder(async (folder) => {
    const { source } = await recorded(folder);
    for (const [answer, copies] of [["n", false], ["y", true]] as const) {
      const words = el2Command("recording", "pack", `${folder}/a.rec`, `${folder}/b.rec`, "--with-sources");
      await using program = new ConsoleProgram(["script", "-qec", words.map((word) => `'${word}'`).join(" "), "/dev/null"]);
      await program.expect(new RegExp(`source ${source} \\(ro\\)[^]*Copy them\\? \\[y/N\\]`), SECONDS);
      await program.type(`${answer}\n`);
      await program.expect(copies ? /b\.rec: a copy of .*a\.rec, with \d+ source files/ : /allow them with --allow-host/, SECONDS);
      await program.end();
      assert.equal(Deno.readDirSync(folder).some(({ name }) => name === "b.rec"), copies);
    }
  }));

Deno.test("sources of a stranger's recording have names and are bounded, and a file that is no text stays out", () =>
  inFolder(async (folder) => {
    const { run, pack, source } = await recorded(folder);
    await Deno.writeFile(source, new Uint8Array([0x2f, 0xff, 0xfe]));
    assert.equal((await pack("b.rec", "--allow-host", "all")).code, 0);
    const { sources } = JSON.parse((await run("recording", "show", "b.rec", "--json")).stdout);
    assert.ok(!sources.some(({ path }: { path: string }) => path === source));
    for (const wrong of [7, ["a.c"], { "": "" }, { "/a.c": 1 }, { "/a.c": "x".repeat((4 << 20) + 1) }]) {
      await Deno.copyFile(`${folder}/a.rec`, `${folder}/c.rec`);
      await rewrite(
        `${folder}/c.rec`,
        (line) => line.startsWith('{"schema"') ? JSON.stringify({ ...JSON.parse(line), sources: wrong }) : line,
      );
      for (const args of [["replay", "c.rec"], ["recording", "show", "c.rec"]]) {
        const { code, stderr } = await el2In(folder, {}, ...args);
        assert.deepEqual([code, /c\.rec:1: its source files are invalid/.test(stderr)], [2, true], stderr);
      }
    }
    assert.equal((await el2("recording", "pack", `${folder}/a.rec`, `${folder}/d.rec`)).code, 0);
    assert.ok(!(await Deno.readTextFile(`${folder}/d.rec`)).includes('"sources"'));
  }));
