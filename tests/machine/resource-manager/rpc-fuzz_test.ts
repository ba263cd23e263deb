// A million messages to the Resource Manager (EL2_LONG=1; less of them otherwise): valid ones,
// mutated, truncated, in fragments out of order, about what belongs to others. Nothing throws or
// hangs, each is answered as it says or dropped, the checker finds nothing.

import { Random } from "../../support/random.ts";
import { World } from "./rpc-fuzzer.ts";
import { LONG } from "../../support/long.ts";

const MESSAGES = LONG ? 1_000_000 : 4_000;
const MESSAGES_WITH_FAULTS = LONG ? 100_000 : 1_000;
/** Messages in one world. */
const ROUND = 2_000;

function send(messages: number, faults: boolean): void {
  let sent = 0;
  for (let seed = 1; sent < messages; seed++) {
    const world = new World(new Random(seed), faults);
    try {
      for (let count = 0; count < ROUND && sent < messages && world.populated; count++, sent++) world.step();
      world.sweep();
    } catch (failure) {
      if (failure instanceof Error) failure.message = `seed ${seed}: ${failure.message}`;
      throw failure;
    }
  }
}

Deno.test(`${MESSAGES} hostile messages are answered or dropped as they must be`, () => send(MESSAGES, false));

Deno.test(`${MESSAGES_WITH_FAULTS} hostile messages are answered, and what is refused has changed nothing, though hypercalls fail`, () => {
  send(MESSAGES_WITH_FAULTS, true);
});
