// An editor's session with a stripped kernel of Debian: a breakpoint at a symbol of its kallsyms,
// the stack there, and back in time.

import assert from "node:assert/strict";
import type { DebugProtocol } from "@vscode/debugprotocol";
import type { DapClient } from "./client.ts";

/** Debugs a Debian that boots. @param folder the guest's files */
export async function debugDebian(client: DapClient, folder: string): Promise<void> {
  await client.ask("initialize", { adapterID: "el2" });
  const machine = { boot: `${folder}/Image`, initrd: `${folder}/initrd`, append: "console=ttyAMA0", memory: "512MiB", turbo: true };
  await client.ask("launch", { ...machine, stopOnEntry: true });
  await client.event("initialized");
  const entry = client.event("stopped");
  await client.ask("configurationDone");
  await entry;
  // A kernel that has not booted has no symbols; where it has put itself, the breakpoint is set.
  const set = await client.ask<{ breakpoints: DebugProtocol.Breakpoint[] }>("setFunctionBreakpoints", {
    breakpoints: [{ name: "vfs_open" }],
  });
  assert.deepEqual(set.breakpoints.map(({ verified }) => verified), [false]);
  const placed = client.event("breakpoint");
  assert.match((await client.stop("continue")).reason, /breakpoint/);
  const { breakpoint } = (await placed).body;
  assert.deepEqual([breakpoint.id, breakpoint.verified], [set.breakpoints[0].id, true]);
  const files: string[] = [];
  for (let count = 0; count < 2; count++) {
    assert.match((await client.stop("continue")).reason, /breakpoint/);
    files.push(await client.value("$x1"));
  }
  const stack = await client.stack(), pc = await client.value("$pc");
  assert.equal(stack[0].split(" ")[0], "vfs_open");
  // Before its prologue the function has no frame record: its instructions tell who called it.
  assert.match(stack[1], /^(do_open|path_openat|dentry_open)/);
  assert.match(stack.at(-1)!, /^(ret_from_fork|el0t_64_sync|__primary_switched)/, stack.join(", "));
  await client.stop("reverseContinue");
  assert.equal(await client.value("$x1"), files[0]);
  const step = { threadId: 1, granularity: "instruction" };
  await client.stop("stepBack", step);
  assert.notEqual(await client.value("$pc"), pc);
  await client.stop("next", step);
  assert.equal(await client.value("$pc"), pc);
  await client.ask("disconnect");
}
