// `el2 reference spec`: sections of the books, by the name that reasons give them.

import assert from "node:assert/strict";
import { BOOKS } from "../../../../../src/app/cli/common/books.ts";
import { sectionsOf } from "../../../../../src/app/cli/common/book-sections.ts";
import { sectionsOf as numbersOf } from "../../../../support/specification.ts";
import { el2Command } from "../../../../support/el2.ts";

async function spec(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  const [program, ...words] = el2Command("reference", "spec", ...args);
  const { code, stdout, stderr } = await new Deno.Command(program, { args: words }).output();
  return { code, out: new TextDecoder().decode(stdout), err: new TextDecoder().decode(stderr) };
}

Deno.test("el2 reference spec prints a section from its heading to the next one of its level", async () => {
  const { code, out } = await spec("hypervisor", "4.4");
  assert.equal(code, 0);
  assert.match(out, /^### 4\.4 Cspace\n/);
  assert.match(out, /cspace_copy_cap_from/);
  assert.doesNotMatch(out, /^#+ 4\.5 /m);
  assert.equal((await spec("hypervisor 4.4")).out, out);
});

Deno.test("el2 reference spec without a section prints the contents, and without a book the books", async () => {
  assert.match((await spec("hypervisor")).out, /^ +4\.4 +Cspace$/m);
  const { out } = await spec();
  for (const book of BOOKS.keys()) assert.match(out, new RegExp(`^${book} `, "m"));
});

Deno.test("el2 reference spec names what there is where a book or section is not there, and ends with 2", async () => {
  const book = await spec("hyprvisor");
  assert.equal(book.code, 2);
  assert.match(book.err, /no book called "hyprvisor"; did you mean "hypervisor"\?/);
  const section = await spec("hypervisor", "44");
  assert.equal(section.code, 2);
  assert.match(section.err, /hypervisor has no section "44"/);
});

Deno.test("el2 reference spec --json prints an object per section", async () => {
  const { out } = await spec("observed", "4", "--json");
  const { schema, id, book, section, text } = JSON.parse(out);
  assert.deepEqual({ schema, id, book, section }, { schema: "el2.spec/1", id: "spec:observed/4", book: "observed", section: "4" });
  assert.match(text, /^## 4\. /);
});

Deno.test("the sections that el2 reference spec finds are those that citations resolve to", () => {
  for (const [name, text] of BOOKS) {
    const folder = ["decisions", "workstation", "look", "core"].includes(name) ? "design" : "spec";
    const found = sectionsOf(text).map(({ number }) => number);
    assert.equal(new Set(found).size, found.length, `${name} has a section twice`);
    assert.deepEqual(new Set(found), numbersOf(`${folder}/${name}.md`), name);
  }
});
