import assert from "node:assert/strict";
import fc from "fast-check";
import { encodePacket, fromHex, PACKET_SIZE, PacketReader, type Received, toBytes, toHex } from "../../../src/session/debug/packets.ts";

const read = (...chunks: (string | Uint8Array)[]): Received[] => {
  const reader = new PacketReader();
  return chunks.flatMap((chunk) => [...reader.push(typeof chunk === "string" ? toBytes(chunk) : chunk)]);
};

const bytes = fc.uint8Array({ maxLength: 300 });
const text = bytes.map((all) => String.fromCharCode(...all));

Deno.test("a packet is its data between $ and #, with the sum of its bytes", () => {
  assert.deepEqual(read("$qC#b4"), [{ kind: "packet", data: "qC" }]);
  assert.equal(String.fromCharCode(...encodePacket("OK")), "$OK#9a");
  assert.equal(String.fromCharCode(...encodePacket("}#$*")), "$}]}\x03}\x04}\n#62");
});

Deno.test("acknowledgements and the interrupt come between packets; inside they are data", () => {
  assert.deepEqual(read("+-\x03$+\x03#2e"), [{ kind: "ack" }, { kind: "nak" }, { kind: "interrupt" }, { kind: "packet", data: "+\x03" }]);
});

Deno.test("a wrong checksum, one that is not a number, and a packet that is too long are broken, and the packets after them are read", () => {
  assert.deepEqual(read("$qC#b5$qC#b4"), [{ kind: "broken" }, { kind: "packet", data: "qC" }]);
  assert.deepEqual(read("$qC#zz$qC#b4"), [{ kind: "broken" }, { kind: "packet", data: "qC" }]);
  const long = encodePacket("a".repeat(PACKET_SIZE + 1)), packet = { kind: "packet", data: "qC" };
  assert.deepEqual(read("$qC#b4", long, "$qC#b4"), [packet, { kind: "broken" }, packet]);
  assert.deepEqual(read("$lost$qC#b4"), [{ kind: "packet", data: "qC" }]);
});

Deno.test("whatever is encoded is read again, however it is cut", () => {
  fc.assert(fc.property(text, fc.array(fc.nat({ max: 400 }), { maxLength: 5 }), (data, cuts) => {
    const packet = encodePacket(data);
    const ends = [...cuts.map((cut) => Math.min(cut, packet.length)).sort((a, b) => a - b), packet.length];
    let at = 0;
    const chunks = ends.map((end) => packet.subarray(at, at = end));
    assert.deepEqual(read(...chunks), [{ kind: "packet", data }]);
  }));
});

Deno.test("no bytes stop the reader", () => {
  fc.assert(fc.property(fc.array(bytes), (chunks) => {
    const received = read("$qC#b4", ...chunks, "##\0\0$qC#b4");
    const last = received.at(-1);
    assert.ok(received.some(({ kind }) => kind === "foreign") || last?.kind === "packet" && last.data.endsWith("qC"), JSON.stringify(last));
  }));
});

Deno.test("bytes and digits are each other's inverse; odd and strange digits are none", () => {
  fc.assert(fc.property(bytes, (some) => assert.deepEqual(fromHex(toHex(some)), some)));
  assert.equal(fromHex("123"), undefined);
  assert.equal(fromHex("0g"), undefined);
});

Deno.test("a request of HTTP is foreign before any packet of it counts, whatever its method and however long its path", () => {
  const packet = (data: string) => String.fromCharCode(...encodePacket(data));
  for (const path of ["/", `/${"a".repeat(3 * PACKET_SIZE)}`]) {
    for (const method of ["POST", "+", "-", "$", "$a", "+$k", packet("k"), `+${packet("k")}${packet("vKill;1")}`]) {
      for (const body of [packet("k"), `#00${packet("k")}`, `x${packet("k")}\r\n`]) {
        const head = `${method} ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`;
        assert.deepEqual(read(head + body), [{ kind: "foreign" }], `${method}${body}`);
        // The body may come later than the head.
        assert.deepEqual(read(head, body).filter(({ kind }) => kind === "packet"), [], `${method} then ${body}`);
      }
    }
  }
});
