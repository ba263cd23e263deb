// Devicetrees from strangers: whatever the bytes are, reading, applying and writing answer, and
// take time in proportion to the input.

import assert from "node:assert/strict";
import fc from "fast-check";
import { applyOverlay, copyNode } from "../../../src/machine/devicetree/overlay.ts";
import { type NodePlace, readDevicetree } from "../../../src/machine/devicetree/reader.ts";
import {
  type Devicetree,
  devicetree,
  type DevicetreeNode,
  findNode,
  maxPhandle,
  node,
  walk,
} from "../../../src/machine/devicetree/tree.ts";
import { writeDevicetree } from "../../../src/machine/devicetree/writer.ts";
import { cpuTime } from "../../support/cpu-time.ts";
import { LONG } from "../../support/long.ts";

const RUNS = LONG ? 100_000 : 1500;

const PLAIN = { noNullPrototype: true } as const;

/** Names that may be in a blob: no NUL, and in nodes no slash. */
const name = fc.oneof(
  fc.constantFrom("a", "b", "memory", "memory@0", "phandle", "target", "target-path", "__overlay__", "__fixups__", "__local_fixups__"),
  fc.constantFrom("__symbols__", "fragment@0", "fragment@1", "reg", "x@", "@", "\xff"),
  fc.stringMatching(/^[a-z0-9,.+_#?-]{1,31}$/),
);
const text = fc.oneof(
  fc.constantFrom("/", "/a", "/a/b", "a", "/a:reg:0", "/:x:4", ":::", "/a:reg:-4", "/a:reg:99999999999", "/b:phandle:1e3"),
  fc.string(),
);
const value = fc.oneof(
  fc.uint8Array({ maxLength: 16 }),
  text.map((each) => new TextEncoder().encode(`${each}\0`)),
  fc.constantFrom(0, 1, 2, 4, 0xffff_fffe, 0xffff_ffff).map((cell) => Uint8Array.of(cell >>> 24, cell >>> 16, cell >>> 8, cell)),
);
const { tree: anyNode } = fc.letrec<{ tree: DevicetreeNode }>((tie) => ({
  tree: fc.record({
    name,
    properties: fc.dictionary(name, value, { maxKeys: 4 }).map((each) => new Map(Object.entries(each))),
    children: fc.oneof(
      { depthIdentifier: "tree", maxDepth: 5 },
      fc.constant<DevicetreeNode[]>([]),
      fc.uniqueArray(tie("tree"), { maxLength: 3, selector: (each) => each.name, depthIdentifier: "tree" }),
    ),
  }, PLAIN),
}));
const root = anyNode.map((each): DevicetreeNode => ({ ...each, name: "" }));
const anyTree: fc.Arbitrary<Devicetree> = fc.record({
  root,
  reservations: fc.array(fc.record({ address: fc.bigInt(1n, 2n ** 64n - 1n), size: fc.bigInt(0n, 2n ** 64n - 1n) }, PLAIN), {
    maxLength: 3,
  }),
  bootCpu: fc.nat(0xffff),
}, PLAIN);

Deno.test("a tree that is written is read back, node by node and byte by byte", () => {
  fc.assert(
    fc.property(anyTree, fc.nat(64), (tree, room) => {
      const blob = writeDevicetree(tree, room);
      const places = new Map<DevicetreeNode, NodePlace>();
      const read = readDevicetree(blob, places);
      assert.ok(read.ok);
      assert.deepEqual(read.tree, tree);
      assert.equal(places.size, [...walk(tree.root)].length);
      assert.deepEqual(writeDevicetree(read.tree), writeDevicetree(tree));
    }),
    { numRuns: RUNS / 5 },
  );
});

Deno.test("whatever is done to a blob, it is read or refused with an offset inside it", () => {
  const damage = fc.array(fc.tuple(fc.nat(), fc.oneof(fc.nat(255), fc.constantFrom(0, 1, 2, 3, 4, 9, 0x7f, 0x80, 0xff))), { maxLength: 8 });
  fc.assert(
    fc.property(anyTree, damage, fc.nat(), (tree, changes, cut) => {
      const whole = writeDevicetree(tree);
      const blob = whole.slice(0, cut % 4 === 0 ? cut % (whole.length + 1) : whole.length);
      for (const [at, byte] of changes) if (blob.length > 0) blob[at % blob.length] = byte;
      const read = readDevicetree(blob);
      if (!read.ok) assert.ok(read.offset >= 0 && read.offset <= blob.length + 4, `${read.problem} at ${read.offset} of ${blob.length}`);
      // The result is a tree: it can be written, and is then the same.
      else assert.deepEqual(readDevicetree(writeDevicetree(read.tree)), { ok: true, tree: read.tree });
    }),
    { numRuns: RUNS },
  );
});

Deno.test("any bytes behind a good header are read or refused", () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ minLength: 40, maxLength: 400 }),
      fc.array(fc.constantFrom(0, 40, 56, 100, 0xffff_ffff), { minLength: 9, maxLength: 9 }),
      (bytes, words) => {
        const view = new DataView(bytes.buffer);
        [0xd00d_feed, bytes.length, ...words.slice(0, 3), 17, 16, ...words.slice(3, 6)].slice(0, 10)
          .forEach((word, index) => view.setUint32(index * 4, word));
        readDevicetree(bytes);
      },
    ),
    { numRuns: RUNS },
  );
});

Deno.test("any overlay is applied to any tree, or says what cannot be applied; it stays as it was", () => {
  const fragments = fc.array(fc.record({ target: value, path: value, content: anyNode }), { maxLength: 3 });
  const overlay = fc.tuple(root, fragments).map(([base, all]): DevicetreeNode => ({
    ...base,
    children: [
      ...base.children.filter((each) => !each.name.startsWith("fragment")),
      ...all.map(({ target, path, content }, index): DevicetreeNode => ({
        name: `fragment@${index}`,
        properties: new Map([["target", target], ["target-path", path]]),
        children: [{ ...content, name: "__overlay__" }],
      })),
    ],
  }));
  fc.assert(
    fc.property(root, overlay, (base, over) => {
      const before = copyNode(over);
      const merged = copyNode(base);
      const result = applyOverlay(merged, over);
      assert.deepEqual(over, before);
      if (result.ok) assert.ok(readDevicetree(writeDevicetree(devicetree(merged))).ok || findNode(merged, "/") === merged);
      else assert.notEqual(result.problem, "");
    }),
    { numRuns: RUNS },
  );
});

Deno.test("phandles that would leave 32 bits, and fix-ups outside of a property, are refused", () => {
  const base = () => node("", {}, [node("a", { phandle: 0xffff_fff0 })]);
  const moved = node("", {}, [node("fragment@0", { "target-path": "/" }, [node("__overlay__", {}, [node("b", { phandle: 0x20 })])])]);
  assert.deepEqual(applyOverlay(base(), moved).ok, false);
  assert.equal(maxPhandle(base()), 0xffff_fff0);
  const symbols = node("", {}, [node("a", { phandle: 1 }), node("__symbols__", { label: "/a" })]);
  for (const offset of ["-4", "-1", "1.5", "", "x", "4294967296"]) {
    const overlay = node("", { reg: [0] }, [node("__fixups__", { label: `/:reg:${offset}` })]);
    assert.equal(applyOverlay(copyNode(symbols), overlay).ok, false, offset);
  }
});

Deno.test("a hostile blob costs time in proportion to its size, also when names overlap in the strings block", () => {
  const size = 1 << 20;
  const properties = Math.floor((size / 2 - 16) / 12);
  const blob = new Uint8Array(40 + 16 + size).fill(0x61);
  const view = new DataView(blob.buffer);
  blob.fill(0, 40, 56);
  [0xd00d_feed, blob.length, 56, 56 + size / 2, 40, 17, 16, 0, size / 2, size / 2].forEach((word, index) =>
    view.setUint32(index * 4, word)
  );
  view.setUint32(56, 1);
  view.setUint32(60, 0);
  for (let index = 0; index < properties; index++) {
    [3, 0, index].forEach((word, at) => view.setUint32(64 + index * 12 + at * 4, word));
  }
  blob[blob.length - 1] = 0;
  const begun = cpuTime();
  const read = readDevicetree(blob);
  const took = cpuTime() - begun;
  assert.equal(read.ok, false);
  assert.ok(took < 30_000, `${took} ms of CPU time: seconds, not hours`);
});
