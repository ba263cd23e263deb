import assert from "node:assert/strict";
import { el2 } from "../../program.ts";

const ODD = "tests/conformance/dtb/odd-base.dtb";

Deno.test("vm lint prints a line for each finding, or a JSON document, and exits with 1", async () => {
  const plain = await el2("vm", "lint", ODD);
  assert.equal(plain.code, 1);
  assert.match(
    plain.stdout,
    /^tests\/conformance\/dtb\/odd-base\.dtb:0x350: changed: \/gunyah-vm-config\/memory base-address: 0x80001000 is/m,
  );
  const json = await el2("vm", "lint", ODD, "--json");
  assert.equal(json.code, 1);
  const rows = json.stdout.trim().split("\n").map((line) => JSON.parse(line));
  assert.equal(rows.length, plain.stdout.trim().split("\n").length);
  const { schema, file, path, property, offset, kind } = rows[2];
  assert.deepEqual([schema, file, path, property, offset, kind], [
    ...["el2.vm.lint/1", ODD, "/gunyah-vm-config/memory", "base-address"],
    ...[0x350, "changed"],
  ]);
});

Deno.test("vm lint of a file that is not a devicetree says so; of a missing one it is a usage error", async () => {
  const text = await el2("vm", "lint", "README.md");
  assert.equal(text.code, 1);
  assert.match(
    text.stdout,
    /^README\.md:0x0: refused: \/: the devicetree is malformed: not a flattened devicetree: the magic word is missing;/,
  );
  assert.equal((await el2("vm", "lint", "nowhere.dtb")).code, 2);
});
