// Devicetree overlays: merging, targets and phandles.

import assert from "node:assert/strict";
import { applyOverlay, copyNode, OverlayBuilder } from "../../../src/machine/devicetree/overlay.ts";
import { cells, findNode, node, readCell, readCells, readString, setProperties } from "../../../src/machine/devicetree/tree.ts";

const base = () =>
  node("", {}, [
    node("intc@8000000", { phandle: 5, status: "okay" }),
    node("soc", {}, [node("uart@9000000", { clock: 1 })]),
    node("__symbols__", { uart: "/soc/uart@9000000" }),
  ]);

Deno.test("an overlay adds nodes and replaces properties below its target path", () => {
  const tree = base();
  const builder = new OverlayBuilder();
  const root = builder.fragment("/");
  root.children.push(node("hypervisor", { "#size-cells": 0 }, [node("vm", { id: 3 })]));
  setProperties(builder.fragment("/soc/uart@9000000"), { clock: 2, label: "console" });
  assert.deepEqual(applyOverlay(tree, builder.root), { ok: true });
  assert.equal(readCell(findNode(tree, "/hypervisor/vm")!, "id"), 3);
  assert.equal(readCell(findNode(tree, "/soc/uart@9000000")!, "clock"), 2);
  assert.equal(readString(findNode(tree, "/soc/uart@9000000")!, "label"), "console");
});

Deno.test("phandles of the overlay move out of the way of the base tree", () => {
  const tree = base();
  const overlay = node("", {}, [
    node("fragment@0", { "target-path": "/" }, [
      node("__overlay__", {}, [node("buffer", { phandle: 1 }), node("user", { "memory-region": cells(9, 1) })]),
    ]),
    node("__local_fixups__", {}, [
      node("fragment@0", {}, [node("__overlay__", {}, [node("user", { "memory-region": cells(4) })])]),
    ]),
  ]);
  assert.deepEqual(applyOverlay(tree, overlay), { ok: true });
  assert.equal(readCell(findNode(tree, "/buffer")!, "phandle"), 6);
  assert.deepEqual(readCells(findNode(tree, "/user")!, "memory-region"), [9, 6]);
});

Deno.test("labels of the base tree resolve, and a label without phandle gets one", () => {
  const tree = base();
  const overlay = node("", {}, [
    node("fragment@0", { target: 0xffff_ffff }, [node("__overlay__", { current: 9 })]),
    node("__fixups__", { uart: "/fragment@0:target:0" }),
  ]);
  assert.deepEqual(applyOverlay(tree, overlay), { ok: true });
  const uart = findNode(tree, "/soc/uart@9000000")!;
  assert.equal(readCell(uart, "current"), 9);
  assert.equal(readCell(uart, "phandle"), 6);
});

Deno.test("an overlay that cannot be applied says which part", () => {
  const missingTarget = new OverlayBuilder();
  missingTarget.fragment("/nothing");
  assert.match(problemOf(missingTarget.root), /fragment@0: the target/);
  assert.match(problemOf(node("", {}, [node("__fixups__", { gone: "/:x:0" })])), /label gone/);
  assert.match(problemOf(node("", { value: 1 }, [node("__local_fixups__", { value: cells(2) })])), /outside property value/);
  assert.match(problemOf(node("", {}, [node("__fixups__", { uart: "/:x:-8" })])), /outside property x/);
});

Deno.test("a copy shares no list with its original", () => {
  const original = base();
  const copy = copyNode(original);
  copy.children.pop();
  copy.properties.set("x", cells(1));
  assert.deepEqual(original, base());
});

function problemOf(overlay: Parameters<typeof applyOverlay>[1]): string {
  const result = applyOverlay(base(), overlay);
  assert.ok(!result.ok);
  return result.problem;
}
