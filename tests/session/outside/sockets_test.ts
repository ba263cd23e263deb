import assert from "node:assert/strict";
import dgram from "node:dgram";
import { ip } from "../../../src/kit/formats/ip-addresses.ts";
import { computerSockets, unixSockets } from "../../../src/session/outside/sockets.ts";
import { node } from "../../../src/kit/support/node-modules.ts";
import type { OutsideStream, StreamListener } from "../../../src/machine/virtio/outside-network.ts";
import { inFolder } from "../../support/temporary-folder.ts";

const LOOPBACK = "127.0.0.1";
const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
const bytes = (words: string) => new TextEncoder().encode(words);

/** The events of a connection, until it ends. */
function listener(): { listener: StreamListener; closed: Promise<string | undefined>; connected: () => boolean } {
  const closed = Promise.withResolvers<string | undefined>();
  let connected = false;
  return {
    listener: {
      connected: () => void (connected = true),
      data() {},
      ended() {},
      full() {},
      drained() {},
      closed: (problem) => closed.resolve(problem),
    },
    closed: closed.promise,
    connected: () => connected,
  };
}

function bound(): Promise<dgram.Socket> {
  const socket = dgram.createSocket("udp4");
  return new Promise((resolve) => socket.bind(0, LOOPBACK, () => resolve(socket)));
}

Deno.test("a datagram reaches the guest from the peer that it sent to, and from nobody else", async () => {
  const [peer, stranger] = [await bound(), await bound()], received: string[] = [];
  const asked = new Promise<number>((resolve) => peer.on("message", (_, from) => resolve(from.port)));
  const answered = Promise.withResolvers<void>();
  const flow = computerSockets().datagrams(ip(LOOPBACK), peer.address().port, true, (data) => {
    received.push(text(data));
    if (text(data) === "answer") answered.resolve();
  }, assert.fail);
  flow.send(bytes("question"));
  const port = await asked;
  await new Promise((resolve) => stranger.send("forged", port, LOOPBACK, resolve));
  await new Promise((resolve) => setTimeout(resolve, 20));
  peer.send("answer", port, LOOPBACK);
  await answered.promise;
  assert.deepEqual(received, ["answer"]);
  flow.close();
  peer.close();
  stranger.close();
});

Deno.test("an address counts as this computer's unless the system says that it is not", async () => {
  const { createSocket } = node.dgram, ours = Deno.listen({ hostname: LOOPBACK, port: 0 });
  // The computer has no descriptor left.
  const broken = () => {
    const socket = createSocket("udp4");
    socket.bind = () => {
      queueMicrotask(() => socket.emit("error", Object.assign(new Error("too many open files"), { code: "EMFILE" })));
      return socket;
    };
    return socket;
  };
  Object.defineProperty(node.dgram, "createSocket", { value: broken, configurable: true, writable: true });
  try {
    const { listener: one, closed, connected } = listener();
    computerSockets().connect(ip(LOOPBACK), ours.addr.port, false, one);
    assert.match(await closed ?? "", /127\.0\.0\.1 is an address of this computer/);
    assert.equal(connected(), false);
  } finally {
    Object.defineProperty(node.dgram, "createSocket", { value: createSocket, configurable: true, writable: true });
    ours.close();
  }
});

Deno.test("sockets of a guest have mode 0600, in folders where nobody can replace them", () =>
  inFolder(async (folder) => {
    const problems: string[] = [], accept = (_: OutsideStream) => listener().listener;
    const server = unixSockets().listen(`${folder}/vsock`, accept, (problem) => problems.push(problem));
    assert.equal((Deno.lstatSync(`${folder}/vsock`).mode ?? 0) & 0o777, 0o600);
    assert.deepEqual([...Deno.readDirSync(folder)].map(({ name }) => name), ["vsock"]);
    const { listener: client, connected, closed } = listener();
    const stream = unixSockets().connect(`${folder}/vsock`, client);
    while (!connected()) await new Promise((resolve) => setTimeout(resolve, 1));
    stream.destroy();
    await closed;
    unixSockets().listen(`${folder}/vsock`, accept, (problem) => problems.push(problem)).close();
    await new Promise((resolve) => setTimeout(resolve, 1));
    assert.match(problems.pop() ?? "", /vsock: exists; remove it/);
    assert.ok(Deno.lstatSync(`${folder}/vsock`).isSocket, "the socket of another stays");
    server.close();
    assert.deepEqual([...Deno.readDirSync(folder)], []);
    Deno.mkdirSync(`${folder}/open`);
    Deno.chmodSync(`${folder}/open`, 0o777);
    unixSockets().listen(`${folder}/open/vsock`, accept, (problem) => problems.push(problem)).close();
    await new Promise((resolve) => setTimeout(resolve, 1));
    assert.equal(problems.length, 1);
    assert.match(problems[0], /open has mode 0777: others can replace files in it; chmod go-w/);
  }));

Deno.test("a guest is connected to sockets of the user and of root alone", () =>
  inFolder(async (folder) => {
    Deno.writeTextFileSync(`${folder}/vsock_1`, "");
    const file = listener();
    unixSockets().connect(`${folder}/vsock_1`, file.listener);
    assert.match(await file.closed ?? "", /vsock_1 is not a socket/);
    assert.equal(Deno.uid(), 0, "this test needs root, to be another user");
    using _theirs = Deno.listen({ transport: "unix", path: `${folder}/vsock_3` });
    Deno.chownSync(`${folder}/vsock_3`, 65534, 65534);
    const theirs = listener();
    unixSockets().connect(`${folder}/vsock_3`, theirs.listener);
    assert.match(await theirs.closed ?? "", /vsock_3 belongs to user 65534/);
    const none = listener();
    unixSockets().connect(`${folder}/vsock_2`, none.listener);
    assert.match(await none.closed ?? "", /ENOENT|No such file/);
  }));
