// Flattened devicetree: reader and writer against each other and against hostile bytes.

import assert from "node:assert/strict";
import fc from "fast-check";
import { devicetreeSize, readDevicetree } from "../../../src/machine/devicetree/reader.ts";
import {
  cells64,
  type Devicetree,
  devicetree,
  type DevicetreeNode,
  ensureNode,
  findNode,
  maxPhandle,
  node,
  readCells,
  readNumber,
  readRanges,
  readStrings,
  walk,
} from "../../../src/machine/devicetree/tree.ts";
import { writeDevicetree } from "../../../src/machine/devicetree/writer.ts";

function read(bytes: Uint8Array): Devicetree {
  const result = readDevicetree(bytes);
  assert.ok(result.ok, result.ok ? "" : result.problem);
  return result.tree;
}

function machine(): Devicetree {
  return devicetree(node("", { "#address-cells": 2, "#size-cells": 2, compatible: "linux,dummy-virt" }, [
    node("memory@40000000", { device_type: "memory", reg: cells64(0x4000_0000, 0x1000_0000) }),
    node("intc@8000000", { compatible: ["arm,gic-v3", "arm,gic"], "interrupt-controller": true, "#interrupt-cells": 3, phandle: 7 }),
    node("chosen"),
  ]));
}

const nameArbitrary = fc.stringMatching(/^[a-z][a-z0-9,._+-]{0,20}$/);
const nodeArbitrary = (depth: number): fc.Arbitrary<DevicetreeNode> =>
  fc.tuple(
    nameArbitrary,
    fc.array(fc.tuple(nameArbitrary, fc.uint8Array({ maxLength: 40 })), { maxLength: 6 }),
    depth === 0 ? fc.constant<DevicetreeNode[]>([]) : fc.array(nodeArbitrary(depth - 1), { maxLength: 3 }),
  ).map(([name, properties, children]) => ({ name, properties: new Map(properties), children }));

Deno.test("a tree that is written and read again is the same tree", () => {
  fc.assert(fc.property(nodeArbitrary(4), fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), (child, address) => {
    const tree: Devicetree = { root: node("", {}, [child]), reservations: [{ address, size: 0x1000n }], bootCpu: 3 };
    assert.deepEqual(read(writeDevicetree(tree)), tree);
  }));
});

Deno.test("reserved space grows totalsize and nothing else", () => {
  const bytes = writeDevicetree(machine(), 4096);
  assert.equal(bytes.length, 4096);
  assert.equal(devicetreeSize(bytes), 4096);
  assert.deepEqual(read(bytes), machine());
});

Deno.test("a damaged tree is refused or read, but never throws", () => {
  const good = writeDevicetree(machine());
  const damage = fc.array(fc.tuple(fc.nat(good.length - 1), fc.nat(255)), { minLength: 1, maxLength: 8 });
  fc.assert(
    fc.property(damage, fc.nat(good.length), (changes, length) => {
      const bytes = good.slice();
      for (const [at, value] of changes) bytes[at] = value;
      for (const input of [bytes, bytes.subarray(0, length)]) {
        const result = readDevicetree(input);
        if (result.ok) [...walk(result.tree.root)].forEach(({ node: each }) => readStrings(each, "compatible"));
      }
    }),
    { numRuns: 1000 },
  );
});

Deno.test("a tree that is nested without end is refused", () => {
  let root = node("leaf");
  for (let depth = 0; depth < 100; depth++) root = node("n", {}, [root]);
  const result = readDevicetree(writeDevicetree(devicetree(node("", {}, [root]))));
  assert.ok(!result.ok && /nested/.test(result.problem));
});

Deno.test("property values decode only where their length fits", () => {
  const root = node("", { odd: new Uint8Array(3), two: [1, 2], text: ["a", "bc"], reg: [0, 0x4000_0000, 0, 0x1000] });
  assert.equal(readCells(root, "odd"), undefined);
  assert.equal(readNumber(root, "two", 2), 0x1_0000_0002n);
  assert.equal(readNumber(root, "two", 1), undefined);
  assert.deepEqual(readStrings(root, "text"), ["a", "bc"]);
  assert.equal(readStrings(root, "odd")?.length, 3, "three NULs are three empty texts");
  assert.equal(readStrings(root, "two"), undefined, "no NUL at the end");
  assert.deepEqual(readRanges(root, "reg", 2, 2), [{ address: 0x4000_0000n, size: 0x1000n }]);
  assert.equal(readRanges(root, "reg", 3, 2), undefined);
});

Deno.test("a path finds a node with or without its unit address", () => {
  const { root } = machine();
  assert.equal(findNode(root, "/memory"), findNode(root, "/memory@40000000"));
  assert.equal(findNode(root, "/"), root);
  assert.equal(findNode(root, "/memory@0"), undefined);
  assert.equal(ensureNode(root, "/a/b/c").name, "c");
  assert.equal(findNode(root, "/a/b")?.children.length, 1);
  assert.equal(maxPhandle(root), 7);
});
