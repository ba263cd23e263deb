import assert from "node:assert/strict";
import type { SessionClient } from "../../src/session/client.ts";
import { connectSession, NoSession, sessionInfo } from "../../src/control/remote.ts";
import { SessionHub } from "../../src/control/hub.ts";
import { besideSocket } from "../../src/control/places.ts";
import { SessionServer, SocketInUse } from "../../src/control/server.ts";
import { takeLock } from "../../src/support/own-files.ts";
import { MiB } from "../../src/support/sizes.ts";

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

Deno.test("who only looks whether a session lives does not keep one from starting", async () => {
  using place = new Place();
  const looking = takeLock(besideSocket(place.socket).lock, false);
  assert.ok(looking);
  const starting = SessionServer.listen(place.hub(), place.socket);
  looking.close();
  (await starting).close();
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
