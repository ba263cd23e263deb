import assert from "node:assert/strict";
import { isLocked, NotOurs, openOwn, readOwnText, readTrustedText, takeLock } from "../../../../src/kit/support/files/own-files.ts";
import { inFolder } from "../../../support/temporary-folder.ts";

/** Runs `act` with a file system in which `change` happens right before the next file is opened. */
function beforeOpening<T>(change: () => void, act: () => T): T {
  const { openSync, readTextFileSync } = Deno;
  const once = () => {
    Object.assign(Deno, { openSync, readTextFileSync });
    change();
  };
  Deno.openSync = (...args) => (once(), openSync(...args));
  Deno.readTextFileSync = (...args) => (once(), readTextFileSync(...args));
  try {
    return act();
  } finally {
    Object.assign(Deno, { openSync, readTextFileSync });
  }
}

Deno.test("a file that is replaced between its check and its opening is not read", () =>
  inFolder((folder) => {
    const path = `${folder}/file`, other = `${folder}/other`;
    for (const read of [readOwnText, readTrustedText]) {
      for (const replacing of [() => Deno.renameSync(other, path), () => (Deno.removeSync(path), Deno.symlinkSync(other, path))]) {
        Deno.writeTextFileSync(path, "checked");
        Deno.writeTextFileSync(other, "another");
        assert.equal(read(path), "checked");
        assert.throws(() => beforeOpening(replacing, () => read(path)), NotOurs, read.name);
        Deno.removeSync(path);
      }
      Deno.writeTextFileSync(path, "é\n");
      assert.equal(read(path), "é\n");
      Deno.chmodSync(path, 0o600);
    }
    assert.equal(readOwnText(`${folder}/none`), undefined);
    assert.throws(() => readTrustedText(`${folder}/none`), Deno.errors.NotFound);
    assert.throws(() => readTrustedText(folder), /is not a regular file/);
    Deno.chmodSync(path, 0o622);
    assert.throws(() => readTrustedText(path), /has mode 0622, others can change it; chmod go-w /);
    return Promise.resolve();
  }));

Deno.test("a file of ours that is removed between its check and its opening does not exist; to look at a lock makes none", () =>
  inFolder((folder) => {
    const path = `${folder}/file`, there = () => [...Deno.readDirSync(folder)].length > 0;
    const gone = <T>(act: () => T): T => {
      Deno.writeTextFileSync(path, "checked");
      return beforeOpening(() => Deno.removeSync(path), act);
    };
    assert.equal(gone(() => readOwnText(path)), undefined);
    assert.equal(gone(() => isLocked(path)), false);
    assert.equal(isLocked(path), false);
    assert.equal(there(), false);
    gone(() => openOwn(path)).close();
    assert.equal(there(), true);
    using lock = gone(() => takeLock(path));
    assert.ok(lock);
    assert.equal(isLocked(path), true);
    return Promise.resolve();
  }));
