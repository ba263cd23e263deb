// The requests of a client's questions.

import assert from "node:assert/strict";
import { Asker } from "../../../src/session/control/asker.ts";
import type { Request } from "../../../src/model/protocol/protocol.ts";

/** The requests of a client that wants no events recorded any more, before there is an answer. */
function sentToStop(readOnly: boolean): { readonly sent: Request[]; readonly done: Promise<unknown> } {
  const sent: Request[] = [], asker = new Asker({ readOnly, send: (request) => void sent.push(request) });
  return { sent, done: asker.trace([]) };
}

Deno.test("a client that changes nothing is refused whatever is recorded: it asks for nothing before", async () => {
  const { sent, done } = sentToStop(true);
  assert.equal(await done, undefined);
  assert.deepEqual(sent, [{ kind: "trace", kinds: [] }]);
  assert.deepEqual(sentToStop(false).sent.map(({ kind }) => kind), ["query", "trace"]);
});
