// `el2 dap` as a process, as editors start it: attached to a VM of a session, forward and back, and
// gone again.

import assert from "node:assert/strict";
import type { DebugProtocol } from "@vscode/debugprotocol";
import { serveDap } from "../../../../../src/app/cli/start/debuggers/dap-link.ts";
import { encodeMessage } from "../../../../../src/session/debug/dap/messages.ts";
import { DapClient, Refused } from "../../../../session/debug/dap/client.ts";
import { el2Command } from "../../../../support/el2.ts";
import { A64, imageOf } from "../../program.ts";
import { ConsoleProgram } from "../../../../support/console.ts";
import { Place } from "../../place.ts";
import { webSocketTo } from "../../../../support/web-socket.ts";

const PATIENCE = 60;

/** `el2 dap --listen`, whose messages are on one stream. */
const listening = (...args: string[]) =>
  new ConsoleProgram(["sh", "-c", 'exec "$0" "$@" 2>&1', ...el2Command("dap", "--allow-host", "all", "--listen", ...args)]);

/** A client of a connection. */
function clientOf(connection: Deno.TcpConn | Deno.UnixConn): DapClient {
  async function* received() {
    try {
      yield* connection.readable;
    } catch (error) {
      // The client has closed its end.
      if (!(error instanceof Deno.errors.Interrupted)) throw error;
    }
  }
  return new DapClient(ReadableStream.from(received()), connection.writable, Promise.resolve());
}

Deno.test("el2 dap --listen serves clients of a port that bring its token, and nothing to others, nor to a web page", async () => {
  const folder = await Deno.makeTempDir({ prefix: "el2-dap-" });
  try {
    const image = `${folder}/loop.bin`, tokenFile = `${folder}/token`;
    await Deno.writeFile(image, imageOf([0xd2800000, 0x91000400, A64.branch(-1)]));
    const launch = { boot: image, memory: "64MiB", stopOnEntry: true };
    await using server = listening("0", "--token-file", tokenFile);
    const [, port] = await server.expect(/editors connect to 127\.0\.0\.1:(\d+)\n/, PATIENCE);
    const token = (await Deno.readTextFile(tokenFile)).trim();
    assert.match(token, /^[0-9a-f]{32}$/);
    assert.equal((await Deno.stat(tokenFile)).mode! & 0o777, 0o600);
    const connect = async () => clientOf(await Deno.connect({ hostname: "127.0.0.1", port: Number(port) }));
    {
      await using client = await connect();
      await client.ask("initialize", { adapterID: "el2" });
      for (const wrong of [undefined, "", token.slice(1), `${token}0`, token.replace(/.$/, "g")]) {
        for (const command of ["launch", "attach"]) {
          await assert.rejects(client.ask(command, { ...launch, token: wrong }), /"token" is not the one/);
        }
      }
      await assert.rejects(client.ask("evaluate", { expression: "1" }), Refused);
    }
    {
      const page = await Deno.connect({ hostname: "127.0.0.1", port: Number(port) });
      const body = JSON.stringify({ seq: 1, type: "request", command: "initialize", arguments: { adapterID: "el2" } });
      const second = JSON.stringify({ seq: 2, type: "request", command: "launch", arguments: launch });
      const post = [body, second].map((text) => `POST / HTTP/1.1\r\nContent-Length: ${text.length}\r\n\r\n${text}`).join("");
      await page.write(new TextEncoder().encode(post));
      const answers = await new Response(page.readable).text();
      assert.match(answers, /"request_seq":0,"command":"","success":false,"message":"a header that is not fields/);
      assert.doesNotMatch(answers, /"request_seq":[12]/);
      assert.equal(await webSocketTo(Number(port)), "refused");
    }
    // Two clients, each with its own machine.
    await using one = await connect();
    await using other = await connect();
    for (const client of [one, other]) {
      await client.ask("initialize", { adapterID: "el2" });
      await client.ask("launch", { ...launch, token });
      await client.event("initialized");
      const entry = client.event("stopped");
      await client.ask("configurationDone");
      assert.equal((await entry).body.reason, "entry");
    }
    await one.stop("next", { threadId: 1, granularity: "instruction" });
    assert.notEqual(await one.value("$pc"), await other.value("$pc"));
    for (const client of [one, other]) await client.ask("disconnect");
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("a client of a port of el2 dap that brings no token in time loses its place", async () => {
  const none = new TransformStream<Uint8Array>(), token = "0".repeat(32);
  const initialize = encodeMessage(
    { seq: 1, type: "request", command: "initialize", arguments: { adapterID: "el2" } } as DebugProtocol.Request,
  );
  const to = new TransformStream<Uint8Array>(), writer = to.writable.getWriter();
  const answers = Array.fromAsync(none.readable);
  const served = serveDap(new URL("file:///none"), { readable: to.readable, writable: none.writable }, {
    allowHost: [],
    token,
    patience: 50,
  });
  await writer.write(initialize);
  await served;
  assert.match(new TextDecoder().decode(Uint8Array.from((await answers).flatMap((bytes) => [...bytes]))), /"command":"initialize"/);
});

Deno.test("a client that reads no answers gets no more of them, with a token or without", async () => {
  let queued = 0;
  const never = Promise.withResolvers<void>();
  const size = () => {
    queued++;
    return 1;
  };
  const unread = new WritableStream<Uint8Array>({ write: () => never.promise }, { highWaterMark: 1, size });
  const request = encodeMessage({ seq: 1, type: "request", command: "threads" } as DebugProtocol.Request);
  const many = new Uint8Array(request.length * 1000);
  for (let at = 0; at < many.length; at += request.length) many.set(request, at);
  const served = serveDap(new URL("file:///none"), { readable: ReadableStream.from([many]), writable: unread }, {
    ...{ allowHost: [], token: "0123456789abcdef", patience: 50 },
  });
  // It loses its place all the same; what was written is waited for.
  await new Promise((resolve) => setTimeout(resolve, 100));
  assert.ok(queued > 0 && queued <= 4, `${queued} answers wait`);
  never.resolve();
  await served;
});

Deno.test("el2 dap --listen PATH serves a socket that only its user can open, and refuses other places by name", async () => {
  const folder = await Deno.makeTempDir({ prefix: "el2-dap-" }), path = `${folder}/dap.sock`;
  try {
    {
      await using server = listening(path);
      await server.expect(/editors connect to \S+dap\.sock\n/, PATIENCE);
      assert.equal((await Deno.lstat(path)).mode! & 0o777, 0o600);
      await using client = clientOf(await Deno.connect({ transport: "unix", path }));
      await client.ask("initialize", { adapterID: "el2" });
      await assert.rejects(client.ask("attach", { session: `${folder}/none.sock` }), /none\.sock/);
    }
    // The server was killed: its socket is replaced.
    {
      await using server = listening(path);
      await server.expect(/editors connect to/, PATIENCE);
    }
    await Deno.writeTextFile(`${folder}/file`, "kept");
    // Others can replace its files.
    await Deno.chmod(folder, 0o777);
    const refused: Record<string, RegExp> = {
      [path]: /--listen: .*dap/,
      "70000": /neither a port nor a path/,
      moon: /neither a port nor a path/,
    };
    for (const [where, message] of Object.entries(refused)) {
      await using server = listening(where);
      await server.expect(message, PATIENCE);
    }
    await Deno.chmod(folder, 0o700);
    await using server = listening(`${folder}/file`);
    await server.expect(/exists, and is not a socket/, PATIENCE);
    assert.equal(await Deno.readTextFile(`${folder}/file`), "kept");
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("el2 dap attaches to a VM of a session, steps, goes back in time, and lets it run on", async () => {
  await using place = new Place();
  await place.up("edited");
  const attached = () => {
    const [program, ...args] = el2Command("dap");
    const child = new Deno.Command(program, {
      args,
      env: { XDG_RUNTIME_DIR: place.folder, EL2_SESSION: "" },
      stdin: "piped",
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
    return new DapClient(child.stdout, child.stdin, child.status);
  };
  const client = attached();
  try {
    await client.ask("initialize", { adapterID: "el2" });
    await assert.rejects(client.ask("attach", { session: "edited", vm: "nobody" }), /no vm:nobody that executes instructions/);
    await client.ask("attach", { session: "edited", vm: "ping" });
    await client.event("initialized");
    await client.ask("setExceptionBreakpoints", { filters: ["hvc"] });
    const entry = client.event("stopped");
    await client.ask("configurationDone");
    assert.equal((await entry).body.reason, "entry");
    const stopped = await client.stop("continue");
    assert.equal(stopped.reason, "exception");
    assert.match(stopped.text ?? "", /hvc/);
    await client.ask("setExceptionBreakpoints", { filters: [] });
    const threads = await client.ask<{ threads: { id: number; name: string }[] }>("threads");
    assert.match(threads.threads[0].name, /^vcpu:ping\/0/);
    const second = await place.el2("gdb", "ping", "--session", "edited");
    assert.match(second.stderr, /another debugger is attached/);
    const step = { threadId: stopped.threadId ?? 1, granularity: "instruction" };
    const { scopes } = await client.ask<{ scopes: { name: string }[] }>("scopes", { frameId: await client.frame(0, step.threadId) });
    assert.ok(scopes.some(({ name }) => name === "Registers: System"));
    // The call may be the VMM's, which ends an access to a device: no step leads there.
    await client.stop("next", step);
    const before = await client.value("$pc");
    await client.stop("next", step);
    assert.notEqual(await client.value("$pc"), before);
    await client.stop("stepBack", step);
    assert.equal(await client.value("$pc"), before);
    await client.ask("disconnect");
  } finally {
    await client[Symbol.asyncDispose]();
  }
  // All its VMs, with an attachment that names none.
  const all = attached();
  try {
    await all.ask("initialize", { adapterID: "el2" });
    await assert.rejects(all.ask("attach", { session: "edited", vms: ["ping", "pang"] }), /no VM called "pang"; did you mean "p/);
    await all.ask("attach", { session: "edited" });
    const entry = all.event("stopped");
    await all.ask("configurationDone");
    await entry;
    const { threads } = await all.ask<{ threads: { name: string }[] }>("threads");
    for (const vm of ["ping", "pong"]) assert.ok(threads.some(({ name }) => name.startsWith(`vcpu:${vm}/0`)), Deno.inspect(threads));
    await all.ask("disconnect");
  } finally {
    await all[Symbol.asyncDispose]();
  }
  // Without a debugger the guest runs on.
  const { data: [ping] } = await place.json("vm", "ls", "--filter", "id=vm:ping");
  assert.equal(ping.state, "running");
});
