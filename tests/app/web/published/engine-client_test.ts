// The page's end of its worker.

import assert from "node:assert/strict";
import type { SessionEvent } from "../../../../src/model/protocol/protocol.ts";
import { openRun } from "../../../../src/app/web/published/engine-client.ts";
import { problemText } from "../../../../src/kit/support/problem.ts";

const MARK = { name: "lost", instructions: 5, time: 5 };
/** A worker that opens anything, and has made a mark then. */
const MARKS = `onmessage = () => {
  postMessage({ kind: "opened" });
  postMessage([{ kind: "acted", id: 1, mark: ${JSON.stringify(MARK)} }]);
};`;

/** The first event of a run in a page. */
async function firstEvent(live: boolean): Promise<SessionEvent> {
  const worker = new Worker(`data:text/javascript,${encodeURIComponent(MARKS)}`, { type: "module" });
  const opened = await openRun(worker, { kind: "open", name: "a.rec", packed: new Map(), live, fragment: "" });
  assert.ok(opened.kind === "opened");
  const { client } = opened;
  const event = await new Promise<SessionEvent>((resolve) => client.onEvent = resolve);
  client.close();
  return event;
}

Deno.test("a mark in a page of a recording is said to be in the page alone; that of a machine which runs there is made", async () => {
  const replayed = await firstEvent(false);
  assert.ok(replayed.kind === "acted" && replayed.error);
  assert.match(problemText(replayed.error), /in this page alone, until it is closed; .*el2 mark/);
  assert.deepEqual(replayed.mark, MARK);
  assert.deepEqual(await firstEvent(true), { kind: "acted", id: 1, mark: MARK });
});
