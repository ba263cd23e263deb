// A living session, to which clients send what is not a message, what a read-only client may not
// send, and questions of every kind: its run stays the same, bit for bit, and it serves on. Full
// numbers with EL2_LONG=1.

import assert from "node:assert/strict";
import { CLIENT_KINDS, PROTOCOL_VERSION, readClientMessage } from "../../../src/session/control/conversation.ts";
import { Asker } from "../../../src/session/control/asker.ts";
import { SessionHub } from "../../../src/session/control/hub.ts";
import { besideSocket } from "../../../src/session/control/places.ts";
import { connectSession } from "../../../src/session/control/remote.ts";
import { SessionServer } from "../../../src/session/control/server.ts";
import { BadFrame, encodeMessage } from "../../../src/session/control/wire.ts";
import { plannedOf } from "../../../src/app/cli/start/plans/planned.ts";
import type { StateHash } from "../../../src/model/protocol/protocol.ts";
import { REQUESTS } from "../../../src/model/protocol/requests.ts";
import { connectEmbedded } from "../../../src/session/worker/client.ts";
import { Random } from "../../support/random.ts";
import { damaged, valueOf } from "../../support/schema-values.ts";
import { MiB } from "../../../src/kit/support/values/sizes.ts";
import { TRUSTED } from "../../support/trusted.ts";
import { LONG } from "../../support/long.ts";

const FRAMES = LONG ? 100_000 : 2_000;
/** Instructions between two hashes, and how many there are at most. */
const STEP = 20_000;
const POINTS = 20_000;
/** Hashes that the run must reach before the first frame, and after the last one. */
const BEFORE = 3;
const AFTER = 3;

const kinds = Object.values(REQUESTS);
const reads = kinds.filter(({ right }) => right === "reads");

/** Whether the session takes a message, which a client with all rights must not send. */
function isMessage(value: unknown): boolean {
  try {
    readClientMessage(value);
    return true;
  } catch (error) {
    if (error instanceof BadFrame) return false;
    throw error;
  }
}

/** A frame that no client may send. */
function badFrame(random: Random): Uint8Array {
  if (random.below(2)) {
    for (;;) {
      const value = damaged(valueOf(random.pick(kinds).schema, random), random);
      if (!isMessage(value)) return encodeMessage(value);
    }
  }
  const bytes = encodeMessage(valueOf(random.pick(kinds).schema, random));
  switch (random.below(4)) {
    case 0:
      return random.bytes(4 + random.below(64)).fill(255, 0, 4);
    case 1: // the body is not JSON any more
      bytes[4] = 0x5d;
      return bytes;
    case 2:
      return encodeMessage(null).fill(random.below(256), 4);
    default: {
      const text = "[".repeat(40 + random.below(4000));
      const frame = new Uint8Array(4 + text.length);
      new DataView(frame.buffer).setUint32(0, text.length, true);
      frame.set(new TextEncoder().encode(text), 4);
      return frame;
    }
  }
}

/** A connection that says what it is told to, and reads all that it gets. */
class Client implements Disposable {
  readonly #reading: Promise<string>;

  private constructor(readonly connection: Deno.UnixConn) {
    this.#reading = this.#read();
  }

  static async join(path: string, readOnly: boolean): Promise<Client> {
    const client = new Client(await Deno.connect({ transport: "unix", path }));
    const token = Deno.readTextFileSync(besideSocket(path).token);
    await client.write(encodeMessage({ kind: "hello", version: PROTOCOL_VERSION, token, readOnly, follow: false }));
    return client;
  }

  /** False if the session has ended the connection. */
  async write(bytes: Uint8Array): Promise<boolean> {
    try {
      for (let at = 0; at < bytes.length;) at += await this.connection.write(bytes.subarray(at));
      return true;
    } catch (error) {
      if (error instanceof Deno.errors.BrokenPipe || error instanceof Deno.errors.ConnectionReset) return false;
      throw error;
    }
  }

  /** The end of what the session said before it ended the connection. */
  async ended(): Promise<string> {
    return await this.#reading;
  }

  async #read(): Promise<string> {
    const buffer = new Uint8Array(65536);
    let last = "";
    try {
      for (let count = await this.connection.read(buffer); count !== null; count = await this.connection.read(buffer)) {
        last = new TextDecoder().decode(buffer.subarray(Math.max(0, count - 600), count));
      }
    } catch (error) {
      const { ConnectionReset, BadResource, Interrupted } = Deno.errors;
      if (![ConnectionReset, BadResource, Interrupted].some((gone) => error instanceof gone)) throw error;
    }
    return last;
  }

  [Symbol.dispose](): void {
    this.connection.close();
  }
}

/**
 * Runs the demo with a socket, and gives its hashes up to `enough` of them, or until `attack` is
 * over and some more.
 */
async function run(attack: ((path: string) => Promise<void>) | undefined, enough: number): Promise<readonly StateHash[]> {
  const folder = await Deno.makeTempDir({ prefix: "el2-test-" });
  const path = `${folder}/fuzz.sock`;
  const machine = connectEmbedded(new URL("../../../main.ts", import.meta.url));
  const hub = new SessionHub(machine, { name: "fuzz", what: "demo", started: "", logs: undefined }, MiB);
  const hashes: StateHash[] = [];
  const ended = Promise.withResolvers<never>(), begun = Promise.withResolvers<void>(), there = Promise.withResolvers<void>();
  ended.promise.catch(() => {});
  let wanted = enough;
  const listener = hub.join({ readOnly: true, follow: true, patient: false }, (message) => {
    if (message.kind === "ended") ended.reject(new Error(`ended: ${message.end.message}`));
    if (message.kind === "failed") ended.reject(new Error(message.message));
    if (message.kind !== "hash") return;
    hashes.push(message.hash);
    if (hashes.length === BEFORE) begun.resolve();
    if (hashes.length >= wanted) there.resolve();
  });
  const server = await SessionServer.listen(hub, path);
  try {
    const { plan } = await plannedOf("demo", TRUSTED);
    machine.send({
      kind: "start",
      plan: { ...plan, turbo: attack === undefined, hashAt: Array.from({ length: POINTS }, (_, i) => (i + 1) * STEP) },
    });
    if (attack) {
      await Promise.race([begun.promise, ended.promise]);
      await Promise.race([attack(path), ended.promise]);
      wanted = hashes.length + AFTER;
      // It serves on.
      const remote = await connectSession(path, { readOnly: false, follow: false });
      const asker = new Asker(remote);
      remote.onEvent = (event) => void asker.receive(event);
      const { rows } = await asker.ask({ table: "vm.ls", args: {} });
      assert.ok(rows.some(({ id }) => id === "vm:ping"));
      remote.close();
    }
    await Promise.race([there.promise, ended.promise]);
    return hashes;
  } finally {
    listener.leave();
    server.close();
    await hub.endInOrder();
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test(`D4: ${FRAMES} frames by structure and by bytes change nothing in a living session, and each bad one ends its connection with a reason`, async () => {
  const random = new Random(16);
  const attacked = await run(async (path) => {
    let id = 0;
    for (let sent = 0; sent < FRAMES;) {
      // Questions, and whatever a read-only client may try.
      const readOnly = random.below(2) === 1;
      using client = await Client.join(path, readOnly);
      for (let good = random.below(20); good > 0 && sent < FRAMES; good--, sent++) {
        const value = valueOf(random.pick(readOnly ? kinds : reads).schema, random);
        const message = typeof value === "object" && value !== null && "id" in value ? { ...value, id: ++id } : value;
        if (!isMessage(message)) continue;
        assert.ok(await client.write(encodeMessage(message)), `${id}`);
      }
      const bad = badFrame(random);
      sent++;
      await client.write(bad);
      assert.match(await client.ended(), /"kind":"closed","reason":"/, new TextDecoder().decode(bad.subarray(0, 200)));
    }
  }, Infinity);
  const alone = await run(undefined, attacked.length);
  assert.deepEqual(attacked, alone.slice(0, attacked.length));
});

Deno.test("a client without the token does not come in, and one that says nothing of the kind neither", async () => {
  const folder = await Deno.makeTempDir({ prefix: "el2-test-" });
  const path = `${folder}/s.sock`;
  const hub = new SessionHub({ send() {}, onEvent() {}, close() {} }, { name: "s", what: "", started: "", logs: undefined }, MiB);
  const server = await SessionServer.listen(hub, path);
  try {
    const { token, lock } = besideSocket(path);
    assert.deepEqual([token, lock, path].map((file) => Deno.lstatSync(file).mode! & 0o777), [0o600, 0o600, 0o600]);
    const first = async (message: unknown) => {
      const connection = await Deno.connect({ transport: "unix", path });
      await connection.write(encodeMessage(message));
      const bytes = new Uint8Array(4096);
      const count = await connection.read(bytes);
      connection.close();
      return new TextDecoder().decode(bytes.subarray(4, count ?? 0));
    };
    const hello = { kind: "hello", version: PROTOCOL_VERSION, readOnly: true, follow: false };
    assert.match(await first(hello), /"closed","reason":"the token is not that of/);
    assert.match(await first({ ...hello, token: "0".repeat(64) }), /"closed","reason":"the token is not that of/);
    assert.match(await first({ kind: "pause" }), /"closed","reason":"the first message is hello"/);
    assert.match(await first({ ...hello, version: 4 }), /"welcome","version":5,"info":\{"name":"s"\}/);
    assert.match(
      await first({ ...hello, token: Deno.readTextFileSync(token), version: 9, oldest: 5 }),
      /"welcome","version":5,"info":\{.*"pid"/,
    );
    assert.match(
      await first({ ...hello, token: Deno.readTextFileSync(token), version: 9, oldest: 6 }),
      /"welcome","version":5,"info":\{"name":"s"\}/,
    );
  } finally {
    server.close();
    assert.deepEqual([...Deno.readDirSync(folder)], []);
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("every kind of request of a read-only client that would change anything is refused at the hub", () => {
  const sent: string[] = [];
  const hub = new SessionHub({ send: ({ kind }) => sent.push(kind), onEvent() {}, close() {} }, {
    name: "",
    what: "",
    started: "",
    logs: undefined,
  }, MiB);
  hub.onDown = () => sent.push("down");
  const refused: string[] = [];
  const client = hub.join(
    { readOnly: true, follow: false, patient: false },
    (message) => message.kind === "refused" && refused.push(message.request),
  );
  const random = new Random(5);
  for (const { schema } of [...kinds]) {
    for (let value = valueOf(schema, random);; value = valueOf(schema, random)) {
      if (!isMessage(value)) continue;
      client.send(readClientMessage(value));
      break;
    }
  }
  client.send({ kind: "down" });
  client.send({ kind: "prepare", plan: { memory: 1 }, atEl2: false });
  assert.deepEqual(refused, [
    ...CLIENT_KINDS.filter((kind) => kind !== "hello" && !["taken", "query", "forget", "watch"].includes(kind)),
    "prepare",
  ]);
  assert.deepEqual(sent.filter((kind) => !["query", "watch", "taken", "forget"].includes(kind)), []);
});
