// Listening sockets of one user: what they replace, and what they remove.

import assert from "node:assert/strict";
import { NotOurs } from "../../../../src/kit/support/files/own-files.ts";
import { OwnListener } from "../../../../src/kit/support/files/own-socket.ts";
import { inFolder } from "../../../support/temporary-folder.ts";

/** Waits until Deno has freed what was closed. */
const settled = () => new Promise((resolve) => setTimeout(resolve, 50));

const inodeOf = (path: string) => Deno.lstatSync(path).ino;
const names = (folder: string) => Array.from(Deno.readDirSync(folder), ({ name }) => name);

Deno.test("a listening socket is at its path alone, with mode 0600, and is gone when it is closed", async () => {
  await inFolder(async (folder) => {
    const path = `${folder}/a.sock`, listener = new OwnListener(path);
    assert.deepEqual(names(folder), ["a.sock"]);
    assert.equal(Deno.lstatSync(path).mode! & 0o777, 0o600);
    const accepted = listener.accept();
    (await Deno.connect({ transport: "unix", path })).close();
    (await accepted).close();
    const waiting = assert.rejects(listener.accept());
    listener.close();
    assert.deepEqual(names(folder), []);
    await waiting;
  });
});

Deno.test("a socket that is closed takes none away that has replaced it, before or after that", async () => {
  await inFolder(async (folder) => {
    const path = `${folder}/a.sock`, first = new OwnListener(path);
    const ended = [assert.rejects(first.accept())];
    const second = new OwnListener(path), inode = inodeOf(path);
    first.close();
    await settled();
    assert.equal(inodeOf(path), inode);
    ended.push(assert.rejects(second.accept()));
    second.close();
    const third = new OwnListener(path), last = inodeOf(path);
    await settled();
    assert.equal(inodeOf(path), last);
    third.close();
    await Promise.all(ended);
  });
});

Deno.test("a folder that others may enter has a socket that nobody else can open", async () => {
  await inFolder((folder) => {
    Deno.chmodSync(folder, 0o755);
    const listener = new OwnListener(`${folder}/a.sock`);
    assert.deepEqual(names(folder), ["a.sock"]);
    assert.equal(Deno.lstatSync(listener.path).mode! & 0o777, 0o600);
    listener.close();
  });
});

Deno.test("another file stays, and a folder in which others can replace files is refused", async () => {
  await inFolder((folder) => {
    const path = `${folder}/a.sock`;
    Deno.writeTextFileSync(path, "kept");
    assert.throws(() => new OwnListener(path), (error) => error instanceof NotOurs && /is not a socket/.test(error.message));
    assert.equal(Deno.readTextFileSync(path), "kept");
    Deno.chmodSync(folder, 0o777);
    assert.throws(() => new OwnListener(`${folder}/b.sock`), NotOurs);
    Deno.mkdirSync(`${folder}/below`);
    assert.throws(() => new OwnListener(`${folder}/below/b.sock`), /others can replace .*below; chmod go-w/);
    assert.deepEqual(names(folder).sort(), ["a.sock", "below"]);
  });
});

Deno.test("a name that a killed process has left does not keep others from listening", async () => {
  await inFolder((folder) => {
    const { getRandomValues } = crypto, left = [0, 1];
    Deno.writeTextFileSync(`${folder}/.00`, "");
    Object.defineProperty(crypto, "getRandomValues", {
      value: <T extends Uint8Array>(into: T): T => into.fill(left.shift() ?? 2),
      configurable: true,
    });
    try {
      const listener = new OwnListener(`${folder}/a.sock`);
      assert.deepEqual(names(folder).sort(), [".00", "a.sock"]);
      listener.close();
    } finally {
      Object.defineProperty(crypto, "getRandomValues", { value: getRandomValues, configurable: true });
    }
  });
});
