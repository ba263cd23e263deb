import assert from "node:assert/strict";
import { interfaceBlock, LinkType, packetBlock, sectionHeader } from "../../../src/kit/formats/pcapng.ts";
import { optionText, readBlocks, readPackets } from "./read-pcapng.ts";
import { joined } from "../../../src/kit/support/values/bytes.ts";

Deno.test("a capture has a section, interfaces in ns, and packets with time, direction and comment", () => {
  const time = 2 ** 40 + 5;
  const file = joined([
    sectionHeader("el2"),
    interfaceBlock({ name: "net0", description: "a card", linkType: LinkType.Ethernet }),
    interfaceBlock({ name: "rpc", description: "messages", linkType: LinkType.User0 }),
    packetBlock({ interface: 1, time, bytes: Uint8Array.of(1, 2, 3, 4, 5), direction: "out", comment: "five" }),
    packetBlock({ interface: 0, time: 7, bytes: new Uint8Array() }),
  ]);
  const [section, first, second] = readBlocks(file);
  assert.equal(section.body.getUint32(0, true), 0x1a2b3c4d);
  assert.deepEqual([section.body.getUint16(4, true), section.body.getUint16(6, true)], [1, 0]);
  assert.equal(optionText(section.options, 4), "el2");
  assert.deepEqual([first.body.getUint16(0, true), second.body.getUint16(0, true)], [1, 147]);
  assert.equal(optionText(second.options, 2), "rpc");
  assert.deepEqual(second.options.find(({ code }) => code === 9)?.value, Uint8Array.of(9));
  const [five, none] = readPackets(file);
  assert.deepEqual([five.interface, five.time, [...five.bytes]], [1, BigInt(time), [1, 2, 3, 4, 5]]);
  assert.equal(optionText(five.options, 1), "five");
  assert.equal(five.options.find(({ code }) => code === 2)?.value[0], 2);
  assert.deepEqual([none.bytes.length, none.options], [0, []]);
});

Deno.test("a comment of any length leaves a file that can be read", () => {
  const file = joined([sectionHeader("el2"), packetBlock({ interface: 0, time: 0, bytes: Uint8Array.of(9), comment: "x".repeat(70_000) })]);
  assert.equal(optionText(readPackets(file)[0].options, 1)?.length, 0xffff);
});
