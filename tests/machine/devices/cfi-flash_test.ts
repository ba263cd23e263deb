import assert from "node:assert/strict";
import { CfiFlash, FLASH_SECTOR, type FlashArray, FlashCommand } from "../../../src/machine/devices/cfi-flash.ts";

const SIZE = 8 * FLASH_SECTOR;
/** A word of both chips with the same in either. */
const both = (value: number) => BigInt(value) << 16n | BigInt(value);
const READY = both(0x80);

function flash(): {
  device: CfiFlash;
  bytes: Uint8Array;
  modes: boolean[];
  word: (offset: number) => bigint;
  put: (offset: number, value: bigint) => void;
} {
  const bytes = new Uint8Array(SIZE).fill(0xff);
  const array: FlashArray = {
    size: SIZE,
    read: (offset, length) => bytes.subarray(offset, offset + length),
    write: (offset, from) => bytes.set(from, offset),
    flush: () => {},
    replaced: () => {},
  };
  const device = new CfiFlash(array);
  const modes: boolean[] = [];
  device.onMode = (readsArray) => modes.push(readsArray);
  return { device, bytes, modes, word: (offset) => device.read(offset, 4), put: (offset, value) => device.write(offset, 4, value) };
}

Deno.test("the CFI query says QRY in either chip, the size of one, and blocks that add up to it", () => {
  const { device, word, put } = flash();
  put(0x55 * 4, both(FlashCommand.ReadCfi));
  assert.deepEqual([0x10, 0x11, 0x12].map((at) => word(at * 4)), ["Q", "R", "Y"].map((letter) => both(letter.charCodeAt(0))));
  const byte = (at: number) => Number(device.read(at * 4, 1));
  assert.equal(2 ** byte(0x27), SIZE / 2);
  const [blocks, block] = [byte(0x2d) + (byte(0x2e) << 8) + 1, (byte(0x2f) + (byte(0x30) << 8)) * 256];
  assert.deepEqual([blocks, blocks * block], [8, SIZE / 2]);
});

Deno.test("the identification names the manufacturer and says that no block is locked", () => {
  const { word, put } = flash();
  put(0, both(FlashCommand.ReadId));
  assert.deepEqual([0, 4, 8].map(word), [both(0x89), both(0x18), 0n]);
});

Deno.test("programming clears bits and sets none, erasing sets those of one block", () => {
  const { bytes, word, put } = flash();
  const program = (offset: number, value: bigint) => {
    put(offset, both(FlashCommand.WordProgram));
    put(offset, value);
    assert.equal(word(offset), READY);
    put(offset, both(FlashCommand.ReadArray));
  };
  program(FLASH_SECTOR + 8, 0x1234_5678n);
  program(FLASH_SECTOR + 8, 0xffff_00ffn);
  assert.equal(word(FLASH_SECTOR + 8), 0x1234_0078n);
  program(4, 0n);
  put(FLASH_SECTOR + 0x100, both(FlashCommand.BlockErase));
  put(FLASH_SECTOR + 0x100, both(FlashCommand.Confirm));
  assert.equal(word(0), READY);
  put(0, both(FlashCommand.ReadArray));
  assert.equal(bytes.indexOf(0), 4);
  assert.equal(word(FLASH_SECTOR + 8), 0xffff_ffffn);
});

Deno.test("a buffered program takes as many writes as were announced, and nothing happens before it is confirmed", () => {
  const { bytes, word, put } = flash();
  put(0x100, both(FlashCommand.BufferedProgram));
  assert.equal(word(0x100), READY);
  put(0x100, both(2));
  for (const [index, value] of [0x11n, 0x22n, 0x33n].entries()) put(0x100 + 4 * index, value);
  assert.equal(bytes[0x100], 0xff);
  put(0x100, both(FlashCommand.Confirm));
  put(0, both(FlashCommand.ReadArray));
  assert.deepEqual([0x100, 0x104, 0x108, 0x10c].map(word), [0x11n, 0x22n, 0x33n, 0xffff_ffffn]);
});

Deno.test("a buffered program that leaves the part of the array that the buffer stands for is an error", () => {
  const { bytes, word, put } = flash();
  put(0, both(FlashCommand.BufferedProgram));
  put(0, both(1));
  put(0x7fc, 0n);
  put(0x800, 0n);
  put(0, both(FlashCommand.Confirm));
  assert.equal(word(0), both(0x90));
  assert.ok(bytes.every((byte) => byte === 0xff));
});

Deno.test("an erase or a buffer without confirmation, and a buffer that is too long, are errors until the status is cleared", () => {
  const { bytes, word, put } = flash();
  put(0, both(FlashCommand.BlockErase));
  put(0, both(FlashCommand.ReadArray));
  assert.equal(word(0), both(0xa0));
  put(0, both(FlashCommand.BufferedProgram));
  put(0, both(0xffff));
  assert.equal(word(0), both(0xb0));
  put(0, both(FlashCommand.BufferedProgram));
  put(0, both(0));
  put(0, 0n);
  put(0, both(FlashCommand.ReadArray));
  assert.ok(bytes.every((byte) => byte === 0xff));
  put(0, both(FlashCommand.ClearStatus));
  put(0, both(FlashCommand.ReadStatus));
  assert.equal(word(0), READY);
});

Deno.test("whoever maps the array is told when reads give something else", () => {
  const { device, modes, put } = flash();
  put(0, both(FlashCommand.ReadArray));
  put(0, both(FlashCommand.WordProgram));
  put(0, 0n);
  put(0, both(FlashCommand.ReadStatus));
  put(0, both(FlashCommand.ReadArray));
  assert.deepEqual(modes, [false, true]);
  assert.ok(device.readsArray);
});

Deno.test("a flash that was saved in the middle of a buffered program continues with it", () => {
  const first = flash();
  first.put(0, both(FlashCommand.BufferedProgram));
  first.put(0, both(1));
  first.put(0, 7n);
  const second = flash();
  second.device.restore(structuredClone(first.device.save()));
  second.put(4, 8n);
  second.put(0, both(FlashCommand.Confirm));
  assert.deepEqual([...second.bytes.subarray(0, 8)], [7, 0, 0, 0, 8, 0, 0, 0]);
});

Deno.test("no write makes a flash throw or leave its array", () => {
  const { device, bytes } = flash();
  let seed = 1;
  const random = (end: number) => (seed = Math.imul(seed, 1664525) + 1013904223 >>> 0) % end;
  const commands = Object.values(FlashCommand);
  for (let count = 0; count < 20_000; count++) {
    const [offset, size] = [random(SIZE), 1 << random(4)];
    if (random(2)) device.write(offset, size, both(random(4) ? commands[random(commands.length)] : random(0x1_0000)));
    else assert.ok(device.read(offset, size) < 1n << BigInt(8 * size));
  }
  assert.equal(bytes.length, SIZE);
});

Deno.test("a buffer that is too long leaves nothing of its length in the state", () => {
  const { device, put } = flash();
  put(0, both(FlashCommand.BufferedProgram));
  put(0, both(0xffff));
  assert.deepEqual([device.save().left, device.save().buffer], [0, []]);
});
