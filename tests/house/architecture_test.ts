// The drawings of docs/architecture.md and its pages show the rooms that src/ has.

import assert from "node:assert/strict";

const ROOT = new URL("../../", import.meta.url);
/** Pages with a drawing of the floors inside a room. */
const FLOORS = ["core", "hypervisor", "resource-manager", "host"];

function foldersOf(path: string): string[] {
  return [...Deno.readDirSync(new URL(path, ROOT))].filter(({ isDirectory }) => isDirectory).map(({ name }) => name);
}

/** The first indented block of a page. */
function drawingOf(page: string): string {
  const block = /(?:^ {4}\S.*\n(?:^ {4}.*\n)*)/m.exec(Deno.readTextFileSync(new URL(page, ROOT)));
  assert.ok(block, `${page} has no drawing`);
  return block[0];
}

/** Folders that a drawing does not name. */
function missing(drawing: string, folders: readonly string[]): string[] {
  return folders.filter((name) => !new RegExp(`(?<![\\w-])${name}(?![\\w-])`).test(drawing));
}

Deno.test("the drawing of docs/architecture.md has every room of src/, on a page of two screens", () => {
  const page = "docs/architecture.md";
  assert.deepEqual(missing(drawingOf(page), foldersOf("src/")), []);
  assert.ok(Deno.readTextFileSync(new URL(page, ROOT)).split("\n").length <= 110);
});

for (const room of FLOORS) {
  Deno.test(`the drawing of docs/architecture/${room}.md has every floor of src/${room}`, () => {
    assert.deepEqual(missing(drawingOf(`docs/architecture/${room}.md`), foldersOf(`src/${room}/`)), []);
  });
}

Deno.test("docs/architecture.md links every page of docs/architecture", () => {
  const text = Deno.readTextFileSync(new URL("docs/architecture.md", ROOT));
  const pages = [...Deno.readDirSync(new URL("docs/architecture/", ROOT))].map(({ name }) => name);
  assert.deepEqual(pages.filter((name) => !text.includes(`](architecture/${name})`)), []);
});
