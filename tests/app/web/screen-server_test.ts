// Screens in a browser: for the pages that have the token, and for others what they cost.

import assert from "node:assert/strict";
import { ScreenServer, VIEWERS_MAX } from "../../../src/app/web/screen-server.ts";
import type { Viewer } from "../../../src/app/web/viewer.ts";
import { SUBPROTOCOL } from "../../../src/app/web/page/messages.ts";
import { eventually } from "../../support/eventually.ts";
import { PageClient } from "../../support/page-client.ts";

const LOOPBACK = "127.0.0.1";

/** A server that keeps its viewers, ended with its scope. */
function serve(hostname = LOOPBACK): { readonly server: ScreenServer; readonly viewers: Viewer[] } & AsyncDisposable {
  const viewers: Viewer[] = [], server = new ScreenServer(hostname, 0, (viewer) => viewers.push(viewer));
  return { server, viewers, [Symbol.asyncDispose]: () => server.close("over") };
}

/** A request as a client makes it that is not a browser; the first line and all of the answer. */
async function request(server: ScreenServer, lines: readonly string[]): Promise<string> {
  using connection = await Deno.connect({ hostname: LOOPBACK, port: Number(new URL(server.link).port) });
  await connection.write(new TextEncoder().encode(`${[...lines, "Connection: close"].join("\r\n")}\r\n\r\n`));
  return await new Response(connection.readable).text();
}

Deno.test("a page with the token of the link gets a screen; one with another, a part of it or none is refused", async () => {
  await using served = serve();
  const { link } = served.server, token = new URL(link).hash.slice(1);
  assert.match(token, /^[0-9a-f]{64}$/);
  using page = await PageClient.open(link);
  assert.ok(page);
  await eventually(() => Promise.resolve(served.viewers), ({ length }) => length === 1);
  const wrong = [token.slice(0, -1), `${token}0`, [...token].reverse().join(""), "0".repeat(64), "x"];
  for (const other of wrong) assert.equal(await PageClient.open(link, { token: other }), undefined, other);
  const bare = await request(served.server, [
    ...["GET /screens HTTP/1.1", `Host: ${new URL(link).host}`, `Origin: ${new URL(link).origin}`, "Upgrade: websocket"],
    ...["Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", `Sec-WebSocket-Protocol: ${SUBPROTOCOL}`],
  ]);
  assert.match(bare, /^HTTP\/1\.1 403 /);
  assert.equal(served.viewers.length, 1);
});

Deno.test("the token counts neither in the address nor in a cookie, and no file has it", async () => {
  await using served = serve();
  const { link } = served.server, { host, origin, hash } = new URL(link), token = hash.slice(1);
  const connect = (path: string, ...more: string[]) =>
    request(served.server, [
      ...[`GET ${path} HTTP/1.1`, `Host: ${host}`, `Origin: ${origin}`, "Upgrade: websocket", "Sec-WebSocket-Version: 13"],
      ...["Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", ...more],
    ]);
  assert.match(await connect(`/screens?token=${token}`, `Sec-WebSocket-Protocol: ${SUBPROTOCOL}`), /^HTTP\/1\.1 403 /);
  assert.match(await connect("/screens", `Cookie: token=${token}`, `Authorization: Bearer ${token}`), /^HTTP\/1\.1 403 /);
  for (const name of ["", "page.js", "terminal.ts", "messages.ts", "xterm.js", "page.css", "missing"]) {
    const answer = await request(served.server, [`GET /${name} HTTP/1.1`, `Host: ${host}`]);
    assert.match(answer, name === "missing" ? /^HTTP\/1\.1 404 / : /^HTTP\/1\.1 200 /, name);
    assert.match(answer, /content-security-policy: default-src 'none'/i, name);
    assert.ok(!answer.includes(token), name);
  }
  assert.match(await request(served.server, ["POST / HTTP/1.1", `Host: ${host}`, "Content-Length: 0"]), /^HTTP\/1\.1 405 /);
});

Deno.test("a page of another origin is refused, though it has the token", async () => {
  await using served = serve();
  const { link } = served.server, { port } = new URL(link);
  const origins = [
    "http://evil.example",
    `http://evil.example:${port}`,
    `https://127.0.0.1:${port}`,
    "http://127.0.0.1:1",
    "null",
    "file://",
  ];
  for (const origin of origins) assert.equal(await PageClient.open(link, { origin }), undefined, origin);
  assert.equal(served.viewers.length, 0);
  using page = await PageClient.open(link, { origin: `http://localhost:${port}` });
  assert.ok(page);
});

Deno.test("a name that somebody else has made lead here (DNS rebinding) gets neither the page nor a screen", async () => {
  await using served = serve();
  const { link } = served.server, { port, hash } = new URL(link);
  for (const host of [`evil.example:${port}`, "127.0.0.1", `127.0.0.1.evil.example:${port}`, `0.0.0.0:${port}`]) {
    assert.match(await request(served.server, ["GET / HTTP/1.1", `Host: ${host}`]), /^HTTP\/1\.1 421 /, host);
    const rebound = await request(served.server, [
      ...["GET /screens HTTP/1.1", `Host: ${host}`, `Origin: http://${host}`, "Upgrade: websocket", "Sec-WebSocket-Version: 13"],
      ...["Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", `Sec-WebSocket-Protocol: ${SUBPROTOCOL}, ${hash.slice(1)}`],
    ]);
    assert.match(rebound, /^HTTP\/1\.1 421 /, host);
  }
  for (const host of [`127.0.0.1:${port}`, `localhost:${port}`, `LOCALHOST:${port}`]) {
    assert.match(await request(served.server, ["GET / HTTP/1.1", `Host: ${host}`]), /^HTTP\/1\.1 200 /, host);
  }
});

Deno.test("of 100 pages as many as fit get a screen, the others hear why, and a place that is free is given again", async () => {
  await using served = serve();
  const pages = await Promise.all(Array.from({ length: 100 }, () => PageClient.open(served.server.link)));
  assert.ok(pages.every((page) => page !== undefined));
  const refused: string[] = [];
  for (const page of pages) void page!.closed.then((reason) => refused.push(reason));
  await eventually(() => Promise.resolve(refused.length), (count) => count === 100 - VIEWERS_MAX);
  assert.ok(refused.every((reason) => reason.includes(`${VIEWERS_MAX} pages show this session`)));
  await eventually(() => Promise.resolve(served.viewers.length), (count) => count === VIEWERS_MAX);
  for (const page of pages) page![Symbol.dispose]();
  await Promise.all(served.viewers.map((viewer) => viewer.gone));
  using late = await PageClient.open(served.server.link);
  await eventually(() => Promise.resolve(served.viewers.length), (count) => count === VIEWERS_MAX + 1);
  assert.ok(late);
});

Deno.test("a page that never draws gets one frame, however many there are", async () => {
  await using served = serve();
  using page = await PageClient.open(served.server.link, { draws: false });
  await eventually(() => Promise.resolve(served.viewers.length), (count) => count === 1);
  const [viewer] = served.viewers;
  let drawn = 0;
  for (let frame = 0; frame < 100; frame++) void viewer.draw(new TextEncoder().encode(`frame ${frame};`)).then(() => drawn++);
  await page!.shows(/frame 0;/);
  page!.say({ kind: "drawn" });
  await page!.shows(/frame 1;/);
  assert.deepEqual([page!.frames, drawn], [2, 1]);
  page![Symbol.dispose]();
  await viewer.gone;
  await eventually(() => Promise.resolve(drawn), (count) => count === 100);
  assert.equal(page!.frames, 2);
});

Deno.test("what is not a message of the page ends its connection, and nobody else's", async () => {
  await using served = serve();
  using good = await PageClient.open(served.server.link);
  const bad = [
    ...[{}, 1, "drawn", { kind: "drawn", more: 1 }, { kind: "resized" }, { kind: "resized", columns: 0, rows: 5 }],
    ...[{ kind: "resized", columns: 501, rows: 5 }, { kind: "resized", columns: -1, rows: 5 }, { kind: "resized", columns: 1e9, rows: 5 }],
  ];
  for (const message of bad) {
    using page = await PageClient.open(served.server.link);
    page!.say(message);
    assert.match(await page!.closed, /not a message of el2's page/, JSON.stringify(message));
  }
  using long = await PageClient.open(served.server.link);
  long!.type("a".repeat(300_000));
  assert.match(await long!.closed, /a paste has at most/);
  assert.equal(good!.socket.readyState, WebSocket.OPEN);
});

Deno.test("the end closes every page with its reason, waits for none that is silent, and frees the port", async () => {
  const { server } = serve(), { link } = server, { host, hostname, port, origin, hash } = new URL(link);
  const pages = await Promise.all([PageClient.open(link, { draws: false }), PageClient.open(link)]);
  using silent = await Deno.connect({ hostname, port: Number(port) });
  const handshake = [
    ...["GET /screens HTTP/1.1", `Host: ${host}`, `Origin: ${origin}`, "Connection: Upgrade", "Upgrade: websocket"],
    ...["Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="],
    `Sec-WebSocket-Protocol: ${SUBPROTOCOL}, ${hash.slice(1)}\r\n\r\n`,
  ];
  await silent.write(new TextEncoder().encode(handshake.join("\r\n")));
  const answer = new Uint8Array(1000);
  assert.match(new TextDecoder().decode(answer.subarray(0, await silent.read(answer) ?? 0)), /^HTTP\/1\.1 101 /);
  await server.close("session s has ended");
  for (const page of pages) assert.equal(await page!.closed, "session s has ended");
  await assert.rejects(Deno.connect({ hostname, port: Number(port) }), Deno.errors.ConnectionRefused);
});
