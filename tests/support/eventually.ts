// Questions that are asked again until the answer is as wanted.

import assert from "node:assert/strict";
import { PATIENCE } from "./patience.ts";

/** Wall time (ms) between two questions. */
const PAUSE = 100;

/** The first answer that is wanted. */
export async function eventually<T>(ask: () => Promise<T>, isWanted: (answer: T) => boolean): Promise<T> {
  for (const limit = performance.now() + PATIENCE;;) {
    const answer = await ask();
    if (isWanted(answer)) return answer;
    assert.ok(performance.now() < limit, `still ${JSON.stringify(answer)}`);
    await new Promise((resolve) => setTimeout(resolve, PAUSE));
  }
}
