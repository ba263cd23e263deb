import assert from "node:assert/strict";
import { Place } from "../../place.ts";

Deno.test("queue send puts a message into a queue, queue ring shows it, queue flush takes it out; ring-bell sets flags", async () => {
  await using place = new Place();
  await place.up("one");
  await place.json("pause");
  const queues = (await place.json("queue", "ls")).data;
  const queue = queues.find(({ kind, count }) => kind === "msgqueue" && count === 0)!.id as string;
  const sent = await place.el2("queue", "send", queue, "hello");
  assert.deepEqual([sent.code, sent.stderr.includes(`sent 5 bytes to ${queue}`)], [0, true], sent.stderr);
  const [message] = (await place.json("queue", "ring", queue)).data;
  assert.ok(message.ascii === "hello", JSON.stringify(message));
  assert.equal((await place.json("show", queue)).data[0].count, 1);
  assert.equal((await place.el2("queue", "flush", queue)).code, 0);
  assert.deepEqual((await place.json("queue", "ring", queue)).data, []);
  for (
    const [words, says] of [[["send", queue, "abc"], /^el2: queue send: "abc"/], [
      ["ring-bell", "db:1", "x"],
      /^el2: queue ring-bell: "x"/,
    ]] as const
  ) {
    const wrong = await place.el2("queue", ...words);
    assert.deepEqual([wrong.code, says.test(wrong.stderr)], [2, true], wrong.stderr);
  }
});
