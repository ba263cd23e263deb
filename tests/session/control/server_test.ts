import assert from "node:assert/strict";
import type { SessionClient } from "../../../src/session/worker/client.ts";
import { connectSession, NoSession, sessionInfo } from "../../../src/session/control/remote.ts";
import { SessionHub } from "../../../src/session/control/hub.ts";
import { PROTOCOL_VERSION } from "../../../src/session/control/conversation.ts";
import { removeAbandoned } from "../../../src/session/control/ownership.ts";
import { encodeMessage } from "../../../src/session/control/wire.ts";
import { besideSocket } from "../../../src/session/control/places.ts";
import { SessionServer, SocketInUse } from "../../../src/session/control/server.ts";
import { openOwn, takeLock } from "../../../src/kit/support/files/own-files.ts";
import { MiB } from "../../../src/kit/support/values/sizes.ts";
import { PATIENCE } from "../../support/patience.ts";

const MACHINE: SessionClient = { send() {}, onEvent() {}, close() {} };

/** The path of a socket in a folder of our own, which is removed at the end. */
class Place {
  readonly folder = Deno.makeTempDirSync({ prefix: "el2-test-" });
  readonly socket = `${this.folder}/same.sock`;

  constructor() {
    Deno.chmodSync(this.folder, 0o700);
  }
  hub(): SessionHub {
    return new SessionHub(MACHINE, { name: "same", what: "test", started: "", logs: undefined }, MiB);
  }
  [Symbol.dispose](): void {
    Deno.removeSync(this.folder, { recursive: true });
  }
}

Deno.test("a second process does not wait for the name's owner to end and then take its place", async () => {
  using place = new Place();
  const owner = takeLock(besideSocket(place.socket).lock);
  assert.ok(owner);
  const second = SessionServer.listen(place.hub(), place.socket);
  // The owner ends just after the second has looked, as `el2 down` may make it.
  owner.close();
  await assert.rejects(second, SocketInUse);
});

Deno.test("a session that ends leaves no file, and a lock whose file is gone is taken anew", async () => {
  using place = new Place();
  const files = () => [...Deno.readDirSync(place.folder)].map(({ name }) => name);
  (await SessionServer.listen(place.hub(), place.socket)).close();
  assert.deepEqual(files(), []);
  const { lock } = besideSocket(place.socket);
  const before = takeLock(lock)!;
  Deno.removeSync(lock);
  const after = takeLock(lock);
  assert.ok(after, "the name is free");
  assert.equal(takeLock(lock), undefined);
  assert.notEqual(before.statSync().ino, after.statSync().ino);
  before.close();
  after.close();
});

Deno.test("who only looks whether a session lives does not keep one from starting", async () => {
  using place = new Place();
  const looking = openOwn(besideSocket(place.socket).lock);
  assert.ok(looking.tryLockSync(false));
  const starting = SessionServer.listen(place.hub(), place.socket);
  looking.close();
  (await starting).close();
});

Deno.test("an abandoned socket is removed under the lock of its name; the one of a session that begins meanwhile stays", async () => {
  using place = new Place();
  await Deno.writeTextFile(place.socket, "abandoned");
  const looking = openOwn(besideSocket(place.socket).lock);
  assert.ok(looking.tryLockSync(false));
  const removing = removeAbandoned(place.socket);
  looking.close();
  const server = await SessionServer.listen(place.hub(), place.socket);
  assert.deepEqual(await removing, { pid: String(Deno.pid) });
  await answersStill(place.socket);
  server.close();
  await Deno.writeTextFile(place.socket, "abandoned");
  assert.equal(await removeAbandoned(place.socket), undefined);
  assert.throws(() => Deno.lstatSync(place.socket), Deno.errors.NotFound);
});

Deno.test("a server that has closed does not take away the socket of the next one", async () => {
  using place = new Place();
  (await SessionServer.listen(place.hub(), place.socket)).close();
  const next = await SessionServer.listen(place.hub(), place.socket);
  // Deno frees what was closed later.
  await new Promise((resolve) => setTimeout(resolve, 50));
  await answersStill(place.socket);
  next.close();
});

Deno.test("D13: a session that dies while it is asked who it is, is none", async () => {
  using place = new Place();
  using listener = Deno.listen({ transport: "unix", path: place.socket });
  Deno.chmodSync(place.socket, 0o600);
  for (const greeted of [false, true]) {
    const dying = listener.accept().then(async (connection) => {
      if (greeted) await connection.read(new Uint8Array(1));
      connection.close();
    });
    await assert.rejects(sessionInfo(place.socket), NoSession);
    await dying;
  }
});

Deno.test("a client that is behind gets the newest picture once it has caught up", async () => {
  using place = new Place();
  const machine: SessionClient = { send() {}, onEvent() {}, close() {} };
  const hub = new SessionHub(machine, { name: "same", what: "test", started: "", logs: undefined }, MiB);
  const server = await SessionServer.listen(hub, place.socket);
  const client = await connectSession(place.socket, { readOnly: false, follow: true });
  const times: number[] = [];
  const { promise, resolve } = Promise.withResolvers<void>();
  client.onEvent = (event) => {
    if (event.kind !== "sample") return;
    times.push(event.sample.time);
    if (event.sample.time === 3) resolve();
  };
  const event = { time: 0, pcpu: undefined, kind: "log", vcpu: "vm:host", text: "x".repeat(1000), refused: false } as const;
  machine.onEvent({ kind: "events", events: Array.from({ length: 2000 }, () => event), dropped: 0 });
  for (const time of [1, 2, 3]) {
    machine.onEvent({
      kind: "sample",
      sample: { time, instructions: 0, reasons: 0, mips: 0, physicalCpus: 1, translator: undefined, vms: [] },
    });
  }
  await promise;
  assert.deepEqual(times, [3]);
  client.close();
  server.close();
});

/** A raw connection, which says hello with the token unless it must not. */
async function joined(socket: string, says = true): Promise<Deno.UnixConn> {
  const connection = await Deno.connect({ transport: "unix", path: socket });
  const token = Deno.readTextFileSync(besideSocket(socket).token);
  if (says) await sendAll(connection, encodeMessage({ kind: "hello", version: PROTOCOL_VERSION, token, readOnly: true, follow: true }));
  return connection;
}

async function sendAll(connection: Deno.Conn, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += await connection.write(bytes.subarray(at));
}

/** Text that arrives until the session ends the connection. */
async function untilEnded(connection: Deno.Conn): Promise<string> {
  const buffer = new Uint8Array(65536), text = new TextDecoder();
  let all = "";
  for (let count: number | null = 0; count !== null; count = await connection.read(buffer).catch(() => null)) {
    all += text.decode(buffer.subarray(0, count), { stream: true });
  }
  connection.close();
  return all;
}

/** The first part of a frame of a kind. */
function partOfFrame(kind: string, length: number, sent: number): Uint8Array {
  const bytes = new Uint8Array(4 + sent).fill(0x20);
  new DataView(bytes.buffer).setUint32(0, length, true);
  bytes.set(new TextEncoder().encode(`{"kind":"${kind}","file":"`), 4);
  return bytes;
}

async function answersStill(socket: string): Promise<void> {
  assert.equal((await sessionInfo(socket)).name, "same");
}

Deno.test("a client that connects and says nothing is ended after a time, and the session lives", async () => {
  using place = new Place();
  const server = await SessionServer.listen(place.hub(), place.socket);
  const { setTimeout } = globalThis;
  Object.assign(globalThis, { setTimeout: (call: () => void, time = 0) => setTimeout(call, time / 100) });
  try {
    assert.equal(await untilEnded(await joined(place.socket, false)), "");
  } finally {
    Object.assign(globalThis, { setTimeout });
  }
  await answersStill(place.socket);
  server.close();
});

Deno.test("without the token a long frame is refused before it is kept", async () => {
  using place = new Place();
  const server = await SessionServer.listen(place.hub(), place.socket);
  const stranger = await joined(place.socket, false);
  await sendAll(stranger, partOfFrame("symbols", 200 * MiB, 5000));
  assert.match(await untilEnded(stranger), /"closed","reason":"no such kind of message: symbols/);
  await answersStill(place.socket);
  server.close();
});

Deno.test("all clients together can make the session keep so much; the one that costs most is ended", async () => {
  using place = new Place();
  const machine: SessionClient = { send() {}, onEvent() {}, close() {} };
  const hub = new SessionHub(machine, { name: "same", what: "test", started: "", logs: undefined }, MiB);
  const server = await SessionServer.listen(hub, place.socket, 4 * MiB);
  // One sends a frame that never becomes whole, one does not read, one has little.
  const [half, deaf, small] = [await joined(place.socket), await joined(place.socket), await joined(place.socket)];
  await sendAll(half, partOfFrame("symbols", 100 * MiB, 3 * MiB));
  await sendAll(small, partOfFrame("symbols", 100 * MiB, 5000));
  while (hub.info.clients < 3) await new Promise((resolve) => setTimeout(resolve, 1));
  for (const limit = Date.now() + PATIENCE; hub.info.clients === 3; await new Promise((resolve) => setTimeout(resolve, 5))) {
    assert.ok(Date.now() < limit);
    machine.onEvent({ kind: "paused", paused: true, past: true, consoles: [{ console: "a", bytes: new Uint8Array(100_000) }] });
  }
  await untilEnded(half);
  assert.equal(hub.info.clients, 2);
  deaf.close();
  small.close();
  await answersStill(place.socket);
  server.close();
});

Deno.test("whatever the system says about writing to one client, the session lives", async () => {
  using place = new Place();
  const { listen } = Deno;
  Object.assign(Deno, {
    listen(options: Deno.UnixListenOptions & { transport: "unix" }) {
      const listener = listen(options), accept = listener.accept.bind(listener);
      let first = true;
      return Object.assign(listener, {
        accept: async () => {
          const connection = await accept();
          if (first) Object.assign(connection, { write: () => Promise.reject(new Error("no buffer space")) });
          first = false;
          return connection;
        },
      });
    },
  });
  try {
    const server = await SessionServer.listen(place.hub(), place.socket);
    assert.equal(await untilEnded(await joined(place.socket)), "");
    await answersStill(place.socket);
    server.close();
  } finally {
    Object.assign(Deno, { listen });
  }
});

Deno.test("a session whose files were removed takes nothing from the one that has its name by now", async () => {
  using place = new Place();
  const lost = await SessionServer.listen(place.hub(), place.socket);
  const { lock, token } = besideSocket(place.socket);
  for (const file of [place.socket, lock, token]) Deno.removeSync(file);
  const server = await SessionServer.listen(place.hub(), place.socket);
  lost.close();
  for (const file of [place.socket, lock, token]) assert.ok(Deno.lstatSync(file), file);
  await answersStill(place.socket);
  server.close();
});
