import assert from "node:assert/strict";
import { begun, checkWritable, WholeFile, writeWhole } from "../../../../src/kit/support/files/whole-file.ts";

const MODULE = new URL("../../../../src/kit/support/files/whole-file.ts", import.meta.url).href;

function inFolder(work: (folder: string) => void | Promise<void>) {
  return async () => {
    const folder = Deno.makeTempDirSync({ prefix: "el2-test-" });
    try {
      await work(folder);
    } finally {
      Deno.removeSync(folder, { recursive: true });
    }
  };
}

const names = (folder: string) => [...Deno.readDirSync(folder)].map(({ name }) => name).sort();

Deno.test(
  "a file has its name once it is whole, with mode 0600; until then what was there stays",
  inFolder((folder) => {
    const path = `${folder}/a`;
    Deno.writeTextFileSync(path, "old");
    {
      using file = new WholeFile(path);
      file.write(new TextEncoder().encode("new"));
      assert.equal(Deno.readTextFileSync(path), "old");
    }
    assert.deepEqual([names(folder), Deno.readTextFileSync(path)], [["a"], "old"]);
    writeWhole(path, "new");
    assert.deepEqual([names(folder), Deno.readTextFileSync(path), Deno.statSync(path).mode! & 0o777], [["a"], "new", 0o600]);
  }),
);

Deno.test(
  "a process that is killed, or a disk that is full, leaves the old file",
  inFolder(async (folder) => {
    const path = `${folder}/a`;
    Deno.writeTextFileSync(path, "old");
    const script = `import { writeWhole } from "${MODULE}"; writeWhole("${path}", new Uint8Array(1 << 22));`;
    Deno.writeTextFileSync(`${folder}/s.ts`, script);
    const run = (limit: string) =>
      new Deno.Command("/bin/sh", {
        args: ["-c", `${limit} exec "$0" run -q --no-check --allow-all ${folder}/s.ts`, Deno.execPath()],
        stderr: "null",
      }).output();
    // The limit's signal kills; ignored, the write fails as on a full disk.
    for (const limit of ["ulimit -f 1024;", "trap '' XFSZ; ulimit -f 1024;"]) {
      assert.equal((await run(limit)).success, false, limit);
      assert.equal(Deno.readTextFileSync(path), "old", limit);
    }
    assert.equal((await run("")).success, true);
    assert.equal(Deno.statSync(path).size, 1 << 22);
  }),
);

Deno.test(
  "a link stays one, and its target is replaced; a pipe is written as it is; a folder is refused",
  inFolder(async (folder) => {
    Deno.writeTextFileSync(`${folder}/target`, "old");
    Deno.symlinkSync("target", `${folder}/link`);
    writeWhole(`${folder}/link`, "new");
    assert.equal(Deno.readTextFileSync(`${folder}/target`), "new");
    assert.ok(Deno.lstatSync(`${folder}/link`).isSymlink);
    await new Deno.Command("mkfifo", { args: [`${folder}/pipe`] }).output();
    const reader = new Deno.Command("cat", { args: [`${folder}/pipe`], stdout: "piped" }).spawn();
    writeWhole(`${folder}/pipe`, "through");
    assert.equal(new TextDecoder().decode((await reader.output()).stdout), "through");
    assert.throws(() => writeWhole(folder, "x"), Deno.errors.IsADirectory);
  }),
);

/** Runs a program that uses the module; `during` is called once it has written a line. */
async function program(folder: string, text: string, during: (child: Deno.ChildProcess) => void): Promise<number> {
  const unfinished = new URL("unfinished.ts", MODULE).href;
  const head =
    `import { WholeFile, begun } from "${MODULE}"; import { removeUnfinishedAtEnd } from "${unfinished}"; removeUnfinishedAtEnd();`;
  const script = `${folder}/program.ts`;
  Deno.writeTextFileSync(script, `${head}\n${text}`);
  const args = ["run", "-q", "--no-check", "--allow-read", "--allow-write", script];
  const child = new Deno.Command(Deno.execPath(), { args, stdin: "null", stdout: "piped", stderr: "inherit" }).spawn();
  const reader = child.stdout.getReader();
  await reader.read();
  during(child);
  while (!(await reader.read()).done);
  Deno.removeSync(script);
  return (await child.status).code;
}

Deno.test(
  "a signal or an exit in the middle leaves the old file and nothing else",
  inFolder(async (folder) => {
    Deno.writeTextFileSync(`${folder}/a`, "old");
    const begin = `const file = new WholeFile("${folder}/a"); file.write(new Uint8Array(100));`;
    for (const [signal, code] of [["SIGINT", 130], ["SIGTERM", 143], ["SIGHUP", 129], ["SIGQUIT", 131]] as const) {
      const wait = `${begin} console.log(); setTimeout(() => {}, 60_000);`;
      assert.equal(await program(folder, wait, (child) => child.kill(signal)), code, signal);
      assert.deepEqual([names(folder), Deno.readTextFileSync(`${folder}/a`)], [["a"], "old"], signal);
      // Once it is whole, signals end the program, too.
      const after = `${begin} file.commit(); console.log(); setTimeout(() => {}, 60_000);`;
      assert.equal(await program(folder, after.replace("/a", "/b"), (child) => child.kill(signal)), code, signal);
      assert.deepEqual(names(folder), ["a", "b"], signal);
      Deno.removeSync(`${folder}/b`);
    }
    assert.equal(await program(folder, `${begin} console.log(); Deno.exit(7);`, () => {}), 7);
    assert.deepEqual(names(folder), ["a"]);
  }),
);

Deno.test(
  "a file that grows has its name when it has its beginning; until then what was there stays",
  inFolder((folder) => {
    const path = `${folder}/a`, text = new TextEncoder();
    Deno.writeTextFileSync(path, "old", { mode: 0o644 });
    const file = begun(path, text.encode("head\n"));
    assert.equal(Deno.readTextFileSync(path), "head\n");
    file.writeSync(text.encode("line\n"));
    file.close();
    assert.deepEqual([names(folder), Deno.readTextFileSync(path), Deno.statSync(path).mode! & 0o777], [["a"], "head\nline\n", 0o600]);
    assert.throws(() => begun(`${folder}/none/a`, text.encode("head")), Deno.errors.NotFound);
  }),
);

Deno.test(
  "a fresh file replaces none, also if one came meanwhile; a check makes nothing",
  inFolder((folder) => {
    const path = `${folder}/${"a".repeat(255)}`;
    writeWhole(path, "1", { fresh: true });
    assert.throws(() => writeWhole(path, "2", { fresh: true }), Deno.errors.AlreadyExists);
    assert.equal(Deno.readTextFileSync(path), "1", "a name of any length that the system takes");
    using file = new WholeFile(`${folder}/b`, { fresh: true });
    Deno.writeTextFileSync(`${folder}/b`, "first");
    assert.throws(() => file.commit(), Deno.errors.AlreadyExists);
    file[Symbol.dispose]();
    Deno.symlinkSync("nowhere", `${folder}/link`);
    assert.throws(() => checkWritable(`${folder}/link`, { fresh: true }), Deno.errors.AlreadyExists);
    checkWritable(`${folder}/c`);
    checkWritable(path);
    assert.deepEqual([names(folder), Deno.readTextFileSync(`${folder}/b`)], [[path.slice(folder.length + 1), "b", "link"], "first"]);
    assert.throws(() => checkWritable(`${folder}/none/c`), Deno.errors.NotFound);
    assert.throws(() => checkWritable(folder), Deno.errors.IsADirectory);
  }),
);
