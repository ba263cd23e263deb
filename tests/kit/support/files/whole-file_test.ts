import assert from "node:assert/strict";
import { WholeFile, writeWhole } from "../../../../src/kit/support/files/whole-file.ts";

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
