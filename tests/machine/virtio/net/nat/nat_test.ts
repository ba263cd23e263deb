import assert from "node:assert/strict";
import type { DatagramPeer, OutsideNetwork, OutsideStream, StreamListener } from "../../../../../src/machine/virtio/outside-network.ts";
import { NatAddress } from "../../../../../src/machine/virtio/net/nat/addresses.ts";
import { Nat } from "../../../../../src/machine/virtio/net/nat/nat.ts";
import {
  checksum,
  fragmentsOf,
  readEthernet,
  readIp,
  readUdp,
  type Route,
  writeIcmp,
  writeUdp,
} from "../../../../../src/kit/formats/packets.ts";
import { Reassembly } from "../../../../../src/kit/formats/reassembly.ts";
import { NetDevice } from "../../../../../src/machine/virtio/net/net.ts";
import { DEFAULT_NET_POLICY, type NetPolicy, parseForward } from "../../../../../src/machine/virtio/plan.ts";
import { TestDriver } from "../../driver.ts";
import { Random } from "../../../../support/random.ts";

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

/** A guest whose datagrams may be long: frames as it sends and gets them. */
function longGuest() {
  const said: string[] = [], sent: Uint8Array[] = [], frames: Uint8Array[] = [];
  let answer: (bytes: Uint8Array) => void = () => assert.fail("no flow");
  const network: OutsideNetwork = {
    connect: () => assert.fail("no stream is wanted"),
    datagrams: (_address, _port, _own, receive) => {
      answer = receive;
      return { send: (bytes) => void sent.push(bytes), close: () => {} };
    },
    datagramPort: () => ({ send: () => {}, close: () => {} }),
    listen: () => ({ close: () => {} }),
    later: () => () => {},
    nameServer: LOOPBACK,
  };
  const device = new NetDevice(GUEST_MAC);
  const nat = new Nat({ device, network, forward: [], policy: OPEN, onProblem: (message) => void said.push(message) });
  device.receive = (frame) => void frames.push(frame);
  return { nat, said, sent, frames, answer: (bytes: Uint8Array) => answer(bytes) };
}

const route = (destination: number): Route => ({
  sourceMac: GUEST_MAC,
  source: NatAddress.Guest,
  destinationMac: new Uint8Array(6),
  destination,
});
const long = (length: number) => Uint8Array.from({ length }, (_, index) => index * 7 & 0xff);

Deno.test("datagrams of up to 64 KiB pass in both directions, in fragments of the link's 1,500 bytes", () => {
  for (const length of [1472, 1473, 3000, 60_000, 65_507]) {
    const { nat, sent, frames, said, answer } = longGuest();
    // In any order.
    const cut = fragmentsOf(writeUdp(route(0x0808_0808), 1000, 123, long(length)), 1500, 7);
    assert.equal(cut.length, Math.ceil((length + 8) / 1480));
    for (const frame of cut.reverse()) nat.send(frame);
    assert.deepEqual(sent, [long(length)], `${length} bytes to the outside`);
    answer(long(length));
    const together = new Reassembly({ later: () => () => {}, dropped: () => assert.fail("a fragment does not fit") });
    const whole = frames.map((frame) => {
      assert.ok(frame.length <= 1514);
      return together.add(readIp(readEthernet(frame)!.payload)!);
    });
    assert.deepEqual(whole.filter(Boolean).map((packet) => readUdp(packet!)!.payload), [long(length)], `${length} bytes to the guest`);
    assert.deepEqual([nat.options.device.metrics().tx_dropped, said], [0, []]);
  }
});

Deno.test("an echo request of any size to the router is answered; one beyond it is refused, as is what sockets cannot carry", () => {
  const { nat, frames, said } = longGuest();
  const echo = Uint8Array.from([8, 0, 0, 0, 1, 2, 3, 4, ...long(2000)]);
  for (const frame of fragmentsOf(writeIcmp(route(NatAddress.Router), echo), 1500, 1)) nat.send(frame);
  assert.equal(frames.splice(0).length, 2);
  nat.send(writeIcmp(route(0x0808_0808), echo.subarray(0, 64)));
  nat.send(writeIcmp(route(0x0909_0909), echo.subarray(0, 64)));
  // SCTP.
  const sctp = writeUdp(route(0x0808_0808), 1, 2, long(30));
  sctp[14 + 9] = 132;
  sctp.set([0, 0], 14 + 10);
  const sum = checksum(sctp.subarray(14, 34));
  nat.send(sctp.with(24, sum >> 8).with(25, sum & 0xff));
  const errors = frames.map((frame) => readIp(readEthernet(frame)!.payload)!);
  assert.deepEqual(errors.map(({ source, payload }) => [source, payload[0], payload[1]]), [[NatAddress.Router, 3, 13], [
    NatAddress.Router,
    3,
    13,
  ], [NatAddress.Router, 3, 2]]);
  assert.deepEqual([...errors[0].payload.subarray(28)], [...writeIcmp(route(0), echo.subarray(0, 64)).subarray(34, 42)]);
  assert.deepEqual(said, [
    "the guest's echo requests to 8.8.8.8 are refused: only the router and the name server answer ping",
    "the guest's packets of IP protocol 132 are refused; TCP, UDP and echo to the router are carried",
  ]);
  assert.equal(nat.options.device.metrics().tx_dropped, 3);
  // Nobody in particular should have these.
  for (const address of [0xffff_ffff, 0xe000_00fb, 0x0a00_02ff]) nat.send(writeIcmp(route(address), echo.subarray(0, 64)));
  assert.equal(frames.length, 3);
});

Deno.test("fragments that overlap or never end cost a bounded number of bytes, are counted and reported once", () => {
  const { nat, sent, said } = longGuest();
  const cut = fragmentsOf(writeUdp(route(0x0808_0808), 1000, 123, long(5000)), 1500, 7);
  nat.send(cut[0]);
  nat.send(cut[0]);
  assert.match(said[0], /^a datagram of the guest to 8\.8\.8\.8 is lost: its fragments overlap/);
  for (let id = 0; id < 1000; id++) nat.send(fragmentsOf(writeUdp(route(0x0808_0808), 1000, 123, long(5000)), 1500, id)[1]);
  assert.equal(nat.options.device.metrics().tx_dropped, 1 + 1000 - 16);
  assert.equal(nat.busy, true);
  assert.deepEqual([sent.length, said.length], [0, 1]);
  nat.close();
  assert.equal(nat.busy, false);
  const random = new Random(5);
  for (let round = 0; round < 20_000; round++) {
    const wild = cut[random.below(cut.length)].slice();
    wild[14 + 6] = random.below(64);
    wild[14 + 7] = random.below(256);
    wild[14 + 5] = random.below(4);
    wild.set([0, 0], 14 + 10);
    const sum = checksum(wild.subarray(14, 34));
    nat.send(wild.with(24, sum >> 8).with(25, sum & 0xff));
  }
});
