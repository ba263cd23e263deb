// Sessions that share one folder: guests of two that work together could swap a folder below it
// for a link while the other session resolves a path.

import assert from "node:assert/strict";
import { holdFolder } from "../../../src/session/outside/held-folders.ts";
import { inFolder } from "../../support/temporary-folder.ts";

const MODULE = new URL("../../../src/session/outside/held-folders.ts", import.meta.url).href;

/** Another process that holds a folder, and whether it could. */
async function another(folder: string, written: boolean): Promise<string> {
  const code = `import { holdFolder } from ${JSON.stringify(MODULE)};
    try { holdFolder(Deno.args[0], ${written}, 0); console.log("held"); } catch (error) { console.log(error.name, error.message); }`;
  const file = await Deno.makeTempFile({ suffix: ".ts" });
  try {
    await Deno.writeTextFile(file, code);
    const args = ["run", "-q", "--no-check", "--no-lock", "--allow-read", "--allow-env", file, folder];
    const { stdout, stderr } = await new Deno.Command(Deno.execPath(), { args }).output();
    return new TextDecoder().decode(stdout).trim() || new TextDecoder().decode(stderr);
  } finally {
    await Deno.remove(file);
  }
}

/** Whether nobody has the exclusive lock of a folder. */
function lockable(folder: string): boolean {
  using file = Deno.openSync(folder);
  return file.tryLockSync(false);
}

Deno.test("a folder that a guest may write, and those in it and above, are shared by one session", () =>
  inFolder(async (folder) => {
    const top = Deno.realPathSync(folder), below = `${top}/a/b`, beside = `${top}/c`;
    for (const path of [below, beside, `${top}/ro`]) Deno.mkdirSync(path, { recursive: true });
    holdFolder(`${top}/a`, true);
    // Again, also for another VM of the session.
    holdFolder(`${top}/a`, true);
    holdFolder(below, true);
    holdFolder(`${top}/ro`, false);
    const busy = (path: string) => new RegExp(`^Busy another session shares ${path}, and a guest may write there; share it with mode "ro"`);
    for (const written of [true, false]) {
      assert.match(await another(`${top}/a`, written), busy(`${top}/a`));
      assert.match(await another(below, written), busy(`(${below}|${top}/a)`));
    }
    assert.match(await another(top, true), busy(top));
    assert.equal(await another(beside, true), "held");
    assert.equal(await another(`${top}/ro`, false), "held");
    assert.match(await another(`${top}/ro`, true), busy(`${top}/ro`));
    // A session that was ended has its folders until its process is gone.
    const leaving = new Deno.Command("flock", { args: ["-x", `${top}/left`, "sleep", "0.5"] });
    Deno.mkdirSync(`${top}/left`);
    const process = leaving.spawn();
    while (lockable(`${top}/left`)) await new Promise((resolve) => setTimeout(resolve, 1));
    holdFolder(`${top}/left`, true);
    assert.equal((await process.status).code, 0);
    // A reader above is not noticed (docs/differences.md).
    assert.equal(await another(top, false), "held");
  }));
