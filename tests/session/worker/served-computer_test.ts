// Services of a thread with rights to a worker without: those that the plan names, and no others,
// whatever the worker asks.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { createSocket } from "node:dgram";
import { type Call, Calls, newMailbox, PIECE } from "../../../src/session/worker/calls.ts";
import { Grants } from "../../../src/session/worker/grants.ts";
import { REQUESTS_MAX } from "../../../src/session/worker/latest-requests.ts";
import { OwnDisks } from "../../../src/session/worker/own-disks.ts";
import { remoteComputer, remoteFiles } from "../../../src/session/worker/remote-computer.ts";
import { RemoteSockets } from "../../../src/session/worker/remote-sockets.ts";
import { ServedComputer } from "../../../src/session/worker/served-computer.ts";
import type { SocketCommand } from "../../../src/session/worker/socket-words.ts";
import type { DevicePlan, SessionPlan } from "../../../src/model/plans/plan.ts";
import { statesFile } from "../../../src/kit/support/files/folder-names.ts";
import { NotOurs } from "../../../src/kit/support/files/own-files.ts";
import { type Address, ip, ip6 } from "../../../src/kit/formats/ip-addresses.ts";
import { ShareError } from "../../../src/machine/virtio/p9/folder.ts";
import { inFolder } from "../../support/temporary-folder.ts";

const NET: DevicePlan = { kind: "net", backend: "user", forward: [], policy: undefined } as DevicePlan;

function planOf(devices: readonly DevicePlan[], rest: Partial<SessionPlan> = {}): SessionPlan {
  const what = { kind: "boot", image: new Uint8Array(), initrd: undefined, dtb: undefined, append: undefined, devices } as const;
  return { cpus: 1, memory: 8 << 20, seed: 1, turbo: true, what, ...rest };
}

/** Both ends in one thread: a call is answered before the worker's end waits. */
function rigged(plan: SessionPlan, cache?: string) {
  const folders = { cores: cache && `${cache}/core`, code: cache && `${cache}/code`, states: cache && `${cache}/states` };
  const grants = new Grants(folders), mailbox = newMailbox();
  grants.request({ kind: "start", plan });
  const served = new ServedComputer(grants, mailbox, (event) => sockets.receive(event));
  const port = { postMessage: (message: Call | SocketCommand) => served.receive(message) } as unknown as MessagePort;
  const calls = new Calls(port, mailbox);
  const sockets: RemoteSockets = new RemoteSockets((command) => served.receive(command), () => calls.call(0, "nameServer") as number);
  return { grants, served, calls, files: remoteFiles(calls), computer: remoteComputer(calls, sockets, new OwnDisks()), sockets };
}

const refused = (work: () => unknown) => assert.throws(work, Deno.errors.NotCapable);

Deno.test("files that neither plan nor request names are neither written nor read", async () => {
  await inFolder((folder) => {
    const [record, log, saved, secret] = ["a.rec", "a.log", "a.snap", "secret"].map((name) => `${folder}/${name}`);
    Deno.writeTextFileSync(secret, "secret");
    const { grants, files, computer, calls, served } = rigged(
      planOf([], { record: { path: record, header: "" }, logs: { host: log } }),
    );
    for (const path of [secret, `${folder}/x`, "/etc/passwd", log, `${record}/../secret`]) {
      refused(() => files.whole(path));
      refused(() => files.begun(path, new Uint8Array()));
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
    const back = Deno.readFileSync(saved);
    assert.equal(back.length, count * large.length);
    assert.deepEqual(back.subarray(-large.length), large);
    assert.equal(Deno.statSync(saved).mode! & 0o777, 0o600);
    const growing = files.begun(record, new Uint8Array());
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
    for (const method of ["constructor", "__proto__", "toString", "whole", "read", "exists"]) {
      assert.throws(() => calls.call(0, method), TypeError);
    }
    assert.equal(Deno.readTextFileSync(secret), "secret");
  });
});

Deno.test("the cache takes cores by their names, and files of recordings by their digests", async () => {
  await inFolder((folder) => {
    const { files } = rigged(planOf([]), folder);
    const name = `${"0".repeat(64)}-15.0.245.2-rusty-x86_64-unknown-linux-gnu`;
    for (const other of ["a.core", `a-${name}.core`, `${name}.code`, `${name}/a.core`]) {
      refused(() => files.whole(`${folder}/core/${other}`, { durable: false, newest: 16 }));
    }
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

Deno.test("a file that a request names may be written until the request is done", async () => {
  await inFolder((folder) => {
    const { grants, files } = rigged(planOf([]));
    const path = `${folder}/a.snap`;
    const save = () => {
      using file = files.whole(path);
      file.write(Uint8Array.of(1));
      file.commit();
    };
    grants.request({ kind: "snapshot", id: 1, path, title: "" });
    grants.request({ kind: "save-recording", id: 2, path });
    save();
    grants.release(1);
    save();
    grants.release(2);
    refused(save);
  });
});

Deno.test("a recording with images may write these beside it, and no other files", async () => {
  await inFolder((folder) => {
    const { grants, files } = rigged(planOf([])), path = `${folder}/a.rec`;
    const save = (name: string) => {
      using file = files.whole(name);
      file.write(Uint8Array.of(1));
      file.commit();
    };
    grants.request({ kind: "save-recording", id: 1, path });
    refused(() => save(`${path}.0.qcow2`));
    grants.request({ kind: "save-recording", id: 1, path, images: true });
    save(path);
    save(`${path}.0.qcow2`);
    for (const name of [`${path}.x.qcow2`, `${path}.0.qcow2.1`, `${path}/../b.0.qcow2`, `${folder}/b.rec.0.qcow2`]) {
      refused(() => save(name));
    }
    Deno.symlinkSync(`${folder}/elsewhere`, `${path}.1.qcow2`);
    refused(() => save(`${path}.1.qcow2`));
    grants.release(1);
    refused(() => save(`${path}.0.qcow2`));
  });
});

Deno.test("10,000 requests leave no paths behind; of those that are never answered the latest stay", async () => {
  await inFolder((folder) => {
    const { grants, files } = rigged(planOf([]));
    const request = (id: number) => grants.request({ kind: "snapshot", id, path: `${folder}/${id}`, title: "" });
    for (let id = 0; id < 10_000; id++) {
      request(id);
      if (id >= 10) grants.release(id - 10);
      assert.ok(grants.requested <= 11);
    }
    for (let id = 9_990; id < 10_000; id++) grants.release(id);
    assert.equal(grants.requested, 0);
    refused(() => files.whole(`${folder}/9999`));
    for (let id = 0; id < 10_000; id++) request(id);
    assert.equal(grants.requested, REQUESTS_MAX);
    refused(() => files.whole(`${folder}/${9_999 - REQUESTS_MAX}`));
    using file = files.whole(`${folder}/${10_000 - REQUESTS_MAX}`);
    file.write(Uint8Array.of(1));
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

Deno.test("the worker of a replay keeps states of its own recording, and of no other", async () => {
  await inFolder((folder) => {
    const [path, other] = ["a", "b"].map((digit) => `${folder}/cache/states/${digit.repeat(64)}.states`);
    const replay = { recording: { inputs: [], checks: [], end: undefined }, verify: false, to: undefined, states: { path, begins: false } };
    const { files } = rigged(planOf([], { replay }), `${folder}/cache`);
    refused(() => files.whole(other, { newest: 4 }));
    refused(() => files.whole(path));
    using file = files.whole(path, { newest: 4 });
    file.write(Uint8Array.of(1));
    file.commit();
    assert.deepEqual(Deno.readFileSync(path), Uint8Array.of(1));
  });
});

Deno.test("the worker of a session that is recorded keeps states of the recording that it has written, and of no other", async () => {
  await inFolder((folder) => {
    const path = `${folder}/a.rec`, prefix = `${folder}/cache/states/p-`, content = Uint8Array.of(1, 2, 3);
    const states = (bytes: Uint8Array) => statesFile(prefix, createHash("sha256").update(bytes).digest("hex"));
    const { files } = rigged(planOf([], { record: { path, header: "", states: prefix } }), `${folder}/cache`);
    const growing = files.begun(path, new Uint8Array());
    growing.writeSync(content.subarray(0, 1));
    growing.writeSync(content.subarray(1));
    refused(() => files.whole(states(content), { newest: 4 }));
    growing.close();
    for (const other of [content.subarray(0, 1), new Uint8Array(0)]) refused(() => files.whole(states(other), { newest: 4 }));
    refused(() => files.whole(states(content)));
    using file = files.whole(states(content), { newest: 4 });
    file.write(Uint8Array.of(1));
    file.commit();
    assert.deepEqual(Deno.readFileSync(states(content)), Uint8Array.of(1));
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

Deno.test("a folder that another session's guests may write is not shared, and one that they read is, but not to write", async () => {
  await inFolder((folder) => {
    const share = (name: string, mode: "ro" | "rw") => {
      const path = `${folder}/${name}`;
      return rigged(planOf([{ kind: "9p", folder: path, mode, tag: "a" } as DevicePlan])).computer.folder(path);
    };
    for (const [name, written] of [["written", true], ["read", false]] as const) {
      Deno.mkdirSync(`${folder}/${name}`);
      // The other session's lock; it lasts as long as the test.
      assert.ok(Deno.openSync(`${folder}/${name}`).tryLockSync(written));
    }
    assert.throws(() => share("written", "ro"), Deno.errors.Busy);
    assert.deepEqual(share("read", "ro").list([]).names, []);
    assert.throws(() => share("read", "rw"), Deno.errors.Busy);
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
      assert.deepEqual(shared.list([]).names, ["file"]);
      assert.equal(shared.status(["file"]).size, 4n);
      const file = shared.open(["file"], { read: true, write: false, truncate: false });
      assert.equal(file.read(0, into), 4);
      assert.equal(new TextDecoder().decode(into.subarray(0, 4)), "text");
      file.close();
      assert.equal(errno(() => shared.status(["none"])), "ENOENT");
      for (const path of [[".."], ["a/b"], [""], ["."], ["a\0"]]) {
        assert.equal(errno(() => shared.status(path)), "EINVAL");
        assert.equal(errno(() => shared.look([], path)), "EINVAL");
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

Deno.test("an answer that is larger than the shared memory arrives whole", async () => {
  await inFolder((folder) => {
    const { computer } = rigged(planOf([{ kind: "9p", folder, tag: "t", mode: "ro" } as DevicePlan]));
    const names = Array.from({ length: 5000 }, (_, number) => `${number}`.padStart(240, "x"));
    assert.ok(names.join("").length > PIECE);
    for (const name of names) Deno.writeFileSync(`${folder}/${name}`, new Uint8Array());
    assert.deepEqual(computer.folder(folder).list([]), { names: names.sort(), hidden: 0 });
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

Deno.test("names in a shared folder are texts, whatever else becomes one", async () => {
  await inFolder((folder) => {
    Deno.mkdirSync(`${folder}/share`);
    Deno.writeTextFileSync(`${folder}/secret`, "secret");
    const { calls } = rigged(planOf([{ kind: "9p", folder: `${folder}/share`, mode: "rw", tag: "rw" } as DevicePlan]));
    const share = calls.call(0, "folder", `${folder}/share`) as number;
    // A message keeps texts that are objects.
    for (const path of [[["../secret"]], [new String(".."), "secret"], [["..", "secret"]], ["..", "secret"], "..", new Set(["secret"])]) {
      for (const [method, ...rest] of [["status"], ["open", { read: true, write: true, truncate: true }], ["removeFile"]] as const) {
        assert.throws(() => calls.call(share, method, path, ...rest), ShareError, `${method} ${JSON.stringify(path)}`);
      }
      assert.throws(() => calls.call(share, "rename", path, ["stolen"]), ShareError);
      assert.throws(() => calls.call(share, "makeLink", ["stolen"], path), ShareError);
    }
    assert.equal(Deno.readTextFileSync(`${folder}/secret`), "secret");
    assert.deepEqual([...Deno.readDirSync(`${folder}/share`)], []);
  });
});

Deno.test("a link that a guest makes instead of a file or socket of the plan leads nowhere", async () => {
  await inFolder((folder) => {
    const share = `${folder}/share`, secret = `${folder}/secret`;
    Deno.mkdirSync(share);
    Deno.writeFileSync(secret, new Uint8Array(4096).fill(7));
    const [record, log, saved, socket] = ["a.rec", "a.log", "a.snap", "v.sock"].map((name) => `${share}/${name}`);
    const plan = planOf([
      { kind: "9p", folder: share, mode: "rw", tag: "rw" } as DevicePlan,
      { kind: "vsock", cid: 3, path: socket } as DevicePlan,
    ], { record: { path: record, header: "" }, logs: { host: log } });
    const { grants, computer, files } = rigged(plan);
    grants.request({ kind: "snapshot", id: 1, path: saved, title: "" });
    assert.deepEqual([grants.mayConnect(`${socket}_80`), grants.mayListenAt(socket)], [true, true]);
    const shared = computer.folder(share);
    for (const name of ["a.rec", "a.log", "a.snap", "v.sock_80"]) shared.makeSymlink([name], secret);
    for (const work of [() => files.begun(record, new Uint8Array()), () => computer.log(log), () => files.whole(saved)]) refused(work);
    assert.equal(grants.mayConnect(`${socket}_80`), false);
    // Nor does a link to a file that is not there yet, which opening it would make.
    shared.removeFile(["a.log"]);
    shared.makeSymlink(["a.log"], `${folder}/new`);
    refused(() => computer.log(log));
    assert.deepEqual([...Deno.readDirSync(folder)].map(({ name }) => name).sort(), ["secret", "share"]);
    assert.deepEqual(Deno.readFileSync(secret), new Uint8Array(4096).fill(7));
    // A link of the user leads where it did.
    Deno.writeTextFileSync(`${folder}/later.log`, "");
    Deno.symlinkSync(`${folder}/later.log`, `${folder}/own.log`);
    const linked = rigged(planOf([], { logs: { host: `${folder}/own.log` } })).computer.log(`${folder}/own.log`);
    linked.write(Uint8Array.of(1));
    linked.close();
    assert.deepEqual(Deno.readFileSync(`${folder}/later.log`), Uint8Array.of(1));
  });
});

Deno.test("addresses and ports have one form, so that no rule is passed by in another", () => {
  const resolver = ip("192.168.1.1");
  const rule = { network: ip6("2001:db8::"), bits: 32, port: 22 };
  const policy = { host: false, lan: false, internet: true, allow: [], deny: [rule] };
  const { grants } = rigged(planOf([{ ...NET, policy } as DevicePlan]));
  const address = ip6("2001:db8::1");
  const reach = (address: unknown, port: unknown) => grants.mayReach(address as Address, port as number, resolver);
  assert.deepEqual([reach(address, 80), reach(ip("1.1.1.1"), 22)], [{ own: false }, { own: false }]);
  const ports = [22, "22", 22.5, 65558, 0, -1, NaN, [80], undefined];
  assert.deepEqual(ports.filter((port) => reach(address, port)), []);
  const addresses = [address.toUpperCase(), address.slice(1), `${address}0`, "20010xdb".padEnd(32, "0"), "2000".padEnd(32, " ")];
  assert.deepEqual([...addresses, 1.5, -1, 2 ** 32 + ip("127.0.0.1"), [address]].filter((address) => reach(address, 80)), []);
});

Deno.test("a forwarded port of UDP answers the peers that have asked, and begins nothing", async () => {
  /** A socket of the computer, the first byte of each datagram that came, and the first itself. */
  const opened = async () => {
    const socket = createSocket("udp4"), got: number[] = [], first = Promise.withResolvers<void>();
    socket.on("message", ([byte]: Uint8Array) => {
      got.push(byte);
      first.resolve();
    });
    await new Promise<void>((resolve) => socket.bind(0, "127.0.0.1", resolve));
    return { socket, got, first: first.promise, port: socket.address().port };
  };
  const [{ socket: free, port: host }, asker, victim] = [await opened(), await opened(), await opened()];
  await new Promise<void>((resolve) => free.close(resolve));
  const forward = [{ protocol: "udp", host, guest: 53 }] as const;
  const { computer, served } = rigged(planOf([{ ...NET, forward } as DevicePlan]));
  const begun = Promise.withResolvers<void>();
  try {
    const port = computer.sockets().datagramPort(host, (peer) => {
      port.send({ address: ip("127.0.0.1"), port: victim.port }, Uint8Array.of(1));
      port.send(peer, Uint8Array.of(2));
    }, (problem) => begun.reject(new Error(problem)));
    const timer = setInterval(() => asker.socket.send(Uint8Array.of(0), host, "127.0.0.1"), 20);
    await Promise.race([asker.first, begun.promise]).finally(() => clearInterval(timer));
    // It comes after all that was sent to the same socket before.
    asker.socket.send(Uint8Array.of(3), victim.port, "127.0.0.1");
    await victim.first;
    assert.deepEqual([asker.got[0], victim.got], [2, [3]]);
  } finally {
    served.close();
    asker.socket.close();
    victim.socket.close();
  }
});

Deno.test("a pipe where a client has a file saved is refused: without a reader, opening it would stop the session", async () => {
  await inFolder((folder) => {
    const pipe = `${folder}/a.snap`, link = `${folder}/b.snap`;
    assert.ok(new Deno.Command("mkfifo", { args: [pipe] }).outputSync().success);
    Deno.symlinkSync(pipe, link);
    // Someone holds both ends, so that without the check this test fails and does not hang.
    using _held = Deno.openSync(pipe, { read: true, write: true });
    for (const path of [pipe, link]) {
      const { grants, files } = rigged(planOf([]));
      grants.request({ kind: "snapshot", id: 1, path, title: "" });
      assert.throws(() => files.whole(path), /is not a regular file; name another file$/);
      grants.request({ kind: "save-recording", id: 1, path });
      assert.throws(() => files.whole(path), /is not a regular file/);
    }
  });
});

Deno.test("what the user consented to is used at its place, and not where a link leads that was put there since", async () => {
  await inFolder((top) => {
    const folder = Deno.realPathSync(top), path = (name: string) => `${folder}/${name}`, target = path("target");
    for (const name of ["log", "capture", "disk"]) Deno.writeTextFileSync(path(name), name);
    Deno.mkdirSync(path("share"));
    Deno.symlinkSync(path("log"), path("linked.log"));
    const places = {
      ...Object.fromEntries(["log", "capture", "disk", "share"].map((name) => [path(name), path(name)])),
      [path("linked.log")]: path("log"),
    };
    const devices: DevicePlan[] = [
      { kind: "net", backend: "none", forward: [], capture: path("capture") },
      { kind: "9p", folder: path("share"), mode: "rw", tag: "t" },
      { kind: "block", image: path("disk"), mode: "rw" },
    ];
    const plan = planOf(devices, { logs: { a: path("log"), b: path("linked.log") }, places });
    const opened = () => {
      const { computer, files, served } = rigged(plan), disks = new OwnDisks();
      disks.openAll(plan);
      const works = [
        () => computer.log(path("log")).failed,
        () => computer.log(path("linked.log")).failed,
        () => void files.begun(path("capture"), new Uint8Array()),
        () => void computer.folder(path("share")),
        () => void disks.open(path("disk"), false).close(),
      ];
      const results = works.map((work) => {
        try {
          return work();
        } catch (error) {
          return error instanceof Error ? error.message : "?";
        }
      });
      served.close();
      return results;
    };
    assert.deepEqual(opened(), works(5, undefined));
    Deno.writeTextFileSync(target, "mine");
    for (const name of ["log", "capture", "disk", "share"]) {
      Deno.removeSync(path(name));
      Deno.symlinkSync(name === "share" ? folder : target, path(name));
    }
    for (const result of opened()) assert.match(String(result), /leads elsewhere since/);
    assert.equal(Deno.readTextFileSync(target), "mine");
  });
});

const works = <T>(count: number, value: T): T[] => Array.from({ length: count }, () => value);
