import assert from "node:assert/strict";
import { RmError } from "../../../../../src/machine/abi/rpc/errors.ts";
import { encodeError } from "../../../../../src/machine/abi/rpc/message.ts";
import { RPC_MESSAGES } from "../../../../../src/machine/abi/rpc/messages/all.ts";
import { MEM_APPEND, MEM_LEND } from "../../../../../src/machine/abi/rpc/messages/memory.ts";
import { encodePackets, PacketType, RPC_HEADER_SIZE, type RpcMessage } from "../../../../../src/machine/abi/rpc/packet.ts";
import { messageParts } from "../../../../../src/machine/abi/rpc/text/message-bytes.ts";
import { Random } from "../../../../support/random.ts";

const joined = (message: RpcMessage) => messageParts(message).map(({ hex }) => hex).join("");

Deno.test("parts name the header, the fields and the filler of a request", () => {
  const payload = MEM_APPEND.request.encode({ handle: 7, flags: 1, sgl: [{ address: 0x1000n, size: 0x2000n }] });
  assert.deepEqual(messageParts({ type: PacketType.Request, sequence: 3, id: MEM_APPEND.id, payload }), [
    { name: "header", hex: "2101", filler: false },
    { name: "seq", hex: "0300", filler: false },
    { name: "message", hex: "18000051", filler: false },
    { name: "handle", hex: "07000000", filler: false },
    { name: "flags", hex: "01", filler: false },
    { name: "reserved", hex: "000000", filler: true },
    { name: "sgl", hex: "01000000" + "0010000000000000" + "0020000000000000", filler: false },
  ]);
  const reply: RpcMessage = { type: PacketType.Reply, sequence: 3, id: MEM_LEND.id, payload: encodeError(RmError.DENIED) };
  assert.deepEqual(messageParts(reply).at(-1), { name: "error", hex: "03000000", filler: false });
});

Deno.test("the parts of any message are its bytes, whole and in order, also of malformed and unknown ones", () => {
  const random = new Random(18);
  for (const id of [...RPC_MESSAGES.keys(), 0xdead]) {
    for (const type of [PacketType.Request, PacketType.Reply, PacketType.Notification]) {
      for (let length = 0; length < 64; length += 1 + random.below(6)) {
        const payload = Uint8Array.from({ length }, () => random.below(3));
        const message: RpcMessage = { type, sequence: 9, id, payload };
        const header = encodePackets(message)[0].subarray(0, RPC_HEADER_SIZE).toHex();
        assert.equal(joined(message), header + payload.toHex(), `${id.toString(16)} ${type} ${payload.toHex()}`);
      }
    }
  }
});
