import assert from "node:assert/strict";
import { LoopbackPort } from "../../../src/session/debug/gdb-connections.ts";
import { GdbServer } from "../../../src/session/debug/gdb-server.ts";
import type { GdbTarget } from "../../../src/session/debug/gdb-session.ts";
import { webSocketTo } from "../../support/web-socket.ts";

/** A server of a VM that runs, and what is done to that. */
function serve(): { server: GdbServer; port: number; done: string[]; served: Promise<void> } {
  const done: string[] = [], connections = new LoopbackPort(0);
  const target: GdbTarget = {
    ask: () => Promise.resolve({ kind: "done" }),
    stop() {
      done.push("stop");
      queueMicrotask(() => server.stopped({ kind: "asked", vcpu: 0 } as unknown as Parameters<GdbServer["stopped"]>[0]));
    },
    go: () => void done.push("go"),
    back: () => void done.push("back"),
    monitor: () => Promise.resolve(undefined),
    movedTo: () => Promise.resolve(undefined),
    detach: () => void done.push("detach"),
    kill: () => void done.push("kill"),
  };
  const server = new GdbServer(connections, target);
  return { server, port: Number(connections.name.split(":")[1]), done, served: server.serve(false) };
}

Deno.test("a page that posts packets to gdb's port controls nothing, and does not stop the VM", async () => {
  const { server, port, done, served } = serve();
  try {
    for (const method of ["POST", "GET"]) {
      const body = method === "POST" ? "$k#6b" : undefined;
      await assert.rejects(fetch(`http://127.0.0.1:${port}/$k#6b`, { method, body }).then((answer) => answer.text()));
    }
    assert.equal(await webSocketTo(port), "refused");
    // TLS, and a connection that says nothing.
    for (const bytes of [[0x16, 3, 1, 0, 0x24, 0x6b, 0x23, 0x36, 0x62], []]) {
      using connection = await Deno.connect({ hostname: "127.0.0.1", port });
      await connection.write(Uint8Array.from(bytes));
      if (bytes.length === 0) continue;
      assert.equal(await connection.read(new Uint8Array(10)).catch(() => null), null);
    }
    assert.equal(done.length, 0, done.join());
    using gdb = await Deno.connect({ hostname: "127.0.0.1", port });
    await gdb.write(new TextEncoder().encode("+$k#6b"));
    await gdb.read(new Uint8Array(10));
    while (!done.includes("kill")) await new Promise((resolve) => setTimeout(resolve, 1));
    assert.deepEqual(done.slice(0, 2), ["stop", "kill"]);
  } finally {
    server.ended(0);
    await served;
  }
});
