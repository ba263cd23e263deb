// `el2 dap` as a process, as editors start it: attached to a VM of a session, forward and back, and
// gone again.

import assert from "node:assert/strict";
import { DapClient } from "../../debug/dap/client.ts";
import { el2Command } from "../../support/el2.ts";
import { Place } from "../place.ts";

Deno.test("el2 dap attaches to a VM of a session, steps, goes back in time, and lets it run on", async () => {
  await using place = new Place();
  await place.up("edited");
  const [program, ...args] = el2Command("dap");
  const child = new Deno.Command(program, {
    args,
    env: { XDG_RUNTIME_DIR: place.folder, EL2_SOCKET: "" },
    stdin: "piped",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const client = new DapClient(child.stdout, child.stdin, child.status);
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
    const second = await place.el2("gdb", "ping", "--socket", "edited");
    assert.match(second.stderr, /another debugger is attached/);
    const step = { threadId: stopped.threadId ?? 1, granularity: "instruction" };
    const { scopes } = await client.ask<{ scopes: { name: string }[] }>("scopes", { frameId: await client.frame(0, step.threadId) });
    assert.ok(scopes.some(({ name }) => name === "Registers: System"));
    const before = await client.value("$pc");
    await client.stop("next", step);
    assert.notEqual(await client.value("$pc"), before);
    await client.stop("stepBack", step);
    assert.equal(await client.value("$pc"), before);
    await client.ask("disconnect");
  } finally {
    await client[Symbol.asyncDispose]();
  }
  // Without a debugger the guest runs on.
  const { data: [ping] } = await place.json("vm", "ls", "--filter", "id=vm:ping");
  assert.equal(ping.state, "running");
});
