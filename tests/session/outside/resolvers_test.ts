import assert from "node:assert/strict";
import { type Address, addressText, ip, ip6 } from "../../../src/kit/formats/ip-addresses.ts";
import { ANSWER_MS } from "../../../src/kit/formats/resolv-conf.ts";
import { Resolvers } from "../../../src/session/outside/resolvers.ts";

const [DEAD, ALIVE, LAST] = [ip("127.0.0.53"), ip("10.0.0.1"), ip6("2a00::53")];
const query = (id: number) => Uint8Array.of(id >> 8, id & 0xff, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 1);

/** Resolvers of which some answer, in a time that the test moves. */
function resolvers(named: () => Address[], alive: (address: Address) => boolean) {
  const asked: string[] = [], received: number[] = [], said: string[] = [];
  const timers = new Set<{ at: number; action: () => void }>();
  let open = 0, now = 0;
  const one = new Resolvers(named, (milliseconds, action) => {
    const timer = { at: now + milliseconds, action };
    timers.add(timer);
    return () => void timers.delete(timer);
  });
  const pass = (milliseconds: number) => {
    for (const end = now + milliseconds; now < end; now++) {
      for (const timer of [...timers].filter(({ at }) => at === now + 1)) {
        timers.delete(timer);
        timer.action();
      }
    }
  };
  const socket = (address: Address, receive: (bytes: Uint8Array) => void) => {
    open++;
    return {
      send(bytes: Uint8Array) {
        asked.push(addressText(address));
        if (alive(address)) receive(bytes.with(2, 0x81));
      },
      close: () => void open--,
    };
  };
  const flow = () => one.datagrams(socket, (bytes) => void received.push(bytes[0] << 8 | bytes[1]), (text) => void said.push(text));
  return { flow, asked, received, said, pass, open: () => open };
}

Deno.test("a query that a dead resolver does not answer goes to the next; later ones begin there, and it is said once", () => {
  const { flow, asked, received, said, pass, open } = resolvers(() => [DEAD, ALIVE, LAST], (address) => address === ALIVE);
  const first = flow();
  first.send(query(7));
  // Asked again by the guest, which waits longer than we do: no second chain of queries begins.
  first.send(query(7));
  assert.deepEqual([asked.splice(0), received], [["127.0.0.53", "127.0.0.53"], []]);
  pass(ANSWER_MS);
  assert.deepEqual([asked.splice(0), received.splice(0)], [["10.0.0.1"], [7]]);
  pass(ANSWER_MS * 5);
  first.send(query(8));
  const second = flow();
  second.send(query(9));
  assert.deepEqual([asked.splice(0), received], [["10.0.0.1", "10.0.0.1"], [8, 9]]);
  assert.deepEqual(said, ["the resolver 127.0.0.53 of /etc/resolv.conf does not answer; 10.0.0.1 is asked"]);
  first.close();
  second.close();
  assert.equal(open(), 0);
});

Deno.test("if no resolver answers, each is asked and reported once, and the next query begins again", () => {
  const { flow, asked, received, said, pass } = resolvers(() => [DEAD, LAST], () => false);
  const one = flow();
  for (let id = 0; id < 2; id++) {
    one.send(query(id));
    pass(ANSWER_MS * 3);
  }
  assert.deepEqual([asked, received], [["127.0.0.53", "2a00::53", "127.0.0.53", "2a00::53"], []]);
  assert.deepEqual(said, [
    "the resolver 127.0.0.53 of /etc/resolv.conf does not answer; 2a00::53 is asked",
    "the resolver 2a00::53 of /etc/resolv.conf does not answer; no other is named",
  ]);
});

Deno.test("a resolver that the computer names while a machine runs is asked", () => {
  let named: Address[] = [DEAD];
  const { flow, asked } = resolvers(() => named, () => true);
  flow().send(query(1));
  named = [LAST];
  flow().send(query(2));
  assert.deepEqual(asked, ["127.0.0.53", "2a00::53"]);
});

Deno.test("a guest that asks without end, and answers to nothing, keep a bounded number of queries", () => {
  const { flow, asked, pass } = resolvers(() => [DEAD, ALIVE], () => false);
  const one = flow();
  for (let id = 0; id < 10_000; id++) one.send(query(id));
  one.send(Uint8Array.of(1));
  pass(ANSWER_MS * 3);
  assert.equal(asked.length, 10_001 + 64);
  one.send(query(1));
  one.close();
  pass(ANSWER_MS * 3);
  assert.equal(asked.length, 10_001 + 64 + 1);
});
