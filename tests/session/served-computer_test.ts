// Services of a thread with rights to a worker without: those that the plan names, and no others,
// whatever the worker asks.

import assert from "node:assert/strict";
import { type Call, Calls, newMailbox, PIECE } from "../../src/session/calls.ts";
import { Grants } from "../../src/session/grants.ts";
import { remoteComputer, remoteFiles } from "../../src/session/remote-computer.ts";
import { RemoteSockets } from "../../src/session/remote-sockets.ts";
import { ServedComputer } from "../../src/session/served-computer.ts";
import type { SocketCommand } from "../../src/session/socket-words.ts";
import type { DevicePlan, SessionPlan } from "../../src/plans/plan.ts";
import { NotOurs } from "../../src/support/own-files.ts";
import { ip } from "../../src/formats/ip-addresses.ts";
import { ShareError } from "../../src/virtio/p9/folder.ts";
import { inFolder } from "../support/temporary-folder.ts";

const NET: DevicePlan = { kind: "net", backend: "user", forward: [], policy: undefined } as DevicePlan;

function planOf(devices: readonly DevicePlan[], rest: Partial<SessionPlan> = {}): SessionPlan {
  const what = { kind: "boot", image: new Uint8Array(), initrd: undefined, dtb: undefined, append: undefined, devices } as const;
  return { cpus: 1, memory: 8 << 20, seed: 1, turbo: true, duration: undefined, hashAt: [], what, ...rest };
}

/** Both ends in one thread: a call is answered before the worker's end waits. */
function rigged(plan: SessionPlan, cache?: string) {
  const folders = { cores: cache && `${cache}/core`, code: cache && `${cache}/code` };
  const grants = new Grants(folders), mailbox = newMailbox();
  grants.request({ kind: "start", plan });
  const served = new ServedComputer(grants, mailbox, (event) => sockets.take(event));
  const port = { postMessage: (message: Call | SocketCommand) => served.take(message) } as unknown as MessagePort;
  const calls = new Calls(port, mailbox);
  const sockets: RemoteSockets = new RemoteSockets((command) => served.take(command), () => calls.call(0, "nameServer") as number);
  const none = {
    read: () => {
      throw new Deno.errors.NotCapable("no right");
    },
  };
  return { grants, served, calls, files: remoteFiles(calls, none), computer: remoteComputer(calls, sockets), sockets };
}

const refused = (work: () => unknown) => assert.throws(work, Deno.errors.NotCapable);

Deno.test("files that neither plan nor request names are neither written nor read", async () => {
  await inFolder((folder) => {
    const [record, log, saved, secret] = ["a.rec", "a.log", "a.snap", "secret"].map((name) => `${folder}/${name}`);
    Deno.writeTextFileSync(secret, "secret");
    const { grants, files, computer, calls, served } = rigged(
      planOf([], { record: { path: record, header: "" }, logs: { host: log }, from: { path: saved, spare: false } }),
    );
    for (const path of [secret, `${folder}/x`, "/etc/passwd", log, `${record}/../secret`]) {
      refused(() => files.whole(path));
      refused(() => files.emptied(path));
      refused(() => files.read(path));
      refused(() => files.exists(path));
      refused(() => computer.disk(path, true));
      refused(() => computer.folder(path));
      if (path !== log) refused(() => computer.log(path));
    }
    refused(() => files.whole(saved));
    grants.request({ kind: "snapshot", id: 1, path: saved, title: "" });
    const large = crypto.getRandomValues(new Uint8Array(65536)), count = 2 * PIECE / large.length + 1;
    {
      using file = files.whole(saved);
      const all = new Uint8Array(count * large.length);
      for (let at = 0; at < count; at++) all.set(large, at * large.length);
      file.write(all);
      file.commit();
    }
    const back = files.read(saved);
    assert.equal(back.length, count * large.length);
    assert.deepEqual(back.subarray(-large.length), large);
    assert.equal(Deno.statSync(saved).mode! & 0o777, 0o600);
    const growing = files.emptied(record);
    assert.equal(growing.writeSync(Uint8Array.of(1, 2)), 2);
    growing.close();
    assert.deepEqual(Deno.readFileSync(record), Uint8Array.of(1, 2));
    const logged = computer.log(log);
    logged.write(Uint8Array.of(3));
    assert.equal(logged.failed, undefined);
    // A file that is not completed leaves nothing when the machine is over, and no method of one
    // that was closed can be called.
    files.whole(saved).write(large);
    served.close();
    assert.deepEqual([...Deno.readDirSync(folder)].map(({ name }) => name).sort(), ["a.log", "a.rec", "a.snap", "secret"]);
    for (const method of ["constructor", "__proto__", "toString", "whole"]) assert.throws(() => calls.call(0, method), TypeError);
    assert.equal(Deno.readTextFileSync(secret), "secret");
  });
});

Deno.test("the cache takes cores by their names, and files of recordings by their digests", async () => {
  await inFolder((folder) => {
    const { files } = rigged(planOf([]), folder);
    const name = "0".repeat(64);
    for (const path of [`${folder}/core/${name}.core`, `${folder}/code/${name}.code`]) {
      using file = files.whole(path, { durable: false, newest: 16 });
      file.write(Uint8Array.of(1));
      file.commit();
      assert.deepEqual(Deno.readFileSync(path), Uint8Array.of(1));
    }
    Deno.chmodSync(`${folder}/core`, 0o777);
    assert.throws(() => files.whole(`${folder}/core/${name}.core`, { newest: 16 }), NotOurs);
    for (
      const other of [`core/${name}`, `core/../${name}.core`, `core/x/${name}.core`, `${name}.core`, "core/a.core", `code/${name}.core`]
    ) {
      refused(() => files.whole(`${folder}/${other}`));
    }
    refused(() => files.store("0".repeat(64), Uint8Array.of(1)));
    refused(() => files.store("../x", Uint8Array.of(1)));
  });
});

Deno.test("a folder that a client names loses no files and gets no folders: only the cache is tidied", async () => {
  await inFolder((folder) => {
    const instant = `${folder}/instant/first.snapshot`, saved = `${folder}/own/a.snap`;
    const { grants, files } = rigged(planOf([], { instant }), `${folder}/cache`);
    Deno.mkdirSync(`${folder}/own`);
    Deno.writeTextFileSync(`${folder}/own/letter`, "dear");
    for (const path of [saved, `${folder}/new/b.snap`]) {
      grants.request({ kind: "snapshot", id: 1, path, title: "" });
      refused(() => files.whole(path, { newest: 0 }));
    }
    assert.deepEqual([...Deno.readDirSync(folder)].map(({ name }) => name), ["own"]);
    assert.deepEqual([...Deno.readDirSync(`${folder}/own`)].map(({ name }) => name), ["letter"]);
    using file = files.whole(instant, { newest: 8 });
    file.write(Uint8Array.of(1));
    file.commit();
    assert.deepEqual(Deno.readFileSync(instant), Uint8Array.of(1));
  });
});

Deno.test("a file that cannot be completed leaves nothing", async () => {
  await inFolder((folder) => {
    const saved = `${folder}/a.snap`, { grants, files } = rigged(planOf([]));
    grants.request({ kind: "snapshot", id: 1, path: saved, title: "" });
    const { syncSync } = Deno.FsFile.prototype;
    Deno.FsFile.prototype.syncSync = () => {
      throw new Error("no space left on the disk");
    };
    try {
      assert.throws(() => {
        using file = files.whole(saved);
        file.write(Uint8Array.of(1));
        file.commit();
      }, /no space left/);
    } finally {
      Deno.FsFile.prototype.syncSync = syncSync;
    }
    assert.deepEqual([...Deno.readDirSync(folder)], []);
  });
});

Deno.test("a disk is opened as the plan has it, and used within its size", async () => {
  await inFolder((folder) => {
    const image = `${folder}/disk`, other = `${folder}/base`;
    Deno.writeFileSync(image, new Uint8Array(4096));
    Deno.writeFileSync(other, new Uint8Array(4096).fill(7));
    const { computer, calls, served } = rigged(planOf([
      { kind: "block", image, mode: "rw" },
      { kind: "block", image: other, mode: "overlay" },
    ]));
    const disk = computer.disk(image, false), base = computer.disk(other, true);
    refused(() => computer.disk(other, false));
    const bytes = new Uint8Array(512);
    disk.write(512, new Uint8Array(512).fill(9));
    disk.flush();
    disk.read(512, bytes);
    assert.deepEqual(bytes, new Uint8Array(512).fill(9));
    disk.zero(512, 512);
    base.read(3584, bytes);
    assert.deepEqual([...new Set(bytes)], [7]);
    // Another session, or this one again, is refused with the reason.
    assert.throws(() => computer.disk(image, false), /another session uses disk/);
    for (const [offset, size] of [[4096, 1], [-1, 1], [NaN, 1], [4000, 512]]) {
      assert.throws(() => calls.call(1, "read", offset, size), RangeError);
      assert.throws(() => calls.call(1, "write", offset, new Uint8Array(size)), RangeError);
    }
    assert.equal(Deno.statSync(image).size, 4096);
    assert.deepEqual(Deno.readFileSync(image), new Uint8Array(4096));
    served.close();
    // Open files were given back.
    const again = rigged(planOf([{ kind: "block", image, mode: "rw" }]));
    again.computer.disk(image, false).close();
  });
});

Deno.test("a shared folder gives what is in it, and changes only where the plan lets it", async () => {
  await inFolder((folder) => {
    for (const name of ["ro", "rw"]) {
      Deno.mkdirSync(`${folder}/${name}`);
      Deno.writeTextFileSync(`${folder}/${name}/file`, "text");
    }
    const { computer } = rigged(planOf([
      { kind: "9p", folder: `${folder}/ro`, mode: "ro", tag: "ro" } as DevicePlan,
      { kind: "9p", folder: `${folder}/rw`, mode: "rw", tag: "rw" } as DevicePlan,
    ]));
    const errno = (work: () => unknown) => {
      try {
        work();
      } catch (error) {
        assert.ok(error instanceof ShareError, String(error));
        return error.errno;
      }
    };
    for (const share of ["ro", "rw"]) {
      const shared = computer.folder(`${folder}/${share}`), into = new Uint8Array(10);
      assert.deepEqual(shared.list([]), ["file"]);
      assert.equal(shared.status(["file"]).size, 4n);
      const file = shared.open(["file"], { read: true, write: false, truncate: false });
      assert.equal(file.read(0, into), 4);
      assert.equal(new TextDecoder().decode(into.subarray(0, 4)), "text");
      file.close();
      assert.equal(errno(() => shared.status(["none"])), "ENOENT");
      for (const path of [[".."], ["a/b"], [""], ["."], ["a\0"]]) {
        assert.equal(errno(() => shared.status(path)), "EINVAL");
        assert.equal(errno(() => shared.open(path, { read: true, write: false, truncate: false })), "EINVAL");
      }
      const changes: (() => unknown)[] = [
        () => shared.open(["file"], { read: true, write: true, truncate: false }).write(0, Uint8Array.of(65)),
        () => shared.create(["new"], 0o644).close(),
        () => shared.makeFolder(["folder"], 0o755),
        () => shared.makeSymlink(["link"], "/etc"),
        () => shared.makeLink(["hard"], ["file"]),
        () => shared.rename(["new"], ["newer"]),
        () => shared.change(["file"], { permissions: 0o600 }),
        () => shared.removeFile(["newer"]),
        () => shared.removeFolder(["folder"]),
      ];
      for (const change of changes) assert.equal(errno(change), share === "ro" ? "EROFS" : undefined);
    }
    assert.deepEqual([...Deno.readDirSync(`${folder}/ro`)].map(({ name }) => name), ["file"]);
    assert.deepEqual([...Deno.readDirSync(`${folder}/rw`)].map(({ name }) => name).sort(), ["file", "hard", "link"]);
    assert.equal(Deno.readTextFileSync(`${folder}/rw/file`), "Aext");
  });
});

Deno.test("sockets lead where the policy of a card allows, through ports and paths of the plan", async () => {
  await inFolder(async (folder) => {
    const { grants } = rigged(planOf([]));
    const resolver = ip("192.168.1.1");
    assert.equal(grants.mayReach(ip("93.184.216.34"), 80, resolver), undefined);
    const forward = [{ protocol: "tcp", host: 8022, guest: 22 }] as const;
    const path = `${folder}/v.sock`;
    const networked = rigged(planOf([{ ...NET, forward } as DevicePlan, { kind: "vsock", cid: 3, path } as DevicePlan])).grants;
    assert.deepEqual(networked.mayReach(ip("93.184.216.34"), 80, resolver), { own: false });
    for (const address of ["127.0.0.1", "10.0.0.1", "169.254.169.254", "0.0.0.0", "192.168.1.1"]) {
      assert.equal(networked.mayReach(ip(address), 80, resolver), undefined, address);
    }
    assert.deepEqual(networked.mayReach(resolver, 53, resolver), { own: true });
    assert.deepEqual(
      [networked.mayListen("tcp", 8022), networked.mayListen("udp", 8022), networked.mayListen("tcp", 22)],
      [true, false, false],
    );
    assert.deepEqual(["", "_80", "_x", "_80/../x"].map((end) => networked.mayConnect(path + end)), [false, true, false, false]);
    assert.deepEqual([networked.mayListenAt(path), networked.mayListenAt(`${path}_80`)], [true, false]);

    await using server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, () => new Response("reached"));
    const { port } = server.addr as Deno.NetAddr;
    const fetched = (policy: Record<string, unknown>) => {
      const { computer, served } = rigged(
        planOf([{ ...NET, policy: { host: false, lan: false, internet: true, allow: [], deny: [], ...policy } } as DevicePlan]),
      );
      const { promise, resolve } = Promise.withResolvers<string>();
      let text = "";
      const stream = computer.sockets().connect(ip("127.0.0.1"), port, true, {
        connected: () => stream.write(new TextEncoder().encode("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")),
        data: (bytes) => void (text += new TextDecoder().decode(bytes)),
        ended: () => stream.end(),
        full: () => {},
        drained: () => {},
        closed: (problem) => resolve(problem ?? text),
      });
      return promise.finally(() => served.close());
    };
    assert.match(await fetched({ host: true }), /reached$/);
    // The worker says that the address may be this computer's, which changes nothing.
    assert.match(await fetched({}), /not allowed/);
  });
});
