// Frames of screens without a terminal: what they wait for.

import assert from "node:assert/strict";
import { PHONE_SAMPLE, phoneAnswer } from "../phone.ts";
import { Offscreen } from "../../../../src/app/tui/app/offscreen.ts";
import { Screen } from "../../../../src/app/tui/terminal/cells.ts";
import type { Query } from "../../../../src/model/queries/query.ts";
import { eventually } from "../../../support/eventually.ts";

/** More time (ms) than a frame takes of screens that never stop asking. */
const LONG = 60_000;

/** Screens of a machine whose answers to some questions a test gives. */
class Slow {
  /** Questions of which the test gives the answers. */
  readonly held: { readonly id: number; readonly query: Query }[] = [];
  readonly screen = new Screen(120, 36, "none");
  readonly shown: Offscreen;
  /** Of the screens' clock, ms. */
  time = 0;
  settled = false;

  constructor(isHeld: (query: Query) => boolean) {
    this.shown = new Offscreen((request) => {
      if (request.kind !== "query") return;
      if (isHeld(request.query)) this.held.push(request);
      else queueMicrotask(() => this.answer(request));
    }, { title: "slow", ascii: true, clock: () => this.time });
    this.shown.apply({ kind: "sample", sample: PHONE_SAMPLE });
  }

  answer({ id, query }: { readonly id: number; readonly query: Query }): void {
    this.shown.apply({ kind: "answer", id, answer: phoneAnswer(query) });
  }

  /** Begins a frame; resolves once the clock is far after that, and the screens have read it. */
  async begin(): Promise<void> {
    void this.shown.settle(this.screen).then(() => this.settled = true);
    const after = this.time + 10 * LONG;
    await eventually(() => Promise.resolve(this.time += LONG), (time) => time > after);
  }
}

Deno.test("a frame has the answer to what a key has asked, however long the machine searches for it", async () => {
  const slow = new Slow(({ table }) => table === "who");
  for (const key of [":", ..."who reg:android/0/x0", "\r"]) slow.shown.press(key);
  await slow.begin();
  assert.equal(slow.settled, false);
  slow.held.forEach((one) => slow.answer(one));
  await eventually(() => Promise.resolve(slow.settled), Boolean);
  assert.doesNotMatch(slow.screen.toLines().join("\n"), /ctrl-c cancels/);
});

Deno.test("a frame has the answers to what its panes have asked, and is not kept up by what they ask later", async () => {
  const slow = new Slow(({ table }) => table === "rpc.ls");
  slow.shown.press("7");
  await slow.begin();
  assert.equal(slow.settled, false);
  // Each sample is a reason to ask anew.
  for (const one of slow.held.splice(0)) {
    slow.answer(one);
    slow.shown.apply({ kind: "sample", sample: PHONE_SAMPLE });
  }
  await eventually(() => Promise.resolve(slow.settled), Boolean);
});

Deno.test("a frame waits for no answer of a session that is gone", async () => {
  const slow = new Slow(() => true);
  slow.shown.press("7");
  await slow.begin();
  assert.equal(slow.settled, false);
  slow.shown.end();
  await eventually(() => Promise.resolve(slow.settled), Boolean);
});
