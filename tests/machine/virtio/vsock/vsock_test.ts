import assert from "node:assert/strict";
import { VirtioMmioRegister } from "../../../../src/machine/devices/virtio-mmio-registers.ts";
import type { OutsideStream, StreamListener } from "../../../../src/machine/virtio/outside-network.ts";
import { SessionFabric } from "../../../../src/machine/virtio/vsock/fabric.ts";
import { OutsideEndpoint } from "../../../../src/machine/virtio/vsock/outside-endpoint.ts";
import {
  Cid,
  readVsock,
  VSOCK_STREAM,
  VsockOp,
  type VsockPacket,
  VsockShutdown,
  writeVsock,
} from "../../../../src/machine/virtio/vsock/packet.ts";
import { VsockDevice } from "../../../../src/machine/virtio/vsock/vsock.ts";
import { MEMORY_BASE, TestDriver } from "../driver.ts";

const RX = 0, TX = 1;
const encode = (text: string) => new TextEncoder().encode(text);
const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

/** A guest with its socket device. */
class Guest {
  readonly device: VsockDevice;
  readonly driver: TestDriver;
  readonly #buffers: number[] = [];

  constructor(readonly cid: number) {
    this.device = new VsockDevice(cid);
    this.driver = new TestDriver(this.device);
    this.driver.initialize();
    for (let i = 0; i < 8; i++) this.#offer();
  }

  send(to: number, sourcePort: number, destinationPort: number, op: number, payload = new Uint8Array(0), flags = 0): void {
    const header = { sourceCid: this.cid, destinationCid: to, sourcePort, destinationPort, type: VSOCK_STREAM, op, flags };
    this.driver.offer(TX, [{ out: writeVsock({ ...header, bufferSize: 1000, forwarded: 0, payload }) }]);
  }

  /** Packets since the last call. */
  take(): VsockPacket[] {
    return this.driver.used(RX).map((length) => {
      const address = this.#buffers.shift()!;
      const packet = readVsock(this.driver.memory.bytes.slice(address, address + length))!;
      this.#offer();
      return packet;
    });
  }

  #offer(): void {
    this.#buffers.push(...this.driver.offer(RX, [{ in: 0x400 }]));
  }
}

/** The host's programs: sockets that tests drive by hand. */
class FakeSockets {
  readonly connections = new Map<string, { listener: StreamListener; written: string; ended: boolean; destroyed: boolean }>();
  accept: ((stream: OutsideStream) => StreamListener) | undefined;

  connect(path: string, listener: StreamListener): OutsideStream {
    return this.#stream(path, listener);
  }

  listen(_path: string, accept: (stream: OutsideStream) => StreamListener) {
    this.accept = accept;
    return { close: () => {} };
  }

  /** A program of the host connects. */
  open(name: string) {
    const stream = this.#stream(name, undefined as unknown as StreamListener);
    const connection = this.connections.get(name)!;
    connection.listener = this.accept!(stream);
    return connection;
  }

  #stream(name: string, listener: StreamListener): OutsideStream {
    const connection = { listener, written: "", ended: false, destroyed: false };
    this.connections.set(name, connection);
    return {
      write: (bytes) => connection.written += decode(bytes),
      end: () => connection.ended = true,
      destroy: () => connection.destroyed = true,
      pause: () => {},
      resume: () => {},
    };
  }
}

function withHost() {
  const guest = new Guest(Cid.FIRST_GUEST);
  const sockets = new FakeSockets();
  const endpoint = new OutsideEndpoint({
    cid: guest.cid,
    path: "/run/vm",
    sockets,
    deliver: (packet) => guest.device.receive(packet),
    onProblem: (message) => assert.fail(message),
  });
  new SessionFabric().plug(guest.device, endpoint);
  return { guest, sockets, endpoint };
}

Deno.test("a guest connects to a port of the host, which is a Unix socket with its number, and both talk", () => {
  const { guest, sockets, endpoint } = withHost();
  guest.send(Cid.HOST, 5000, 80, VsockOp.REQUEST);
  const peer = sockets.connections.get("/run/vm_80")!;
  assert.deepEqual(guest.take(), []);
  peer.listener.connected();
  assert.deepEqual(guest.take().map(({ op, destinationPort }) => [op, destinationPort]), [[VsockOp.RESPONSE, 5000]]);
  guest.send(Cid.HOST, 5000, 80, VsockOp.RW, encode("hello"));
  assert.equal(peer.written, "hello");
  assert.deepEqual(guest.take().map(({ op, forwarded }) => [op, forwarded]), [[VsockOp.CREDIT_UPDATE, 5]]);
  peer.listener.data(encode("world"));
  assert.deepEqual(guest.take().map(({ op, payload }) => [op, decode(payload)]), [[VsockOp.RW, "world"]]);
  guest.send(Cid.HOST, 5000, 80, VsockOp.SHUTDOWN, undefined, VsockShutdown.RECEIVE | VsockShutdown.SEND);
  assert.equal(peer.ended, true);
  assert.deepEqual(guest.take().map(({ op }) => op), [VsockOp.RST]);
  assert.equal(endpoint.busy, false);
});

Deno.test("the host sends no more than the guest's credit, and continues when it grows", () => {
  const { guest, sockets } = withHost();
  guest.send(Cid.HOST, 5000, 80, VsockOp.REQUEST);
  const peer = sockets.connections.get("/run/vm_80")!;
  peer.listener.connected();
  guest.take();
  peer.listener.data(new Uint8Array(2500));
  const bytes = () => guest.take().reduce((sum, { payload }) => sum + payload.length, 0);
  assert.equal(bytes(), 1000);
  const update = { sourceCid: 3, destinationCid: 2, sourcePort: 5000, destinationPort: 80, type: 1, op: VsockOp.CREDIT_UPDATE, flags: 0 };
  guest.driver.offer(TX, [{ out: writeVsock({ ...update, bufferSize: 1000, forwarded: 1000, payload: new Uint8Array(0) }) }]);
  assert.equal(bytes(), 1000);
});

Deno.test("a program of the host connects to a port of the guest by name", () => {
  const { guest, sockets } = withHost();
  const peer = sockets.open("program");
  peer.listener.data(encode("CONNECT 99\nearly"));
  const [request] = guest.take();
  assert.deepEqual([request.op, request.destinationPort], [VsockOp.REQUEST, 99]);
  guest.send(Cid.HOST, 99, request.sourcePort, VsockOp.RESPONSE);
  assert.equal(peer.written, `OK ${request.sourcePort}\n`);
  assert.deepEqual(guest.take().map(({ payload }) => decode(payload)), ["early"]);
  const wrong = sockets.open("wrong");
  wrong.listener.data(encode("HELLO\n"));
  assert.equal(wrong.destroyed, true);
});

Deno.test("guests connect to each other by context id, and to nobody who is not there", () => {
  const fabric = new SessionFabric();
  const [one, two] = [new Guest(3), new Guest(4)];
  for (const { device } of [one, two]) fabric.plug(device, undefined);
  one.send(4, 10, 20, VsockOp.REQUEST);
  const [request] = two.take();
  assert.deepEqual([request.sourceCid, request.destinationPort], [3, 20]);
  two.send(3, 20, 10, VsockOp.RESPONSE);
  two.send(3, 20, 10, VsockOp.RW, encode("hi"));
  assert.deepEqual(one.take().map(({ payload }) => decode(payload)), ["", "hi"]);
  one.send(9, 10, 20, VsockOp.REQUEST);
  one.send(Cid.HOST, 10, 20, VsockOp.REQUEST);
  assert.deepEqual(one.take().map(({ op, sourceCid }) => [op, sourceCid]), [[VsockOp.RST, 9], [VsockOp.RST, Cid.HOST]]);
});

Deno.test("a guest cannot speak for another, and malformed packets are counted", () => {
  const { guest } = withHost();
  guest.driver.offer(TX, [{ out: new Uint8Array(20) }]);
  const forged = {
    sourceCid: 7,
    destinationCid: 2,
    sourcePort: 1,
    destinationPort: 2,
    type: 1,
    op: 1,
    flags: 0,
    bufferSize: 0,
    forwarded: 0,
  };
  guest.driver.offer(TX, [{ out: writeVsock({ ...forged, payload: new Uint8Array(0) }) }]);
  assert.equal(guest.device.metrics().malformed, 2);
});

Deno.test("a guest's packet carries at most 64 KiB, so that what waits for another guest is bounded", () => {
  const { guest } = withHost();
  const packet = { sourceCid: guest.cid, destinationCid: Cid.HOST, sourcePort: 1, destinationPort: 2, type: VSOCK_STREAM, op: VsockOp.RST };
  const header = writeVsock({ ...packet, flags: 0, bufferSize: 0, forwarded: 0, payload: new Uint8Array(0) });
  const send = (first: number, payload: number) => {
    new DataView(header.buffer, header.byteOffset).setUint32(24, payload, true);
    guest.driver.offer(TX, [{ out: header }, { out: new Uint8Array(1) }], false);
    guest.driver.descriptor(TX, first + 1, MEMORY_BASE, payload, 0, 0);
    guest.driver.set(VirtioMmioRegister.QueueNotify, TX);
  };
  send(0, 1 << 16);
  assert.equal(guest.device.metrics().tx_bytes, 1 << 16);
  assert.equal(guest.driver.faults.length, 0);
  send(2, (1 << 16) + 1);
  assert.equal(guest.device.metrics().tx_bytes, 1 << 16);
  assert.match(guest.driver.faults[0].message, /too many bytes/);
});
