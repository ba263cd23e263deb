import assert from "node:assert/strict";
import type { OutsideStream } from "../../../../../src/machine/virtio/outside-network.ts";
import { TcpFlag, type TcpSegment } from "../../../../../src/kit/formats/packets.ts";
import { TcpConnection } from "../../../../../src/machine/virtio/net/nat/tcp.ts";

const { SYN, ACK, RST } = TcpFlag;
const FIRST = 1000;

/** A connection that a guest has opened, whose timers a test runs. */
function opened() {
  const sent: Omit<TcpSegment, "sourcePort" | "destinationPort">[] = [];
  const timers = new Set<() => void>();
  let over = false;
  const connection = new TcpConnection({
    mss: 1460,
    send: (segment) => sent.push(segment) > 0,
    closed: () => over = true,
    later: (_milliseconds, action) => {
      timers.add(action);
      return () => timers.delete(action);
    },
    initialSequence: () => FIRST,
  }, true);
  const stream: OutsideStream = { write: () => {}, end: () => {}, destroy: () => {}, pause: () => {}, resume: () => {} };
  const receive = (flags: number, acknowledgment: number, window: number) =>
    connection.receive({
      ...{ sourcePort: 1, destinationPort: 2, sequence: flags & SYN ? 0 : 1, acknowledgment, flags, window },
      ...{ mss: undefined, windowScale: undefined, payload: new Uint8Array(0) },
    });
  receive(SYN, 0, 0);
  connection.carry(stream);
  connection.connected();
  receive(ACK, FIRST + 1, 10);
  /** All that was sent since the last call. */
  const take = () => sent.splice(0);
  /** The timers that run out now. */
  const wait = () => {
    for (const timer of [...timers]) {
      timers.delete(timer);
      timer();
    }
  };
  take();
  return { connection, receive, take, wait, isOver: () => over };
}

Deno.test("a guest that keeps its window closed and answers each probe keeps its connection, and gets the rest when it opens", () => {
  const { connection, receive, take, wait, isOver } = opened();
  connection.data(new Uint8Array(30).fill(7));
  assert.deepEqual(take().map(({ payload }) => payload.length), [10]);
  receive(ACK, FIRST + 11, 0);
  for (let second = 0; second < 60; second++) {
    wait();
    assert.deepEqual(take().map(({ payload }) => payload.length), [1], `probe ${second}`);
    receive(ACK, FIRST + 11, 0);
  }
  receive(ACK, FIRST + 11, 100);
  assert.deepEqual(take().map(({ sequence, payload }) => [sequence, payload.length]), [[FIRST + 11, 20]]);
  assert.equal(isOver(), false);
});

Deno.test("a guest that answers nothing any more loses its connection", () => {
  const { connection, take, wait, isOver } = opened();
  connection.data(new Uint8Array(5));
  for (let second = 0; second < 10; second++) wait();
  assert.equal(isOver(), true);
  assert.equal(take().at(-1)!.flags, RST | ACK);
});
