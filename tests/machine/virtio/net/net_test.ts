import assert from "node:assert/strict";
import { NetDevice } from "../../../../src/machine/virtio/net/net.ts";
import { finish, readOffload, writeOffload } from "../../../../src/machine/virtio/net/offload.ts";
import { ip } from "../../../../src/kit/formats/ip-addresses.ts";
import { checksum, EtherType, IpProtocol, readEthernet, readIp, readTcp, TcpFlag, writeTcp } from "../../../../src/kit/formats/packets.ts";
import { NetSwitch } from "../../../../src/machine/virtio/net/switch.ts";
import { TestDriver } from "../driver.ts";

const RX = 0, TX = 1;
const HEADER = 12;
const Bit = { CSUM: 0, GUEST_CSUM: 1, GUEST_TSO4: 7, HOST_TSO4: 11, MRG_RXBUF: 15, VERSION_1: 32 } as const;
const TCP = 34, TCP_CHECKSUM = 16, HEADERS = 54;
const [SOURCE, DESTINATION] = [ip("10.0.0.1"), ip("10.0.0.2")];
const mac = (number: number) => Uint8Array.of(2, 0, 0, 0, 0, number);

/** A guest with a network card on a switch. */
class Card {
  readonly device: NetDevice;
  readonly driver: TestDriver;
  readonly #buffers: number[] = [];

  constructor(number: number, lan: NetSwitch, accept: (bit: number) => boolean) {
    this.device = new NetDevice(mac(number));
    lan.plug(this.device);
    this.driver = new TestDriver(this.device);
    this.driver.initialize((bit) => bit === Bit.VERSION_1 || accept(bit));
  }

  offer(count: number, size: number): void {
    for (let i = 0; i < count; i++) this.#buffers.push(...this.driver.offer(RX, [{ in: size }]));
  }

  /** Frames with their headers, each of as many buffers as its header says. */
  take(): { header: Uint8Array; frame: Uint8Array }[] {
    const parts = this.driver.used(RX).map((length) => {
      const address = this.#buffers.shift()!;
      return this.driver.memory.bytes.slice(address, address + length);
    });
    const frames: { header: Uint8Array; frame: Uint8Array }[] = [];
    while (parts.length) {
      const count = parts[0][10];
      const bytes = Uint8Array.from(parts.splice(0, count).flatMap((part) => [...part]));
      frames.push({ header: bytes.slice(0, HEADER), frame: bytes.slice(HEADER) });
    }
    return frames;
  }

  send(header: Uint8Array, frame: Uint8Array): void {
    const pieces = [
      header,
      ...Array.from({ length: Math.ceil(frame.length / 2000) }, (_, index) => frame.slice(2000 * index, 2000 * index + 2000)),
    ];
    this.driver.offer(TX, pieces.map((out) => ({ out })));
  }
}

/**
 * A segment of TCP with this much data, as a driver hands it over that leaves checksum and cutting
 * to its device.
 */
function longSegment(length: number, size: number): { header: Uint8Array; frame: Uint8Array; data: Uint8Array } {
  const data = Uint8Array.from({ length }, (_, index) => index * 7 + (index >> 8));
  const route = { sourceMac: mac(1), source: SOURCE, destinationMac: mac(2), destination: DESTINATION };
  const fields = { sourcePort: 1, destinationPort: 2, sequence: 0xffff_ff00, acknowledgment: 5, window: 6 };
  const flags = TcpFlag.ACK | TcpFlag.PSH | TcpFlag.FIN;
  const frame = writeTcp(route, { ...fields, flags, mss: undefined, windowScale: undefined, payload: data });
  const tcpLength = frame.length - TCP;
  const pseudo = new Uint8Array(12);
  new DataView(pseudo.buffer).setUint32(0, SOURCE);
  new DataView(pseudo.buffer).setUint32(4, DESTINATION);
  pseudo.set([0, IpProtocol.TCP, tcpLength >> 8, tcpLength & 0xff], 8);
  new DataView(frame.buffer).setUint16(TCP + TCP_CHECKSUM, ~checksum(pseudo) & 0xffff);
  return { header: writeOffload({ checksum: { start: TCP, offset: TCP_CHECKSUM }, segments: { type: 1, size } }, frame, 0), frame, data };
}

/** The segment in a frame whose checksums are right. */
function rightSegment(frame: Uint8Array) {
  const ethernet = readEthernet(frame)!;
  assert.equal(ethernet.type, EtherType.IPV4);
  const packet = readIp(ethernet.payload)!;
  const { payload } = packet;
  const sum = (address: number) => (address >>> 16) + (address & 0xffff);
  assert.equal(checksum(payload, sum(packet.source) + sum(packet.destination) + packet.protocol + payload.length), 0);
  return readTcp(packet)!;
}

Deno.test("a receiver that takes no long segments gets them cut, with their own sequence numbers, flags and checksums", () => {
  const lan = new NetSwitch();
  const [from, to] = [new Card(1, lan, (bit) => bit === Bit.CSUM || bit === Bit.HOST_TSO4), new Card(2, lan, () => false)];
  to.offer(8, 1600);
  const { header, frame, data } = longSegment(3500, 1460);
  from.send(header, frame);
  const segments = to.take().map(({ header, frame }) => {
    assert.deepEqual([...header], [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0]);
    return rightSegment(frame);
  });
  assert.deepEqual(segments.map(({ sequence }) => sequence), [0xffff_ff00, 0x4b4, 0xa68]);
  assert.deepEqual(segments.map(({ payload }) => payload.length), [1460, 1460, 580]);
  assert.deepEqual(segments.map(({ flags }) => flags), [TcpFlag.ACK, TcpFlag.ACK, TcpFlag.ACK | TcpFlag.PSH | TcpFlag.FIN]);
  assert.deepEqual(Uint8Array.from(segments.flatMap(({ payload }) => [...payload])), data);
});

Deno.test("a receiver that takes long segments gets them as they were sent, in as many buffers as it takes", () => {
  const lan = new NetSwitch();
  const takes = (bit: number) => bit === Bit.GUEST_CSUM || bit === Bit.GUEST_TSO4 || bit === Bit.MRG_RXBUF;
  const [from, to] = [new Card(1, lan, (bit) => bit === Bit.CSUM || bit === Bit.HOST_TSO4), new Card(2, lan, takes)];
  const { header, frame } = longSegment(9000, 1460);
  to.offer(4, 0x800);
  from.send(header, frame);
  assert.deepEqual(to.take(), []);
  to.offer(1, 0x800);
  const [got] = to.take();
  assert.deepEqual(got.frame, frame);
  assert.deepEqual([...got.header], [...header.slice(0, 10), 5, 0]);
  assert.equal(new DataView(got.header.buffer).getUint16(2, true), HEADERS);
  assert.equal(to.device.metrics().rx_frames, 1);
});

Deno.test("an unfinished checksum is finished for a receiver that wants it so, and not before", () => {
  const { frame } = longSegment(100, 1460);
  const offload = { checksum: { start: TCP, offset: TCP_CHECKSUM } };
  const none = { checksum: false, tcp4: false, tcp6: false };
  const [finished] = finish(frame, offload, none);
  rightSegment(finished.frame);
  assert.deepEqual(finished.offload, {});
  assert.deepEqual(finish(frame, offload, { ...none, checksum: true }), [{ frame, offload }]);
});

Deno.test("a header that does not fit its frame is refused", () => {
  const { header, frame } = longSegment(3000, 1460);
  const changed = (at: number, value: number) => {
    const copy = header.slice();
    copy[at] = value;
    return readOffload(copy, frame);
  };
  assert.ok(readOffload(header, frame)?.segments);
  assert.equal(changed(0, 0), undefined, "segments without a checksum");
  assert.equal(changed(1, 4), undefined, "IPv6 that is none");
  assert.equal(changed(1, 3), undefined, "UDP");
  assert.equal(changed(8, 6), undefined, "a checksum that is not TCP's");
  assert.equal(changed(7, 0xff), undefined, "a start beyond the frame");
  const sized = (size: number) => {
    const copy = header.slice();
    [copy[4], copy[5]] = [size & 0xff, size >> 8];
    return readOffload(copy, frame);
  };
  assert.equal(sized(0), undefined, "segments of nothing");
  assert.equal(sized(1), undefined, "segments of a byte, which would be thousands");
  assert.ok(sized(36));
});

Deno.test("a long segment whose header of IP does not end where that of TCP begins is lost, and none of its receivers fails", () => {
  const lan = new NetSwitch();
  const [from, to] = [new Card(1, lan, (bit) => bit === Bit.CSUM || bit === Bit.HOST_TSO4), new Card(2, lan, () => false)];
  to.offer(8, 1600);
  for (const words of [15, 6, 4]) {
    const { header, frame } = longSegment(40, 36);
    frame[14] = 0x40 | words;
    from.send(header, frame);
  }
  assert.deepEqual(to.take(), []);
  assert.equal(from.device.metrics().tx_dropped, 3);
});

Deno.test("a switch learns where addresses are, and floods what it does not know", () => {
  const lan = new NetSwitch();
  const cards = [1, 2, 3].map((number) => new Card(number, lan, () => false));
  for (const card of cards) card.offer(4, 1600);
  const frame = (from: number, to: Uint8Array) => Uint8Array.of(...to, ...mac(from), 8, 0, ...new Uint8Array(50));
  const send = (from: number, to: Uint8Array) => cards[from - 1].send(new Uint8Array(HEADER), frame(from, to));
  const got = () => cards.map((card) => card.take().length);
  send(1, mac(2));
  assert.deepEqual(got(), [0, 1, 1]);
  send(2, mac(1));
  assert.deepEqual(got(), [1, 0, 0]);
  send(1, mac(2));
  assert.deepEqual(got(), [0, 1, 0]);
  send(3, new Uint8Array(6).fill(0xff));
  assert.deepEqual(got(), [1, 1, 0]);
});

Deno.test("frames that wait are saved with what is to be done to them", () => {
  const lan = new NetSwitch();
  const takes = (bit: number) => bit === Bit.GUEST_CSUM || bit === Bit.GUEST_TSO4 || bit === Bit.MRG_RXBUF;
  const [from, to] = [new Card(1, lan, (bit) => bit === Bit.CSUM || bit === Bit.HOST_TSO4), new Card(2, lan, takes)];
  const { header, frame } = longSegment(3000, 1460);
  from.send(header, frame);
  const other = new Card(3, new NetSwitch(), takes);
  other.driver.adopt(to.driver);
  other.driver.transport.restore(structuredClone(to.driver.transport.save()));
  other.offer(2, 0x800);
  const [got] = other.take();
  assert.deepEqual(got.frame, frame);
});
