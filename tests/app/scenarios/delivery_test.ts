import assert from "node:assert/strict";
import type { CpioEntry } from "../../../src/kit/formats/cpio.ts";
import { deliveryOf, lateFiles } from "../../../src/app/scenarios/delivery.ts";

const file = (path: string, text: string, permissions = 0o644): CpioEntry => ({
  path,
  kind: "file",
  permissions,
  data: new TextEncoder().encode(text),
});
const folder = (path: string): CpioEntry => ({ path, kind: "folder", permissions: 0o755 });

Deno.test("a file of an overlay can come late where no init looks at it, and where it hides nothing of the root", () => {
  const root = [folder("opt"), file("opt/own", ""), folder("srv"), { path: "mnt", kind: "link", target: "srv" } as const];
  const late = (...overlay: CpioEntry[]) => lateFiles(root, overlay).map(({ path }) => path);
  assert.deepEqual(late(folder("opt"), folder("opt/tests"), file("opt/tests/a", "")), ["opt/tests", "opt/tests/a"]);
  assert.deepEqual(late(folder("root"), file("root/a", ""), folder("home")), ["root/a", "home"]);
  assert.deepEqual(late(folder("lib"), folder("lib/modules"), file("lib/modules/a.ko", ""), file("srv/a", "")), ["srv/a"]);
  for (const path of ["opt/own", "mnt/a", "bin/sh", "etc/profile", "init", "tmp/a", "lib/a.so"]) {
    assert.deepEqual(late(file("srv/a", ""), file(path, "")), [], path);
  }
});

Deno.test("what is delivered is what changed: nothing without a change, and too much is refused", () => {
  const before = [folder("a"), file("a/b", "1"), file("a/c", "1", 0o755), { path: "a/l", kind: "link", target: "b" } as const];
  assert.equal(deliveryOf(before, before.toReversed()), undefined);
  for (const after of [before.slice(1), [...before, file("a/d", "")], [...before, file("a/b", "2")], [...before, file("a/c", "1")]]) {
    assert.ok(typeof deliveryOf(before, after) === "object");
  }
  assert.equal(deliveryOf(before, [{ path: "x".repeat(101), kind: "folder", permissions: 0o755 }]), "large");
  assert.ok(typeof deliveryOf(before, [file("a/b", "x".repeat(1_000_000))]) === "object", "compressed");
  const parts = Array.from({ length: 4 }, (_, index) => file(`a/${index}`, crypto.getRandomValues(new Uint8Array(60_000)).toHex()));
  assert.equal(deliveryOf(before, parts), "large");
});
