// docs/architecture.md and its pages show the rooms that src/ has, and name code that exists.

import assert from "node:assert/strict";
import { repositoryFiles } from "../support/files.ts";

const ROOT = new URL("../../", import.meta.url);
/** Rooms whose pages have a drawing of the folders inside. */
const ROOMS = ["cpu/core", "machine/hypervisor", "machine/resource-manager", "machine/host"];

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

Deno.test("the drawing of docs/architecture.md has every floor and every room of src/, on a page of 125 lines at most", () => {
  const page = "docs/architecture.md", floors = foldersOf("src/");
  assert.deepEqual(missing(drawingOf(page), [...floors, ...floors.flatMap((floor) => foldersOf(`src/${floor}/`))]), []);
  assert.ok(Deno.readTextFileSync(new URL(page, ROOT)).split("\n").length <= 125);
});

for (const room of ROOMS) {
  const page = `docs/architecture/${room.split("/")[1]}.md`;
  Deno.test(`the drawing of ${page} has every folder of src/${room}`, () => {
    assert.deepEqual(missing(drawingOf(page), foldersOf(`src/${room}/`)), []);
  });
}

Deno.test("docs/architecture.md links every page of docs/architecture", () => {
  const text = Deno.readTextFileSync(new URL("docs/architecture.md", ROOT));
  const pages = [...Deno.readDirSync(new URL("docs/architecture/", ROOT))].map(({ name }) => name);
  assert.deepEqual(pages.filter((name) => !text.includes(`](architecture/${name})`)), []);
});

/** Names in code that cannot be words of English: `Names`, `namesOfTwoWords`, `Object.member`. */
const CODE_NAME = /`#?((?:[A-Z][a-z]\w*|[a-z]+[A-Z]\w*)(?:\.\w+)?)(?:\(\))?`/g;

/** Words of the names of code on a page that are not among `words`. */
function unknownNames(page: string, words: ReadonlySet<string>): string[] {
  return [...page.matchAll(CODE_NAME)].flatMap(([, name]) => name.split(".")).filter((word) => !words.has(word));
}

Deno.test("every name of code on the architecture pages is a name in src/", () => {
  const words = new Set(
    [...repositoryFiles("src/", ".ts")].flatMap((file) => Deno.readTextFileSync(new URL(file, ROOT)).match(/\w+/g) ?? []),
  );
  const pages = ["docs/architecture.md", ...repositoryFiles("docs/architecture/", ".md")];
  const unknown = pages.flatMap((page) =>
    unknownNames(Deno.readTextFileSync(new URL(page, ROOT)), words).map((name) => `${page}: ${name}`)
  );
  assert.deepEqual(unknown, []);
});

Deno.test("a name of code is found as a class, a member and a function, and words are not", () => {
  const page = "`Gone`, `Kept.gone`, `#goneToo()`, `isKept`, `kept`, `KEPT`, `gone.ts`, Gone";
  assert.deepEqual(unknownNames(page, new Set(["Kept", "isKept"])), ["Gone", "gone", "goneToo"]);
});
