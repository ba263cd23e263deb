// IPv6 behind the NAT: how a guest finds its prefix, router and name server, and what TCP, UDP, DNS
// and echo carry, each as with IPv4.

import assert from "node:assert/strict";
import {
  type Address,
  addressText,
  endpointText,
  inNetwork,
  ip,
  type Ip6,
  ip6,
  ip6Bytes,
  networkOf,
  parseIp6,
} from "../../../../src/kit/formats/ip-addresses.ts";
import {
  checksum,
  EtherType,
  IpProtocol,
  readEthernet,
  readIpv6,
  readTcp,
  readUdp,
  type Route,
  TcpFlag,
  writeIcmp,
  writeTcp,
  writeUdp,
} from "../../../../src/kit/formats/packets.ts";
import type { OutsideNetwork, StreamListener } from "../../../../src/machine/virtio/outside-network.ts";
import { Reassembly } from "../../../../src/kit/formats/reassembly.ts";
import { Nat } from "../../../../src/machine/virtio/net/nat/nat.ts";
import { NetDevice } from "../../../../src/machine/virtio/net/net.ts";
import { DEFAULT_NET_POLICY, type NetPolicy } from "../../../../src/machine/virtio/plan.ts";
import { Random } from "../../../support/random.ts";
import { TestDriver } from "../driver.ts";

const RX = 0;
const HEADER = 12;
const GUEST_MAC = Uint8Array.of(2, 0, 0, 0, 0, 1);
const LINK = ip6("fe80::ff:fe00:1"), GUEST = ip6("fd10:0:2::ff:fe00:1"), SECOND = ip6("fd10:0:2::abcd");
const FAR = ip6("2a00::7");
const ALL_ROUTERS = ip6("ff02::2"), UNSPECIFIED = ip6("::");
const NEIGHBOR_HOPS = 255;
const encode = (text: string) => new TextEncoder().encode(text);
const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

/** A guest, and the computer's sockets as a test sees them. */
function guest(policy: NetPolicy = DEFAULT_NET_POLICY, nameServer: Address = ip("127.0.0.53")) {
  const said: string[] = [];
  const streams: StreamListener[] = [], receivers: ((bytes: Uint8Array) => void)[] = [];
  const network: OutsideNetwork = {
    connect(address, port, _own, listener) {
      said.push(`connect ${endpointText(address, port)}`);
      streams.push(listener);
      return {
        write: (bytes) => void said.push(`write ${decode(bytes)}`),
        end: () => void said.push("end"),
        destroy: () => void said.push("destroy"),
        pause() {},
        resume() {},
      };
    },
    datagrams(address, port, _own, receive) {
      said.push(`open ${endpointText(address, port)}`);
      receivers.push(receive);
      return { send: (bytes) => void said.push(`send ${decode(bytes)}`), close() {} };
    },
    datagramPort: () => ({ send() {}, close() {} }),
    listen: () => ({ close() {} }),
    later: () => () => {},
    nameServer,
  };
  const device = new NetDevice(GUEST_MAC);
  const nat = new Nat({ device, network, forward: [], policy, onProblem: (message) => void said.push(message) });
  device.backend = nat;
  const driver = new TestDriver(device);
  driver.initialize();
  const buffers = Array.from({ length: 15 }, () => driver.offer(RX, [{ in: 1600 }])[0]);
  /** Packets that came since the last call. Checksums of those that are whole are right. */
  const take = () =>
    driver.used(RX).map((length) => {
      const at = buffers.shift()! + HEADER;
      const ethernet = readEthernet(driver.memory.bytes.slice(at, at + length - HEADER))!;
      assert.equal(ethernet.type, EtherType.IPV6);
      const packet = readIpv6(ethernet.payload)!;
      if (!packet.fragment) assert.equal(sumOf(packet.source, packet.destination, packet.protocol, packet.payload), 0, "checksum");
      return packet;
    });
  const route = (source: Ip6, destination: Ip6): Route => ({
    sourceMac: GUEST_MAC,
    source,
    destinationMac: new Uint8Array(6),
    destination,
  });
  return {
    said,
    streams,
    receivers,
    nat,
    device,
    take,
    icmp: (source: Ip6, destination: Ip6, message: number[], hops?: number) =>
      nat.send(writeIcmp(route(source, destination), Uint8Array.from(message), hops)),
    udp: (source: Ip6, destination: Ip6, port: number, text: string) =>
      nat.send(writeUdp(route(source, destination), 1000, port, encode(text))),
    tcp: (source: Ip6, destination: Ip6, segment: Partial<Parameters<typeof writeTcp>[1]>) =>
      nat.send(writeTcp(route(source, destination), {
        ...{ sourcePort: 1000, destinationPort: 80, sequence: 1, acknowledgment: 0, flags: TcpFlag.SYN, window: 60_000 },
        ...{ mss: undefined, windowScale: undefined, payload: new Uint8Array(0) },
        ...segment,
      })),
  };
}

/** The checksum of a packet's content with its pseudo header; 0 where it is right. */
function sumOf(source: Ip6, destination: Ip6, protocol: number, payload: Uint8Array): number {
  const pseudo = Uint8Array.from([
    ...ip6Bytes(source),
    ...ip6Bytes(destination),
    0,
    0,
    payload.length >> 8,
    payload.length & 0xff,
    0,
    0,
    0,
  ]);
  return checksum(payload, ~checksum(Uint8Array.from([...pseudo, protocol])) & 0xffff);
}

/** Options of a message of neighbor discovery, by type. */
function options(bytes: Uint8Array): Map<number, Uint8Array> {
  const found = new Map<number, Uint8Array>();
  for (let at = 0; at < bytes.length; at += 8 * bytes[at + 1]) found.set(bytes[at], bytes.subarray(at, at + 8 * bytes[at + 1]));
  return found;
}

const hex = (bytes: Uint8Array) => bytes.toHex();
const solicitation = (target: Ip6) => [135, 0, 0, 0, 0, 0, 0, 0, ...ip6Bytes(target), 1, 1, ...GUEST_MAC];

Deno.test("addresses of IPv6 are read and written as RFC 5952 has them", () => {
  const same = ["::", "::1", "2001:db8::7", "fe80::1:0:0:1", "1:2:3:4:5:6:7:8", "1::8", "::ffff:7f00:1", "0:1::"];
  for (const text of same.slice(0, -1)) assert.equal(addressText(ip6(text)), text);
  assert.equal(addressText(ip6("0:1::")), "0:1::");
  assert.equal(addressText(ip6("1:0:2:3:4:5:6:7")), "1:0:2:3:4:5:6:7", "one group of zeros is written");
  assert.equal(addressText(ip6("::ffff:127.0.0.1")), "::ffff:7f00:1");
  assert.equal(addressText(ip6("2001:0DB8:0::0007")), "2001:db8::7");
  for (
    const wrong of [
      "",
      "1",
      ":",
      ":::",
      "1::2::3",
      "1:2:3:4:5:6:7",
      "1:2:3:4:5:6:7:8:9",
      "12345::",
      "::1.2.3",
      "::1.2.3.256",
      "g::",
      "::1%lo",
    ]
  ) {
    assert.equal(parseIp6(wrong), undefined, wrong);
  }
  for (let bits = 0; bits <= 128; bits++) {
    const network = networkOf(ip6("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"), bits);
    const expected = bits === 0 ? 0n : (2n ** BigInt(bits) - 1n) << BigInt(128 - bits);
    assert.equal(BigInt(`0x${network}`), expected, `${bits}`);
    assert.equal(inNetwork(network, network, bits), true);
    if (bits > 0) assert.equal(inNetwork(ip6("::"), network, bits), false);
    assert.equal(inNetwork(network, ip6("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"), bits), true, `${bits}, address within the network`);
  }
});

Deno.test("a router solicitation is answered with prefix, router, MTU and name server", () => {
  const { icmp, take, said } = guest();
  icmp(LINK, ALL_ROUTERS, [133, 0, 0, 0, 0, 0, 0, 0], NEIGHBOR_HOPS);
  const [advertisement] = take();
  assert.deepEqual([addressText(advertisement.source), advertisement.destination, advertisement.hops], ["fe80::2", LINK, NEIGHBOR_HOPS]);
  const { payload } = advertisement;
  assert.deepEqual([...payload.subarray(0, 2), ...payload.subarray(4, 8)], [134, 0, 64, 0, 0xff, 0xff]);
  const found = options(payload.subarray(16));
  assert.deepEqual([...found.keys()], [1, 5, 3, 25]);
  assert.equal(hex(found.get(1)!), "01015255" + "0a000202");
  assert.equal(hex(found.get(5)!), "0501" + "0000" + "000005dc");
  assert.equal(hex(found.get(3)!), `030440c0${"f".repeat(16)}00000000${ip6("fd10:0:2::")}`);
  assert.equal(hex(found.get(25)!), `19030000ffffffff${ip6("fd10:0:2::3")}`);
  icmp(UNSPECIFIED, ALL_ROUTERS, [133, 0, 0, 0, 0, 0, 0, 0], NEIGHBOR_HOPS);
  assert.deepEqual(take().map(({ destination }) => addressText(destination)), ["ff02::1"]);
  assert.deepEqual(said, []);
});

Deno.test("neighbor solicitations for the network's own addresses are answered; others, and those from afar, are not", () => {
  const { icmp, take } = guest();
  for (const target of ["fe80::2", "fd10:0:2::2", "fd10:0:2::3"]) {
    icmp(GUEST, ip6("ff02::1:ff00:2"), solicitation(ip6(target)), NEIGHBOR_HOPS);
    const [answer, renewed] = take();
    assert.deepEqual([addressText(answer.source), answer.destination, answer.hops], [target, GUEST, NEIGHBOR_HOPS]);
    assert.equal(hex(answer.payload.subarray(4)), `e0000000${ip6(target)}020152550a000202`);
    assert.equal(renewed.payload[0], 134, "its route is renewed");
    // A node that would like to take the address learns that it is in use.
    icmp(UNSPECIFIED, ip6("ff02::1:ff00:2"), solicitation(ip6(target)), NEIGHBOR_HOPS);
    const taken = take();
    assert.deepEqual(taken.map(({ destination, payload }) => [addressText(destination), payload[4]]), [["ff02::1", 0xa0]]);
  }
  icmp(UNSPECIFIED, ip6("ff02::1:ff00:1"), solicitation(GUEST), NEIGHBOR_HOPS);
  icmp(GUEST, ip6("ff02::1:ff00:9"), solicitation(ip6("fd10:0:2::9")), NEIGHBOR_HOPS);
  icmp(GUEST, ip6("fe80::2"), solicitation(ip6("fe80::2")), 64);
  icmp(GUEST, ip6("fe80::2"), solicitation(ip6("fe80::2")).with(1, 1), NEIGHBOR_HOPS);
  icmp(GUEST, ALL_ROUTERS, [133, 0, 0, 0, 0, 0, 0, 0], 64);
  icmp(GUEST, ALL_ROUTERS, [133, 0, 0, 0], NEIGHBOR_HOPS);
  assert.deepEqual(take(), []);
});

Deno.test("an echo request to the router or name server is answered; to others it is refused, and that is said once", () => {
  const { icmp, take, said } = guest();
  const request = [128, 0, 0, 0, 1, 2, 3, 4, 5, 6];
  icmp(GUEST, ip6("fd10:0:2::2"), request);
  icmp(LINK, ip6("fe80::2"), request);
  const answers = take();
  assert.deepEqual(answers.map(({ source, destination }) => [addressText(source), destination]), [["fd10:0:2::2", GUEST], [
    "fe80::2",
    LINK,
  ]]);
  for (const { payload } of answers) assert.deepEqual([payload[0], ...payload.subarray(4)], [129, ...request.slice(4)]);
  for (const address of [FAR, ip6("::1"), ip6("fd10:0:2::9"), ip6("ff02::1")]) icmp(GUEST, address, request);
  icmp(GUEST, ip6("fd10:0:2::2"), request.slice(0, 7));
  const refused = take();
  assert.deepEqual(refused.map(({ source, destination }) => [addressText(source), destination]), Array(3).fill(["fd10:0:2::2", GUEST]));
  for (const { payload } of refused) {
    const quoted = readIpv6(payload.subarray(8))!;
    assert.deepEqual([payload[0], payload[1], quoted.source, [...quoted.payload.subarray(4)]], [1, 1, GUEST, request.slice(4)]);
  }
  assert.deepEqual(said, ["the guest's echo requests to 2a00::7 are refused: only the router and the name server answer ping"]);
});

Deno.test("a connection of TCP is carried on, with segments that fit, and answers to the address that opened it", () => {
  const { tcp, take, streams, said, nat } = guest();
  tcp(GUEST, FAR, { mss: 9000 });
  assert.deepEqual(said, ["connect [2a00::7]:80"]);
  streams[0].connected();
  const [synack] = take();
  const segment = readTcp(synack)!;
  assert.deepEqual([synack.source, synack.destination, segment.flags, segment.mss], [FAR, GUEST, TcpFlag.SYN | TcpFlag.ACK, 1440]);
  const next = segment.sequence + 1;
  tcp(GUEST, FAR, { flags: TcpFlag.ACK, sequence: 2, acknowledgment: next, payload: encode("hello") });
  assert.equal(said.at(-1), "write hello");
  take();
  streams[0].data(new Uint8Array(3000));
  assert.deepEqual(take().map((packet) => readTcp(packet)!.payload.length), [1440, 1440, 120], "frames of 1,500 bytes");
  // Another address of the guest has its own connection by the same ports.
  tcp(SECOND, FAR, { sequence: 77 });
  assert.equal(said.at(-1), "connect [2a00::7]:80");
  streams[1].closed("connection refused");
  const [reset] = take();
  assert.deepEqual([reset.destination, readTcp(reset)!.flags & TcpFlag.RST], [SECOND, TcpFlag.RST]);
  assert.ok(nat.busy);
});

Deno.test("what may not be reached is reset at once", () => {
  const { tcp, take, said } = guest();
  tcp(GUEST, ip6("::1"), {});
  const [reset] = take();
  const segment = readTcp(reset)!;
  assert.deepEqual([reset.source, segment.flags, segment.acknowledgment], [ip6("::1"), TcpFlag.RST | TcpFlag.ACK, 2]);
  assert.deepEqual(said, ["the guest may not reach [::1]:80; --net user,host=yes allows it"]);
});

Deno.test("datagrams go out by a flow for each address of the guest, and come back to it, in fragments if they are long", () => {
  const { udp, take, receivers, said } = guest();
  udp(GUEST, FAR, 123, "a");
  udp(GUEST, FAR, 123, "b");
  udp(SECOND, FAR, 123, "c");
  assert.deepEqual(said, ["open [2a00::7]:123", "send a", "send b", "open [2a00::7]:123", "send c"]);
  receivers[0](encode("one"));
  receivers[1](new Uint8Array(1452));
  assert.deepEqual(take().map((packet) => [packet.source, packet.destination, readUdp(packet)!.payload.length]), [[FAR, GUEST, 3], [
    FAR,
    SECOND,
    1452,
  ]]);
  receivers[1](new Uint8Array(1453));
  const pieces = take(), together = new Reassembly({ later: () => () => {}, dropped: () => assert.fail() });
  const [none, whole] = pieces.map((packet) => together.add(packet));
  assert.deepEqual([none, readUdp(whole!)!.payload.length, sumOf(whole!.source, whole!.destination, 17, whole!.payload)], [
    undefined,
    1453,
    0,
  ]);
  // An answer to this address is impossible.
  udp(UNSPECIFIED, FAR, 123, "d");
  udp(ip6("ff02::1"), FAR, 123, "d");
  udp(GUEST, FAR, 0, "d");
  assert.equal(said.length, 5);
});

Deno.test("the name server is the computer's, of either kind; what it may not be asked is refused", () => {
  const query = (policy: NetPolicy, server?: Address) => {
    const one = guest(policy, server);
    one.nat.send(writeUdp(
      { sourceMac: GUEST_MAC, source: GUEST, destinationMac: new Uint8Array(6), destination: ip6("fd10:0:2::3") },
      1000,
      53,
      Uint8Array.of(1, 2, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, 0x61, 0, 0, 28, 0, 1),
    ));
    return one;
  };
  assert.equal(query(DEFAULT_NET_POLICY).said[0], "open 127.0.0.53:53");
  assert.equal(query(DEFAULT_NET_POLICY, ip6("2a00::53")).said[0], "open [2a00::53]:53");
  const refused = query({ ...DEFAULT_NET_POLICY, internet: false });
  assert.deepEqual(refused.said, []);
  assert.equal(readUdp(refused.take()[0])!.payload[3] & 15, 5);
  // An answer with a refused address loses its records.
  const asked = query(DEFAULT_NET_POLICY);
  const record = (address: string) => [0xc0, 12, 0, 28, 0, 1, 0, 0, 0, 60, 0, 16, ...ip6Bytes(ip6(address))];
  const answer = (address: string) =>
    Uint8Array.from([1, 2, 0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0, 1, 0x61, 0, 0, 28, 0, 1, ...record(address)]);
  for (const address of ["2a00::7", "::1", "fd00::1"]) asked.receivers[0](answer(address));
  assert.deepEqual(asked.take().map((packet) => readUdp(packet)!.payload).map((bytes) => [bytes[3] & 15, bytes[7]]), [[0, 1], [3, 0], [
    3,
    0,
  ]]);
});

Deno.test("packets that are cut, lie about their length, are lone fragments or carry routes are lost, and none throws", () => {
  const { nat, take, said, device } = guest();
  const route = { sourceMac: GUEST_MAC, source: GUEST, destinationMac: new Uint8Array(6), destination: FAR };
  const frame = writeUdp(route, 1000, 123, encode("x")), header = 14;
  for (let length = 0; length < header + 40 + 9; length++) nat.send(frame.subarray(0, length));
  for (const [at, value] of [[4, 0xff], [6, 43], [6, 44], [6, 50], [6, 135]]) nat.send(frame.with(header + at, value));
  // Lost packets are counted, and each kind is reported once.
  assert.deepEqual(said.splice(0), [
    "the guest's packets of IP protocol 43 are refused; TCP, UDP and echo to the router are carried",
    "a datagram of the guest to 2a00::7 is lost: its fragments overlap, or do not all come (0 bytes came)",
  ]);
  assert.equal(device.metrics().tx_dropped, 4);
  // Options that a sender may put before the content.
  const extended = Uint8Array.from([
    ...frame.subarray(0, header + 40),
    17,
    0,
    1,
    4,
    0,
    0,
    0,
    0,
    ...frame.subarray(header + 40, header + 49),
  ]);
  extended[header + 5] += 8;
  for (const kind of [0, 60]) nat.send(extended.with(header + 6, kind));
  assert.deepEqual(said, ["open [2a00::7]:123", "send x", "send x"]);
  nat.send(extended.with(header + 6, 0).with(header + 41, 0xff));
  const random = new Random(1);
  for (let round = 0; round < 3000; round++) {
    const wild = (round % 2 ? extended : frame).slice();
    for (let count = 0; count < 3; count++) wild[header + random.below(wild.length - header)] = random.below(256);
    nat.send(wild);
  }
  take();
  assert.equal(IpProtocol.ICMPV6, 58);
});
