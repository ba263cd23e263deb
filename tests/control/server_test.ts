import assert from "node:assert/strict";
import type { SessionClient } from "../../src/session/client.ts";
import { SessionHub } from "../../src/control/hub.ts";
import { besideSocket } from "../../src/control/places.ts";
import { SessionServer, SocketInUse } from "../../src/control/server.ts";
import { takeLock } from "../../src/support/own-files.ts";

const MACHINE: SessionClient = { send() {}, onEvent() {}, close() {} };

/** The path of a socket in a folder of our own, which is removed at the end. */
class Place {
  readonly folder = Deno.makeTempDirSync({ prefix: "el2-test-" });
  readonly socket = `${this.folder}/same.sock`;

  constructor() {
    Deno.chmodSync(this.folder, 0o700);
  }
  hub(): SessionHub {
    return new SessionHub(MACHINE, { name: "same", what: "test", started: "", logs: undefined });
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
