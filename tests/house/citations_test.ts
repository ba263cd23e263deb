// Targets of citations in code, tests and documents exist: documents, their sections, files of the
// repository, links and their anchors.

import assert from "node:assert/strict";
import { dirname, join, normalize } from "node:path";
import { repositoryFiles } from "../support/files.ts";
import { isSection, sectionsOf } from "../support/specification.ts";

const ROOT = new URL("../../", import.meta.url).pathname;

const CODE = [
  "main.ts",
  "mod.ts",
  ...["src", "tests", "bench", "scripts", "examples"].flatMap((folder) => [...repositoryFiles(`${folder}/`, ".ts")]),
];
const GUESTS = [
  ...[".c", ".h", ".toml"].flatMap((ending) => [...repositoryFiles("assets/", ending)]),
  ...repositoryFiles("examples/", ".toml"),
];
const PAGES = ["README.md", "CONTRIBUTING.md", ...repositoryFiles("docs/", ".md"), ...repositoryFiles("src/", ".md")];
/** Has examples of what it looks for. */
const THIS = "tests/house/citations_test.ts";
const ALL = [...CODE, ...GUESTS, ...PAGES];

const textOf = (path: string) => Deno.readTextFileSync(join(ROOT, path));

function exists(path: string): boolean {
  try {
    Deno.statSync(join(ROOT, path));
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

/** A comment's text without the marks at the beginning of its lines, so that it reads on. */
const joined = (text: string) => text.replaceAll(/\n[ \t]*(?:\/\/|\*(?!\/)) ?/g, " ");

/** Names of examples in tests and templates, not of existing files. */
const INVENTED = /\b(?:docs|src|tests)\/(?:x|NAME|FILE|\.\.\.|…)/;

Deno.test("every document and file that is cited by its path exists", () => {
  const missing: string[] = [];
  for (const file of ALL) {
    // The books name their sources, which are others' files.
    if (file.startsWith("docs/spec/") || file === THIS) continue;
    for (
      const [path] of joined(textOf(file)).matchAll(
        /(?<![\w./~(-])(?:docs|src|tests|bench|scripts|examples)\/[\w./-]+\.(?:md|ts|toml|c|sh)\b/g,
      )
    ) {
      if (!INVENTED.test(path) && !exists(path)) missing.push(`${file}: ${path}`);
    }
  }
  assert.deepEqual(missing, []);
});

/**
 * A document, a section of another standard, or a section: `§4.1`, `§4.1 and §4.2`, `§3 to §6`.
 */
const SECTION = new RegExp(
  [
    /docs\/([\w/-]+\.md)(?:,? §([A-Z]?\d+(?:\.\d+)*|[A-Z]\d*))?/,
    /(?<=[(,; ])((?:observed(?:-ioctl)?|hypervisor|resource-manager|vm-manager|geniezone|phones)\.md)(?:,? §([A-Z]?\d+(?:\.\d+)*))?/,
    /((?:virtio|IHI|DDI|DEN|RFC|ELF)(?: [\w.]+)? §[\d.]+)/,
    /§([A-Z]?\d+(?:\.\d+)*|[A-Z]\d*)/,
  ].map(({ source }) => source).join("|"),
  "g",
);

Deno.test("every section that is cited is a heading of its document", () => {
  const dangling: string[] = [];
  for (const file of [...CODE, ...GUESTS, ...PAGES.filter((page) => !page.startsWith("docs/spec/") && !page.startsWith("docs/design/"))]) {
    if (file === THIS) continue;
    /** Those that the file has named so far: `§4.1` alone is a section of one of them. */
    const documents: string[] = [];
    for (const [, path, first, book, second, other, alone] of joined(textOf(file)).matchAll(SECTION)) {
      if (other !== undefined) continue;
      const document = path ?? (book && `spec/${book}`), section = first ?? second ?? alone;
      if (document !== undefined) documents.unshift(document);
      const within = document === undefined ? documents : [document];
      if (section !== undefined && !within.some((each) => sectionsOf(each)?.has(section))) {
        dangling.push(`${file}: no §${section} in ${within.join(" or ") || "any document"}`);
      }
    }
  }
  assert.deepEqual(dangling, []);
});

Deno.test("every section that a reason names is a heading of its book", () => {
  const wrong: string[] = [];
  let count = 0;
  for (const file of CODE.filter((path) => path.startsWith("src/"))) {
    for (const [, rule] of textOf(file).matchAll(/"((?:hypervisor|resource-manager|vm-manager|geniezone) \d[\d.]*)"/g)) {
      count++;
      if (!isSection(rule)) wrong.push(`${file}: ${rule}`);
    }
  }
  assert.ok(count > 0);
  assert.deepEqual(wrong, []);
});

/** The anchor of a heading, as Markdown renderers make it. */
function anchorOf(heading: string): string {
  const text = heading.replaceAll(/\[([^\]]*)\]\([^)]*\)/g, "$1").replaceAll(/[`*]/g, "").trim().toLowerCase();
  return text.replaceAll(/[^\p{L}\p{N} _-]/gu, "").replaceAll(" ", "-");
}

Deno.test("every link of a document leads to a file, and to a heading of it", () => {
  const broken: string[] = [];
  for (const page of PAGES) {
    const text = textOf(page).replaceAll(/^```[\s\S]*?^```$/gm, "").replaceAll(/`[^`\n]*`/g, "");
    for (const [, target] of text.matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^[a-z]+:/.test(target)) continue;
      const [path, anchor] = target.split("#");
      const file = path === "" ? page : normalize(join(dirname(page), path));
      if (!exists(file)) broken.push(`${page}: ${target}`);
      else if (anchor !== undefined && file.endsWith(".md")) {
        const headings = [...textOf(file).matchAll(/^#{1,6} (.*)$/gm)].map(([, heading]) => anchorOf(heading));
        if (!headings.includes(anchor)) broken.push(`${page}: ${target}`);
      }
    }
  }
  assert.deepEqual(broken, []);
});

Deno.test("no document is cited that is not here", () => {
  const wrong: string[] = [];
  for (const file of ALL) {
    if (file === THIS) continue;
    for (const [name] of textOf(file).matchAll(/\b(?:DESIGN|WORKSTATION)\b(?!_)|bench\/README|findings\.md|\bLOOK §/g)) {
      wrong.push(`${file}: ${name}`);
    }
  }
  assert.deepEqual(wrong, []);
});
