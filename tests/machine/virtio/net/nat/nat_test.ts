import assert from "node:assert/strict";
import type { DatagramPeer, OutsideNetwork, OutsideStream, StreamListener } from "../../../../../src/machine/virtio/outside-network.ts";
import { Nat, NatAddress } from "../../../../../src/machine/virtio/net/nat/nat.ts";
import { readEthernet, readIp, readUdp, type Route, writeUdp } from "../../../../../src/kit/formats/packets.ts";
import { NetDevice } from "../../../../../src/machine/virtio/net/net.ts";
import { DEFAULT_NET_POLICY, type NetPolicy, parseForward } from "../../../../../src/machine/virtio/plan.ts";
import { TestDriver } from "../../driver.ts";

const RX = 0, TX = 1;
const HEADER = 12;
const GUEST_MAC = Uint8Array.of(2, 0, 0, 0, 0, 1);
const LOOPBACK = 0x7f00_0001;
const encode = (text: string) => new TextEncoder().encode(text);
const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

/** A network whose datagrams a test sends and sees. */
class FakeNetwork implements OutsideNetwork {
  readonly ports = new Map<number, (peer: DatagramPeer, bytes: Uint8Array) => void>();
  readonly sent: string[] = [];
  readonly timers: (() => void)[] = [];
  readonly nameServer = LOOPBACK;

  connect(): OutsideStream {
    throw new Error("no stream is wanted");
  }

  datagrams(address: number, port: number) {
    this.sent.push(`open ${address.toString(16)}:${port}`);
    return {
      send: (bytes: Uint8Array) => void this.sent.push(`${port}: ${decode(bytes)}`),
      close: () => void this.sent.push(`close ${port}`),
    };
  }

  datagramPort(port: number, receive: (peer: DatagramPeer, bytes: Uint8Array) => void) {
    this.ports.set(port, receive);
    return {
      send: (peer: DatagramPeer, bytes: Uint8Array) => void this.sent.push(`to ${peer.port}: ${decode(bytes)}`),
      close: () => void this.ports.delete(port),
    };
  }

  /** Makes a connection to the port that is forwarded. */
  accept: ((stream: OutsideStream) => StreamListener) | undefined;

  listen(_port: number, accept: (stream: OutsideStream) => StreamListener) {
    this.accept = accept;
    return { close: () => {} };
  }

  later(_milliseconds: number, action: () => void) {
    this.timers.push(action);
    return () => void this.timers.splice(this.timers.indexOf(action), 1);
  }
}

/** Everything, and this computer. */
const OPEN = { ...DEFAULT_NET_POLICY, host: true, lan: true };

function guest(forwards: string[], policy: NetPolicy = OPEN, onProblem: (message: string) => void = (message) => assert.fail(message)) {
  const network = new FakeNetwork();
  const device = new NetDevice(GUEST_MAC);
  const nat = new Nat({
    device,
    network,
    forward: forwards.map((text) => parseForward(text)!),
    policy,
    onProblem,
  });
  device.backend = nat;
  const driver = new TestDriver(device);
  driver.initialize();
  const buffers = Array.from({ length: 12 }, () => driver.offer(RX, [{ in: 1600 }])[0]);
  /** Datagrams that came since the last call. */
  const take = () =>
    driver.used(RX).map((length) => {
      const at = buffers.shift()! + HEADER;
      const packet = readIp(readEthernet(driver.memory.bytes.slice(at, at + length - HEADER))!.payload)!;
      const { sourcePort, destinationPort, payload } = readUdp(packet)!;
      return { source: packet.source, sourcePort, destinationPort, text: decode(payload) };
    });
  const send = (sourcePort: number, destination: number, destinationPort: number, text: string) => {
    const route: Route = { sourceMac: GUEST_MAC, source: NatAddress.Guest, destinationMac: new Uint8Array(6), destination };
    driver.offer(TX, [{ out: new Uint8Array(HEADER) }, { out: writeUdp(route, sourcePort, destinationPort, encode(text)) }]);
  };
  return { network, nat, take, send };
}

Deno.test("a forwarded UDP port brings datagrams of each peer to the guest, and the guest's answers back to the peer", () => {
  const { network, nat, take, send } = guest(["udp:5353:53"]);
  assert.equal(nat.listens, true);
  const receive = network.ports.get(5353)!;
  receive({ address: LOOPBACK, port: 40_001 }, encode("one"));
  receive({ address: LOOPBACK, port: 40_002 }, encode("two"));
  const from = { source: NatAddress.Router, destinationPort: 53 };
  assert.deepEqual(take(), [{ ...from, sourcePort: 40_001, text: "one" }, { ...from, sourcePort: 40_002, text: "two" }]);
  send(53, NatAddress.Router, 40_002, "answer");
  assert.deepEqual(network.sent, ["to 40002: answer"]);
  assert.equal(nat.busy, true);
  for (const timer of [...network.timers]) timer();
  assert.equal(nat.busy, false);
  nat.close();
  assert.deepEqual([...network.ports], []);
});

Deno.test("a guest's own datagrams go out by a socket for each flow, which ends when it is not used", () => {
  const { network, send } = guest([]);
  send(1000, 0x0808_0808, 123, "a");
  send(1000, 0x0808_0808, 123, "b");
  send(1000, NatAddress.Dns, 53, "query");
  assert.deepEqual(network.sent, ["open 8080808:123", "123: a", "123: b", "open 7f000001:53", "53: query"]);
  // The second in which openings are counted, and the two flows.
  assert.equal(network.timers.length, 3);
  network.timers[1]();
  assert.equal(network.sent.at(-1), "close 123");
});

Deno.test("a datagram to port 0, which sockets of the host refuse, goes nowhere", () => {
  const { network, nat, send } = guest([]);
  send(1000, 0x0808_0808, 0, "a");
  assert.deepEqual([network.sent, nat.busy], [[], false]);
});

Deno.test("a forwarded connection that stays keeps its port, however many come and go beside it", () => {
  const { network, nat } = guest(["2222:22"]);
  const stream: OutsideStream = { write: () => {}, end: () => {}, destroy: () => {}, pause: () => {}, resume: () => {} };
  const stays = network.accept!(stream);
  for (let others = 1; others < 16_384; others++) network.accept!(stream).closed("gone");
  const last = network.accept!(stream);
  stays.closed("gone");
  assert.equal(nat.busy, true);
  last.closed("gone");
  assert.equal(nat.busy, false);
});

Deno.test("forwards are written HOST:GUEST, for UDP with udp: before", () => {
  assert.deepEqual(parseForward("2222:22"), { protocol: "tcp", host: 2222, guest: 22 });
  assert.deepEqual(parseForward("udp:1:65535"), { protocol: "udp", host: 1, guest: 65535 });
  for (const wrong of ["", "22", "0:22", "22:65536", "sctp:1:2", "a:b", "1:2:3", "-1:2"]) {
    assert.equal(parseForward(wrong), undefined, wrong);
  }
});
