// Devicetrees as text.

import assert from "node:assert/strict";
import { devicetreeSource } from "../../../src/machine/devicetree/source.ts";
import { cells, devicetree, node } from "../../../src/machine/devicetree/tree.ts";

Deno.test("a tree as text has its texts, cells, bytes, empty properties and children", () => {
  const tree = devicetree(
    node("", {
      "#address-cells": 2,
      compatible: ["linux,dummy-virt", "x"],
      none: true,
      empty: "",
      odd: Uint8Array.of(1, 2, 0xff),
      marked: Uint8Array.of(0xef, 0xbb, 0xbf, 0x41, 0),
      quoted: 'a"b',
    }, [
      node("memory@40000000", { device_type: "memory", reg: cells(0, 0x4000_0000, 0, 0x100_0000) }),
    ]),
  );
  tree.reservations.push({ address: 0x1000n, size: 0x2000n });
  assert.equal(
    devicetreeSource(tree),
    `/dts-v1/;
/memreserve/ 0x1000 0x2000;

/ {
\t#address-cells = <0x2>;
\tcompatible = "linux,dummy-virt", "x";
\tnone;
\tempty = "";
\todd = [01 02 ff];
\tmarked = [ef bb bf 41 00];
\tquoted = "a\\"b";

\tmemory@40000000 {
\t\tdevice_type = "memory";
\t\treg = <0x0 0x40000000 0x0 0x1000000>;
\t};
};
`,
  );
});

Deno.test("a property has the size that a guest gives it", () => {
  const long = "a".repeat(1_000_000);
  assert.equal(devicetreeSource(devicetree(node("", { long }))), `/dts-v1/;\n\n/ {\n\tlong = "${long}";\n};\n`);
});
