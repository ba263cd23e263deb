// `el2 reference spec`: the specifications that el2 implements, section by section. Reasons cite
// them: "hypervisor 4.4" is `el2 reference spec hypervisor 4.4`.

import { Argument } from "@commander-js/extra-typings";
import { type CompletedLine, offering } from "../../common/command-tree.ts";
import type { ReferencePage } from "./page.ts";
import { type Section, sectionsOf, titleOf } from "../../common/book-sections.ts";
import { Failure } from "../../common/failure.ts";
import { output } from "../../common/print.ts";
import { formatId } from "../../../../model/queries/ids.ts";
import { documentText, SPEC_SECTION } from "../../../../model/queries/documents.ts";
import { hint, hintText } from "../../../../kit/support/text/hint.ts";
import { didYouMeanOneOf } from "../../../../kit/support/text/did-you-mean.ts";

const bookOffers = async () => Array.from(await books(), ([name, text]) => ({ word: name, help: titleOf(text) }));

const sectionOffers = async ({ given }: CompletedLine) =>
  sectionsOf((await books()).get(given[0]) ?? "").map(({ number, title }) => ({ word: number, help: title }));

async function books(): Promise<ReadonlyMap<string, string>> {
  return (await import("../../common/books.ts")).BOOKS;
}

/** The book and the section that arguments name: two words, or one as reasons write it. */
function wordsOf(name: string | undefined, section: string | undefined): readonly [string?, string?] {
  const [first, second = section] = name?.split(/[ :]+/) ?? [];
  return [first?.replace(/^docs\/(?:spec|design)\//, "").replace(/\.md$/, ""), second?.replace(/^§/, "")];
}

export const SPEC_PAGE: ReferencePage = {
  name: "spec",
  doc: "print a section of the books on Gunyah, its Resource Manager, its drivers and GenieZone",
  words: [
    offering(new Argument("[name]", "a book, such as hypervisor; without it, the list of books"), bookOffers),
    offering(new Argument("[section]", "a section, such as 4.4; without it, the contents of the book"), sectionOffers),
  ],
  form: "json",
  examples: ["spec", "spec resource-manager", "spec hypervisor 4.4", "spec 'hypervisor 4.4'"],
  async print([name, section], { json }) {
    const BOOKS = await books();
    const [wantedBook, wanted] = wordsOf(name, section);
    if (wantedBook === undefined) {
      const width = Math.max(...[...BOOKS.keys()].map((book) => book.length));
      if (!json) { for (const [book, text] of BOOKS) output(`${book.padEnd(width)}  ${titleOf(text)}\n`); }
      else for (const [book, text] of BOOKS) printJson(book, sectionsOf(text));
      return;
    }
    const text = BOOKS.get(wantedBook);
    if (text === undefined) {
      throw new Failure(
        `no book called "${wantedBook}"`,
        didYouMeanOneOf(wantedBook, [...BOOKS.keys()]),
      );
    }
    const sections = sectionsOf(text);
    const chosen = sections.filter(({ number }) => wanted === undefined || number === wanted);
    if (chosen.length === 0) {
      const last = sections.filter(({ level }) => level === 2).at(-1)!.number;
      const contents = hintText(hint("reference spec", wantedBook));
      throw new Failure(`${wantedBook} has no section "${wanted}"; its last section is ${last}`, `list them with ${contents}`);
    }
    if (json) return printJson(wantedBook, chosen);
    if (wanted !== undefined) return output(`${chosen[0].text}\n`);
    output(`${titleOf(text)}\n\n`);
    for (const { number, title, level } of chosen) output(`${"  ".repeat(level - 1)}${number.padEnd(5)} ${title}\n`);
  },
};

function printJson(book: string, sections: readonly Section[]): void {
  for (const { number, title, text } of sections) {
    output(
      `${documentText(SPEC_SECTION, { id: formatId({ kind: "spec", name: `${book}/${number}` }), book, section: number, title, text })}\n`,
    );
  }
}
