import assert from "node:assert/strict";
import { P9Device } from "../../../../src/machine/virtio/p9/p9.ts";
import { P9_MESSAGE_MAX } from "../../../../src/machine/virtio/limits.ts";
import { P9Server } from "../../../../src/machine/virtio/p9/server.ts";
import { P9_HEADER_SIZE, writeMessage } from "../../../../src/machine/virtio/p9/messages.ts";
import { Outside } from "../../../../src/session/outside/outside.ts";
import { OutsideShare } from "../../../../src/session/outside/share.ts";
import { ComputerFolder } from "../../../../src/session/outside/shared-folder.ts";
import { TestDriver } from "../driver.ts";
import { P9Client, p9Request } from "../p9-client.ts";

const RDONLY = 0, RDWR = 2, TRUNC = 0o1000, APPEND = 0o2000, EXCL = 0o200, DIRECTORY = 0o200000;
const NO_CHANGE = {
  valid: 0,
  mode: 0,
  uid: 0,
  gid: 0,
  size: 0n,
  accessSeconds: 0n,
  accessNanoseconds: 0n,
  modifySeconds: 0n,
  modifyNanoseconds: 0n,
};
const encode = (text: string) => new TextEncoder().encode(text);
const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

/** A folder `share` in a folder with a secret beside it, shared. */
async function withShare(
  test: (client: P9Client, share: string, server: P9Server, outside: string) => void | Promise<void>,
  readOnly = false,
  onProblem: (message: string) => void = (message) => assert.fail(message),
) {
  const outside = await Deno.makeTempDir({ prefix: "el2-9p-" });
  const share = `${outside}/share`;
  try {
    await Deno.mkdir(`${share}/sub`, { recursive: true });
    await Deno.writeTextFile(`${outside}/secret`, "secret");
    await Deno.writeTextFile(`${share}/sub/file`, "content");
    const server = new P9Server(new ComputerFolder(share), readOnly, onProblem);
    const client = new P9Client((bytes, room) => server.serve(bytes, room));
    client.begin();
    await test(client, share, server, outside);
    server.reset();
  } finally {
    await Deno.remove(outside, { recursive: true });
  }
}

Deno.test("a guest walks, reads, creates, writes, renames and removes in a shared folder", () =>
  withShare(async (client, share) => {
    client.walk(1, "sub", "file");
    const { size, mode, uid } = client.ask("getattr", { fid: 1, mask: 0x7ffn });
    assert.deepEqual([size, mode & 0o170000, uid], [7n, 0o100000, 0]);
    client.ask("lopen", { fid: 1, flags: RDONLY });
    assert.equal(decode(client.ask("read", { fid: 1, offset: 3n, count: 100 }).bytes), "tent");
    assert.equal(client.ask("read", { fid: 1, offset: 7n, count: 100 }).bytes.length, 0);

    client.walk(2, "sub");
    client.ask("lcreate", { fid: 2, name: "new", flags: RDWR | EXCL, mode: 0o640, gid: 0 });
    assert.equal(client.ask("write", { fid: 2, offset: 2n, bytes: encode("abc") }).count, 3);
    client.ask("fsync", { fid: 2, dataOnly: 0 });
    assert.equal(await Deno.readTextFile(`${share}/sub/new`), "\0\0abc");
    assert.equal((await Deno.stat(`${share}/sub/new`)).mode! & 0o7777, 0o640);

    client.ask("renameat", { oldFolder: 0, oldName: "sub", newFolder: 0, newName: "moved" });
    assert.equal(client.ask("write", { fid: 2, offset: 0n, bytes: encode("xy") }).count, 2);
    client.walk(3, "moved", "file");
    client.ask("clunk", { fid: 2 });
    client.walk(2, "moved", "new");
    client.ask("remove", { fid: 2 });
    client.ask("remove", { fid: 3 });
    client.ask("clunk", { fid: 1 });
    client.ask("unlinkat", { folder: 0, name: "moved", flags: 0x200 });
    assert.deepEqual([...Deno.readDirSync(share)], []);
  }));

Deno.test("fids follow a folder that is renamed, and do not survive their end", () =>
  withShare((client, _share, server) => {
    client.walk(1, "sub");
    client.walk(2, "sub", "file");
    client.ask("rename", { fid: 1, folder: 0, name: "other" });
    assert.equal(client.ask("getattr", { fid: 2, mask: 0n }).size, 7n);
    client.ask("clunk", { fid: 2 });
    assert.equal(client.refusal("getattr", { fid: 2, mask: 0n }), "EBADF");
    assert.equal(server.fids, 2);
  }));

Deno.test("a folder is listed in pieces, with what is there when it is read from its start", () =>
  withShare(async (client, share) => {
    const names = Array.from({ length: 300 }, (_, index) => `name-${String(index).padStart(3, "0")}`);
    for (const name of names) await Deno.writeTextFile(`${share}/sub/${name}`, "");
    client.walk(1, "sub");
    client.ask("lopen", { fid: 1, flags: RDONLY | DIRECTORY });
    assert.deepEqual(client.list(1, 512), [".", "..", "file", ...names]);
    await Deno.remove(`${share}/sub/file`);
    assert.deepEqual(client.list(1, 4096), [".", "..", ...names]);
  }));

Deno.test("no name leads out of the folder: neither the parent's, nor one with a slash, nor a symbolic link on the way or at the end", () =>
  withShare(async (client, share, _server, outside) => {
    for (const name of ["", ".", "a/b", "/etc", "\0", "../secret"]) {
      assert.equal(client.refusal("walk", { fid: 0, newFid: 1, names: [name] }), "EINVAL", name);
      assert.equal(client.refusal("mkdir", { fid: 0, name, mode: 0o755, gid: 0 }), "EINVAL", name);
    }
    for (const name of ["..", "."]) {
      assert.equal(client.refusal("unlinkat", { folder: 0, name, flags: 0x200 }), "EINVAL");
      assert.equal(client.refusal("renameat", { oldFolder: 0, oldName: "sub", newFolder: 0, newName: name }), "EINVAL");
      assert.equal(client.refusal("lcreate", { fid: 0, name, flags: RDWR, mode: 0o644, gid: 0 }), "EINVAL");
    }
    const root = client.ask("getattr", { fid: 0, mask: 0n }).qid;
    client.walk(1, "..", "..", "sub", "..", "..");
    assert.deepEqual(client.ask("getattr", { fid: 1, mask: 0n }).qid, root);
    assert.equal(client.refusal("walk", { fid: 0, newFid: 2, names: ["secret"] }), "ENOENT");

    await Deno.symlink(outside, `${share}/up`);
    await Deno.symlink(`${outside}/secret`, `${share}/direct`);
    client.walk(3, "up");
    assert.equal(client.ask("readlink", { fid: 3 }).target, outside);
    assert.equal(client.refusal("lopen", { fid: 3, flags: RDONLY }), "ELOOP");
    assert.equal(client.ask("walk", { fid: 0, newFid: 4, names: ["up", "secret"] }).qids.length, 1);
    assert.equal(client.refusal("getattr", { fid: 4, mask: 0n }), "EBADF");
    assert.equal(client.refusal("walk", { fid: 3, newFid: 4, names: ["secret"] }), "ENOTDIR");
    assert.equal(client.refusal("mkdir", { fid: 3, name: "made", mode: 0o755, gid: 0 }), "ENOTDIR");
    assert.equal(client.refusal("unlinkat", { folder: 3, name: "secret", flags: 0 }), "ENOTDIR");
    assert.equal(client.refusal("link", { folder: 0, fid: 3, name: "hard" }), "EPERM");
    client.walk(5, "direct");
    for (const flags of [RDONLY, RDWR, TRUNC]) assert.equal(client.refusal("lopen", { fid: 5, flags }), "ELOOP");
    const change = { ...NO_CHANGE, fid: 5, valid: 8, size: 0n };
    assert.equal(client.refusal("setattr", change), "ELOOP");
    assert.equal(client.refusal("setattr", { ...NO_CHANGE, fid: 5, valid: 1, mode: 0o777 }), "EOPNOTSUPP");
    await Deno.symlink(`${outside}/made`, `${share}/dangling`);
    client.walk(6);
    assert.equal(client.refusal("lcreate", { fid: 6, name: "dangling", flags: RDWR, mode: 0o644, gid: 0 }), "ELOOP");
    assert.equal(await Deno.readTextFile(`${outside}/secret`), "secret");
    assert.deepEqual([...Deno.readDirSync(outside)].map(({ name }) => name).sort(), ["secret", "share"]);
  }));

Deno.test("a folder that becomes a symbolic link under a guest's fid leads nowhere", () =>
  withShare(async (client, share, _server, outside) => {
    client.walk(1, "sub");
    client.walk(2, "sub", "file");
    await Deno.rename(`${share}/sub`, `${outside}/elsewhere`);
    await Deno.symlink(`${outside}/elsewhere`, `${share}/sub`);
    assert.equal(client.refusal("lopen", { fid: 2, flags: RDWR }), "ENOTDIR");
    assert.equal(client.refusal("lcreate", { fid: 1, name: "made", flags: RDWR, mode: 0o644, gid: 0 }), "ENOTDIR");
    assert.equal(client.refusal("walk", { fid: 1, newFid: 3, names: ["file"] }), "ENOTDIR");
    assert.deepEqual([...Deno.readDirSync(`${outside}/elsewhere`)].map(({ name }) => name), ["file"]);
  }));

Deno.test("pipes of the host are seen and not opened, devices are not made, and no file gets the rights of its owner", () =>
  withShare(async (client, share) => {
    const { success } = await new Deno.Command("mkfifo", { args: [`${share}/pipe`] }).output();
    assert.ok(success);
    client.walk(1, "pipe");
    assert.equal(client.refusal("lopen", { fid: 1, flags: RDONLY }), "ENXIO");
    assert.equal(client.refusal("mknod", { fid: 0, name: "null", mode: 0o20666, major: 1, minor: 3, gid: 0 }), "EPERM");
    client.walk(2, "sub", "file");
    client.ask("setattr", { ...NO_CHANGE, fid: 2, valid: 1, mode: 0o6755 });
    assert.equal((await Deno.stat(`${share}/sub/file`)).mode! & 0o7777, 0o755);
    assert.equal(client.refusal("setattr", { ...NO_CHANGE, fid: 2, valid: 2, uid: 1000 }), "EPERM");
    client.ask("setattr", { ...NO_CHANGE, fid: 2, valid: 2 | 4, uid: 0, gid: 0 });
  }));

Deno.test("size and times are set, and an append goes to the end", () =>
  withShare(async (client, share) => {
    client.walk(1, "sub", "file");
    client.ask("setattr", { ...NO_CHANGE, fid: 1, valid: 8, size: 3n });
    client.ask("setattr", { ...NO_CHANGE, fid: 1, valid: 0x20 | 0x100, modifySeconds: 1000n, modifyNanoseconds: 500_000_000n });
    assert.equal((await Deno.stat(`${share}/sub/file`)).mtime!.getTime(), 1_000_500);
    client.ask("lopen", { fid: 1, flags: RDWR | APPEND });
    client.ask("write", { fid: 1, offset: 0n, bytes: encode("!") });
    assert.equal(await Deno.readTextFile(`${share}/sub/file`), "con!");
    assert.equal(client.refusal("write", { fid: 1, offset: 2n ** 63n, bytes: encode("!") }), "done");
    assert.equal(client.refusal("read", { fid: 1, offset: 2n ** 63n, count: 1 }), "EFBIG");
    // Some file systems of hosts have room for that.
    assert.match(client.refusal("setattr", { ...NO_CHANGE, fid: 1, valid: 8, size: 2n ** 53n - 1n }), /^(EFBIG|done)$/);
  }));

Deno.test("a read-only share changes nothing", () =>
  withShare((client, share) => {
    client.walk(1, "sub", "file");
    client.walk(2, "sub");
    for (const flags of [RDWR, TRUNC]) assert.equal(client.refusal("lopen", { fid: 1, flags }), "EROFS");
    assert.equal(client.refusal("lcreate", { fid: 2, name: "a", flags: RDWR, mode: 0o644, gid: 0 }), "EROFS");
    assert.equal(client.refusal("mkdir", { fid: 2, name: "a", mode: 0o755, gid: 0 }), "EROFS");
    assert.equal(client.refusal("symlink", { fid: 2, name: "a", target: "b", gid: 0 }), "EROFS");
    assert.equal(client.refusal("link", { folder: 2, fid: 1, name: "a" }), "EROFS");
    assert.equal(client.refusal("unlinkat", { folder: 2, name: "file", flags: 0 }), "EROFS");
    assert.equal(client.refusal("renameat", { oldFolder: 2, oldName: "file", newFolder: 2, newName: "a" }), "EROFS");
    assert.equal(client.refusal("setattr", { ...NO_CHANGE, fid: 1, valid: 8, size: 0n }), "EROFS");
    assert.equal(client.refusal("remove", { fid: 1 }), "EROFS");
    client.walk(3, "sub", "file");
    client.ask("lopen", { fid: 3, flags: RDONLY });
    assert.equal(decode(client.ask("read", { fid: 3, offset: 0n, count: 100 }).bytes), "content");
    assert.deepEqual([...Deno.readDirSync(`${share}/sub`)].map(({ name }) => name), ["file"]);
  }, true));

Deno.test("fids, open files, names and messages are limited", () =>
  withShare((client, _share, server) => {
    let fid = 1;
    const walk = () => client.refusal("walk", { fid: 0, newFid: fid, names: fid < 300 ? ["sub", "file"] : [] });
    while (walk() === "done") fid++;
    assert.equal(walk(), "EMFILE");
    assert.equal(fid, 8192);
    let open = 1;
    while (client.refusal("lopen", { fid: open, flags: RDONLY }) === "done") open++;
    assert.equal(client.refusal("lopen", { fid: open, flags: RDONLY }), "ENFILE");
    assert.equal(open, 257);
    client.ask("clunk", { fid: 1 });
    assert.equal(client.refusal("lopen", { fid: open, flags: RDONLY }), "done");
    assert.equal(client.refusal("mkdir", { fid: 0, name: "n".repeat(256), mode: 0o755, gid: 0 }), "ENAMETOOLONG");
    assert.equal(client.ask("version", { size: 1 << 30, version: "9P2000.L" }).size, P9_MESSAGE_MAX);
    assert.equal(server.fids, 0);
    assert.equal(client.ask("version", { size: 8192, version: "9P2000" }).version, "unknown");
    assert.equal(client.refusal("getattr", { fid: 0, mask: 0n }), "EINVAL");
    assert.equal(client.refusal("version", { size: 100, version: "9P2000.L" }), "EINVAL");
  }));

Deno.test("bytes that are not a request get an error or nothing, and never more than there is space for", () =>
  withShare((client, _share, server) => {
    assert.equal(server.serve(new Uint8Array(6), 100), undefined);
    assert.equal(server.serve(Uint8Array.of(100, 0, 0, 0, 24, 0, 0), 100), undefined);
    assert.equal(server.serve(p9Request("clunk", { fid: 0 }), 10), undefined);
    const errno = (bytes: Uint8Array | undefined) => new DataView(bytes!.buffer).getUint32(P9_HEADER_SIZE, true);
    assert.equal(errno(server.serve(writeMessage(250, 1, new Uint8Array(0)), 100)), 95);
    assert.equal(errno(server.serve(writeMessage(24, 1, new Uint8Array(3)), 100)), 22);
    assert.equal(errno(server.serve(writeMessage(110, 1, Uint8Array.of(0, 0, 0, 0, 1, 0, 0, 0, 255, 255)), 100)), 22);
    client.walk(1, "sub", "file");
    client.ask("lopen", { fid: 1, flags: RDONLY });
    assert.equal(server.serve(p9Request("read", { fid: 1, offset: 0n, count: 1 << 30 }), 14)!.length, 14);
    assert.equal(errno(server.serve(p9Request("getattr", { fid: 1, mask: 0n }), 50)), 22);
  }));

Deno.test("a server's state is plain data: another one continues with the same fids and open files", () =>
  withShare((client, share, server) => {
    client.walk(1, "sub", "file");
    client.ask("lopen", { fid: 1, flags: RDWR });
    client.walk(2, "sub");
    client.ask("lopen", { fid: 2, flags: RDONLY });
    client.list(2, 4096);
    const restored = new P9Server(new ComputerFolder(share), false);
    restored.restore(structuredClone(server.save()));
    assert.deepEqual(restored.save(), server.save());
    const other = new P9Client((bytes, room) => restored.serve(bytes, room));
    assert.equal(decode(other.ask("read", { fid: 1, offset: 0n, count: 100 }).bytes), "content");
    other.ask("write", { fid: 1, offset: 0n, bytes: encode("C") });
    assert.deepEqual(other.list(2, 4096), [".", "..", "file"]);
    restored.reset();
  }));

Deno.test("a device's requests are answered between two slices, in order, and those of before a reset never", () =>
  withShare(async (_client, share) => {
    const outside = new Outside();
    const entered: [number, unknown][] = [];
    outside.takeOver((source, data) => entered.push([source, data]));
    const backend = new OutsideShare(outside, new P9Server(new ComputerFolder(share), false));
    const device = new P9Device("tag", backend);
    backend.answer = (ticket, bytes) => device.answer(ticket, bytes);
    const driver = new TestDriver(device);
    driver.initialize();
    const version = p9Request("version", { size: 8192, version: "9P2000.L" });
    driver.offer(0, [{ out: version }, { in: 100 }]);
    driver.offer(0, [{ out: p9Request("attach", { fid: 0, authFid: 0xffff_ffff, user: "", tree: "", uid: 0 }) }, { in: 100 }]);
    assert.deepEqual(driver.used(0), []);
    assert.equal(backend.busy, true);
    assert.equal(outside.busy, true);
    await Promise.resolve();
    assert.equal(entered.length, 2);
    assert.equal(driver.interrupts, 0);

    const state = structuredClone(driver.transport.save());
    const again = new TestDriver(new P9Device("tag", backend));
    again.initialize();
    again.adopt(driver);
    again.transport.restore(state);
    assert.deepEqual((again.device as P9Device).metrics().pending, 2);

    for (const [source, data] of entered.splice(0)) outside.deliver(source, data);
    assert.deepEqual(driver.used(0), [version.length, P9_HEADER_SIZE + 13]);
    assert.equal(driver.interrupts, 1);
    assert.equal(backend.busy, false);

    driver.offer(0, [{ out: p9Request("clunk", { fid: 0 }) }, { in: 100 }]);
    driver.initialize();
    await Promise.resolve();
    for (const [source, data] of entered.splice(0)) outside.deliver(source, data);
    assert.deepEqual(driver.used(0), []);
    assert.deepEqual(driver.faults, []);
  }));

Deno.test("a share that is recorded is replayed without its folder", () =>
  withShare(async (_client, share) => {
    const inputs: unknown[] = [];
    const run = (outside: Outside, server: P9Server | undefined) => {
      const backend = new OutsideShare(outside, server);
      const device = new P9Device("tag", backend);
      backend.answer = (ticket, bytes) => device.answer(ticket, bytes);
      const driver = new TestDriver(device);
      driver.initialize();
      driver.offer(0, [{ out: p9Request("version", { size: 8192, version: "9P2000.L" }) }, { in: 100 }]);
      driver.offer(0, [{ out: p9Request("getattr", { fid: 9, mask: 0n }) }, { in: 200 }]);
      return driver;
    };
    const outside = new Outside();
    outside.takeOver((_source, data) => {
      inputs.push(structuredClone(data));
      outside.deliver(0, data);
    });
    const live = run(outside, new P9Server(new ComputerFolder(share), false));
    await Promise.resolve();
    const replayed = new Outside(true);
    const replay = run(replayed, undefined);
    for (const data of inputs) replayed.deliver(0, data);
    assert.equal(inputs.length, 2);
    assert.deepEqual(replay.memory.bytes, live.memory.bytes);
    assert.deepEqual(replay.used(0), live.used(0));
  }));

Deno.test("a name that is not UTF-8 costs itself alone: its target is refused, listings count it, and that is said once", async () => {
  const said: string[] = [];
  await withShare(
    (client, share, server) => {
      const latin1 = (name: string) => `printf '${name}'`;
      const made = new Deno.Command("sh", {
        args: ["-c", `ln -s "$(${latin1("X\\377Y")})" link; : > "$(${latin1("caf\\351")})"; mkdir "$(${latin1("d\\351")})"`],
        cwd: share,
        clearEnv: true,
      }).outputSync();
      assert.equal(made.success, true, decode(made.stderr));
      client.walk(1);
      client.ask("lopen", { fid: 1, flags: RDONLY });
      assert.deepEqual(client.list(1, 1000).filter((name) => !name.startsWith(".")), ["link", "sub"]);
      client.walk(2, "link");
      assert.equal(client.refusal("readlink", { fid: 2 }), "EILSEQ");
      // The share continues.
      client.walk(3, "sub", "file");
      client.walk(4);
      client.ask("lopen", { fid: 4, flags: RDONLY });
      assert.equal(client.list(4, 1000).length, 4);
      assert.equal(server.counters.hidden_names, 4);
    },
    false,
    (message) => said.push(message),
  );
  assert.deepEqual(said, ['2 names in "/" of the shared folder are hidden from the guest: not UTF-8']);
});

Deno.test("a name of the guest's that is not UTF-8 is refused with EILSEQ, whatever the request", () =>
  withShare((client, _share, server) => {
    for (
      const [name, fields] of [
        ["lcreate", { fid: 0, name: "abcd", flags: RDWR, mode: 0o644, gid: 0 }],
        ["mkdir", { folder: 0, name: "abcd", mode: 0o755, gid: 0 }],
        ["walk", { fid: 0, newFid: 9, names: ["abcd"] }],
        ["unlinkat", { folder: 0, name: "abcd", flags: 0 }],
        ["symlink", { folder: 0, name: "x", target: "abcd", gid: 0 }],
      ] as const
    ) {
      const bytes = p9Request(name, fields as never), at = decode(bytes).indexOf("abcd");
      bytes[at + 1] = 0xe9;
      const answer = server.serve(bytes, 1 << 16)!;
      assert.deepEqual([answer[4], new DataView(answer.buffer).getUint32(7, true)], [7, 84], name);
    }
    client.walk(1, "sub", "file");
  }));

Deno.test("times before 1970 are kept", () =>
  withShare((client, share) => {
    client.walk(1, "sub", "file");
    const [atime, mtime] = [-315_619_200n, -1n].map((seconds) => BigInt.asUintN(64, seconds));
    const valid = 0x20 | 0x10 | 0x80 | 0x100;
    client.ask("setattr", { ...NO_CHANGE, fid: 1, valid, accessSeconds: atime, modifySeconds: mtime });
    const { mtime: modified, atime: accessed } = Deno.statSync(`${share}/sub/file`);
    assert.deepEqual([accessed, modified], [new Date(-315_619_200_000), new Date(-1000)]);
    const { accessSeconds, accessNanoseconds, modifySeconds } = client.ask("getattr", { fid: 1, mask: 0x7ffn });
    assert.deepEqual([accessSeconds, accessNanoseconds, modifySeconds], [atime, 0n, mtime]);
    for (const seconds of [1n << 63n, (1n << 63n) - 1n]) {
      assert.match(client.refusal("setattr", { ...NO_CHANGE, fid: 1, valid, modifySeconds: seconds }), /^(done|EINVAL|EIO)$/);
    }
  }));
