import assert from "node:assert/strict";
import { RPC_MESSAGES } from "../../../../src/machine/abi/rpc/messages/all.ts";
import { handlers } from "../../../../src/machine/resource-manager/handlers/all.ts";

const MESSAGES = new URL("../../../../src/machine/abi/rpc/messages/", import.meta.url);
const HANDLERS = new URL("../../../../src/machine/resource-manager/handlers/", import.meta.url);

/** Exports of a folder's modules, by their names. */
async function exportsOf(folder: URL): Promise<Map<string, unknown[]>> {
  const found = new Map<string, unknown[]>();
  for await (const { name } of Deno.readDir(folder)) {
    if (name !== "all.ts") found.set(name.slice(0, -3), Object.values(await import(new URL(name, folder).href)));
  }
  return found;
}

/** The groups in whose file a value is exported, alone or in a list. */
function groupsOf(exported: ReadonlyMap<string, readonly unknown[]>, is: (value: unknown) => boolean): string[] {
  return [...exported].filter(([, values]) => values.flat().some(is)).map(([group]) => group);
}

Deno.test("each message is in one file, and its handler in the file of the same name", async () => {
  const [messages, handling] = [await exportsOf(MESSAGES), await exportsOf(HANDLERS)];
  for (const [id, message] of RPC_MESSAGES) {
    const groups = groupsOf(messages, (value) => value === message);
    assert.equal(groups.length, 1, message.name);
    if (message.kind !== "request") continue;
    const handler = handlers.get(id);
    assert.ok(handler, message.name);
    assert.deepEqual(groupsOf(handling, (value) => value === handler), groups, message.name);
  }
});
