// Messages between two threads in a ring of words.

import assert from "node:assert/strict";
import { WordRing } from "../../../../src/kit/support/values/word-ring.ts";
import { Random } from "../../../support/random.ts";

const CAPACITY = 64;

Deno.test("messages come out of a ring as they went in, in order, wherever it ends, also where its counts wrap around", () => {
  const buffer = WordRing.bufferFor(CAPACITY), words = new Int32Array(buffer);
  // Just before the counts overflow.
  words[0] = words[1] = 0x7fff_ffff - 5000;
  const writer = new WordRing(buffer), reader = new WordRing(buffer), random = new Random(1), sent: Int32Array[] = [];
  let refused = 0;
  for (let round = 0; round < 3000; round++) {
    const message = Int32Array.from({ length: random.below(CAPACITY) }, () => random.word());
    const used = sent.reduce((sum, { length }) => sum + 1 + length, 0), fits = used + 1 + message.length <= CAPACITY;
    assert.equal(writer.write(message), fits);
    if (fits) sent.push(message);
    else refused++;
    while (sent.length && random.below(2)) assert.deepEqual(reader.read(), sent.shift());
    if (!sent.length) assert.equal(reader.read(), undefined);
  }
  assert.ok(refused > 100 && words[0] < 0, "it was full, and the counts wrapped around");
});

Deno.test("a message longer than the ring is refused by name; nobody waits for a message that is there", () => {
  const ring = new WordRing(WordRing.bufferFor(CAPACITY));
  assert.equal(ring.holds(CAPACITY - 1), true);
  assert.equal(ring.holds(CAPACITY), false);
  assert.throws(() => ring.writeWaiting(new Int32Array(CAPACITY)), /64 words is longer than the ring/);
  assert.equal(ring.waitForMessage(0), false);
  ring.writeWaiting(Int32Array.of(1, 2));
  assert.equal(ring.waitForMessage(1e9), true);
  assert.deepEqual(ring.read(), Int32Array.of(1, 2));
});

Deno.test("one thread waits for the other's room and messages", async () => {
  const there = WordRing.bufferFor(CAPACITY), back = WordRing.bufferFor(CAPACITY);
  const program = `import { WordRing } from ${JSON.stringify(new URL("../../../../src/kit/support/values/word-ring.ts", import.meta.url))};
    onmessage = ({ data: [there, back] }) => {
      const from = new WordRing(there), to = new WordRing(back);
      for (let left = 500; left > 0;) {
        const message = from.read();
        if (!message) { from.waitForMessage(1e9); continue; }
        to.writeWaiting(message.map((word) => word + 1));
        left--;
      }
      postMessage("done");
    };
    postMessage("ready");`;
  const worker = new Worker(URL.createObjectURL(new Blob([program], { type: "text/typescript" })), { type: "module" });
  const next = () => new Promise((resolve) => worker.onmessage = ({ data }) => resolve(data));
  assert.equal(await next(), "ready");
  const done = next(), to = new WordRing(there), from = new WordRing(back);
  worker.postMessage([there, back]);
  let sent = 0, heard = 0;
  while (heard < 500) {
    if (sent < 500 && to.write(new Int32Array(20).fill(sent))) sent++;
    else await new Promise((resolve) => setTimeout(resolve, 0));
    for (let message = from.read(); message; message = from.read()) assert.deepEqual(message, new Int32Array(20).fill(1 + heard++));
  }
  assert.equal(await done, "done");
  worker.terminate();
});
