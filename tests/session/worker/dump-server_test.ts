// A session of a dump: its one picture, and each request that needs a machine refused.

import assert from "node:assert/strict";
import type { Request, SessionEvent } from "../../../src/model/protocol/protocol.ts";
import { Standing } from "../../../src/session/engine/standing.ts";
import { DumpServer } from "../../../src/session/worker/dump-server.ts";
import { dumpOf } from "../../inside/dumps/foreign.ts";

Deno.test("who attaches to a dump sees its VM, and what needs a machine is refused with an answer", () => {
  const heard: SessionEvent[] = [], post = (event: SessionEvent) => void heard.push(event);
  const server = DumpServer.open([dumpOf(new Uint8Array(8192), 0)], post, new Standing());
  assert.ok(server instanceof DumpServer);
  const [sample, paused] = heard.splice(0);
  assert.ok(sample.kind === "sample");
  assert.deepEqual(sample.sample.vms.map(({ name, linux }) => [name, linux]), [["dump", undefined]]);
  assert.deepEqual(paused, { kind: "paused", paused: true, past: false });
  const requests: Parameters<typeof server.serve>[0][] = [
    { kind: "resume" },
    { kind: "input", console: "dump", bytes: new Uint8Array() },
    { kind: "act", id: 1, action: { kind: "vm.stop", vm: "dump" } as unknown as Extract<Request, { kind: "act" }>["action"] },
    { kind: "move", id: 2, to: { kind: "here" } },
    { kind: "mark", id: 3, name: "m" },
    { kind: "snapshot", id: 4, path: "s", title: "t" },
    { kind: "debug-attach", vms: { vm: "dump" } as unknown as Extract<Request, { kind: "debug-attach" }>["vms"] },
  ];
  for (const request of requests) {
    server.serve(request);
    const [event, ...more] = heard.splice(0);
    assert.deepEqual(more, []);
    assert.match(JSON.stringify(event), /needs a machine, and this session is a dump/, request.kind);
    if ("id" in request) assert.equal((event as { id?: number }).id, request.id);
  }
  server.serve({ kind: "query", id: 9, query: { table: "mem.map", args: {} } });
  assert.match(JSON.stringify(heard), /"id":9,.*pa:0x0/);
});
