// docs/README.md leads to every page, and what docs/troubleshooting.md quotes is what the program
// prints.

import assert from "node:assert/strict";
import { dirname, join, normalize } from "node:path";
import { repositoryFiles, ROOT } from "../support/files.ts";
import { stringLiterals } from "../../scripts/structure/source-texts.ts";

const textOf = (path: string) => Deno.readTextFileSync(new URL(path, ROOT));

/** Pages of the repository that a page links. */
function linked(page: string): string[] {
  return [...textOf(page).matchAll(/\]\(([^)\s#]+\.md)(?:#[^)]*)?\)/g)].map(([, target]) => normalize(join(dirname(page), target)));
}

/** Lists of pages that the map links as one. */
const LISTS = ["docs/tutorials/README.md", "docs/design/README.md"];

Deno.test("the map of the documents, or a list that it links, links every page", () => {
  const map = linked("docs/README.md");
  const reached = new Set([...map, ...LISTS.filter((list) => map.includes(list)).flatMap(linked)]);
  const pages = [...repositoryFiles("docs/", ".md")].filter((page) => page !== "docs/README.md");
  assert.ok(pages.length > 0);
  assert.deepEqual(pages.filter((page) => !reached.has(page)), []);
});

Deno.test("README and the list of tutorials name the reported failures of phones, with their number", () => {
  const folders = [...Deno.readDirSync(new URL("examples/mysteries", ROOT))].filter(({ isDirectory }) => isDirectory);
  for (const page of ["README.md", "docs/README.md", "docs/tutorials/README.md"]) {
    assert.ok(linked(page).includes("examples/mysteries/README.md"), page);
    assert.match(textOf(page), new RegExp(`\\b${folders.length} published failures\\b`), page);
  }
});

Deno.test("the list of the reported failures has the title and the symptom of each", () => {
  const list = textOf("examples/mysteries/README.md").replaceAll(/ +/g, " ");
  const folders = [...Deno.readDirSync(new URL("examples/mysteries", ROOT))].filter(({ isDirectory }) => isDirectory);
  for (const { name } of folders) {
    const [, title, symptom] = /^# (.*)\n[\s\S]*?^- \*\*Symptom\*\*: ([\s\S]*?)(?=\n- |\n\n)/m.exec(
      textOf(`examples/mysteries/${name}/README.md`),
    )!;
    assert.ok(list.includes(`| [${title}](${name}/README.md) | ${symptom.replaceAll(/\s+/g, " ")} |`), name);
  }
});

/** Words of Deno and the system inside of messages. */
const OTHERS: readonly string[] = [
  ...["invalid peer certificate", "error sending request for url", "tcp connect error", "No space left on device"],
  ...["failed to create directory", "Read-only file system"],
];

Deno.test("the messages in the page on troubleshooting are those of the program", () => {
  // A value is `…` in a literal, and on the page `…`, a word in capitals, a number, a path or a
  // command.
  const sources = [...repositoryFiles("src/", ".ts"), "main.ts", "scripts/dist/one-file.ts"];
  // That page is made from a table (src/kit/support/computer/needs.ts).
  const texts = [
    ...sources.flatMap((file) => stringLiterals(textOf(file)).map(({ text }) => text)),
    textOf("docs/reference/requirements.md"),
  ]
    .join("\n");
  const messages = [...textOf("docs/troubleshooting.md").matchAll(/^```text\n([\s\S]*?)^```$/gm)].flatMap(([, block]) =>
    block.trim().split("\n")
  ).filter((line) => line.startsWith("el2"));
  assert.ok(messages.length > 0);
  const wrong: string[] = [], others = new Set<string>();
  let count = 0;
  for (const message of messages) {
    for (
      const part of message.replace(/^el2: /, "").split(
        /…|\bel2 (?:attach|console|down|events|ls|up|vm)\b[a-z -]*|\b[A-Z]+\b(?!-)|\b\d\w*\b|\S+\/\S+|, or |; |: |[()]/,
      ).map((text) => text.trim())
    ) {
      if (part.split(" ").length < 3) continue;
      const other = OTHERS.find((words) => part.startsWith(words));
      if (other !== undefined) {
        others.add(other);
        continue;
      }
      count++;
      if (!texts.includes(part)) wrong.push(`${part} in ${message}`);
    }
  }
  assert.ok(count > 0);
  assert.deepEqual(wrong, []);
  assert.deepEqual(OTHERS.filter((words) => !others.has(words)), [], "no longer needed");
});
