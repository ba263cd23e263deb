import assert from "node:assert/strict";
import { OverlayBacking } from "../../../../src/machine/virtio/block/backing.ts";
import { PiecesBacking } from "../../../../src/machine/virtio/block/pieces.ts";
import { Random } from "../../../support/random.ts";

/** A base of some bytes. */
function base(bytes: Uint8Array) {
  return { size: bytes.length, read: (at: number, into: Uint8Array) => into.set(bytes.subarray(at, at + into.length)) };
}

/** A disk of 1000 bytes: 100 read-only ones at 50, 300 written ones at 200, without the last 50. */
function disk() {
  const fixed = base(new Uint8Array(100).fill(1)), written = new OverlayBacking(base(new Uint8Array(250).fill(2)));
  const pieces = [
    { name: "a", offset: 50, size: 100, from: fixed },
    { name: "b", offset: 200, size: 300, from: written, to: written },
  ];
  return new PiecesBacking(1000, pieces);
}

Deno.test("a disk of pieces reads them at their places, and zeros elsewhere", () => {
  const bytes = new Uint8Array(1000).fill(9), whole = disk();
  whole.read(0, bytes);
  const runs: [number, number][] = [];
  for (const byte of bytes) {
    const last = runs.at(-1);
    if (last?.[0] === byte) last[1]++;
    else runs.push([byte, 1]);
  }
  assert.deepEqual(runs, [[0, 50], [1, 100], [0, 50], [2, 250], [0, 550]]);
  assert.equal(whole.readOnly, false);
  assert.equal(new PiecesBacking(1000, whole.pieces.slice(0, 1)).readOnly, true);
});

Deno.test("what is not in a written piece as a whole is refused with its name, and nothing is changed", () => {
  const whole = disk(), before = new Uint8Array(1000), after = new Uint8Array(1000);
  whole.read(0, before);
  const cases: readonly (readonly [number, number, RegExp])[] = [
    [60, 10, /^Error: a is read-only at byte 60 of the disk$/],
    [140, 100, /a is read-only at byte 140/],
    [440, 20, /b is read-only at byte 440/],
    [190, 20, /no partition is at byte 190 of the disk/],
    [495, 10, /b is read-only/],
    [600, 1, /no partition is at byte 600/],
  ];
  for (const [at, size, says] of cases) {
    assert.throws(() => whole.write(at, new Uint8Array(size).fill(7)), says);
    assert.throws(() => whole.zero(at, size), says);
    assert.throws(() => whole.discard(at, size), says);
  }
  whole.read(0, after);
  assert.deepEqual(after, before);
});

Deno.test("a disk of pieces that are all written is as one disk: random operations, and saved states", () => {
  const random = new Random(7), size = 4096 * 20, content = random.bytes(size), flat = new OverlayBacking(base(content));
  const cuts = [0, 1000, 4096, 9000, 40_000, size];
  const make = () =>
    new PiecesBacking(
      size,
      cuts.slice(1).map((end, index) => {
        const part = new OverlayBacking(base(content.subarray(cuts[index], end)));
        return { name: `${index}`, offset: cuts[index], size: end - cuts[index], from: part, to: part };
      }),
    );
  let pieces = make();
  for (let step = 0; step < 500; step++) {
    const at = random.below(size), length = random.below(Math.min(size - at, 20_000)) + 1, kind = random.below(5);
    if (kind === 0) {
      const bytes = random.bytes(length);
      for (const one of [flat, pieces]) one.write(at, bytes);
    } else if (kind === 1) { for (const one of [flat, pieces]) one.zero(at, length); }
    else if (kind === 2) { for (const one of [flat, pieces]) one.discard(at, length); }
    else if (kind === 3) {
      const state = structuredClone(pieces.save());
      pieces = make();
      pieces.restore(state);
    }
    const a = new Uint8Array(length), b = new Uint8Array(length);
    flat.read(at, a);
    pieces.read(at, b);
    assert.deepEqual(b, a, `step ${step}`);
  }
});

Deno.test("a state of other pieces is refused", () => {
  assert.throws(() => disk().restore([]), /it has 0 states of 1 pieces/);
  assert.throws(() => disk().restore({}), Error);
});
