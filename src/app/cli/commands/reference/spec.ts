// `el2 spec`: the specifications that el2 implements, section by section. Reasons cite them:
// "hypervisor 4.4" is `el2 spec hypervisor 4.4`.

import type { Command } from "@commander-js/extra-typings";
import { type Section, sectionsOf, titleOf } from "../../common/book-sections.ts";
import { Failure } from "../../common/failure.ts";
import { output } from "../../common/print.ts";
import { formatId } from "../../../../model/queries/ids.ts";
import { documentText, SPEC_SECTION } from "../../../../model/queries/documents.ts";
import { didYouMeanOneOf } from "../../../../kit/support/text/did-you-mean.ts";

/** The book and the section that arguments name: two words, or one as reasons write it. */
function wordsOf(name: string | undefined, section: string | undefined): readonly [string?, string?] {
  const [first, second = section] = name?.split(/[ :]+/) ?? [];
  return [first?.replace(/^docs\/(?:spec|design)\//, "").replace(/\.md$/, ""), second?.replace(/^§/, "")];
}

export function registerSpec(program: Command): void {
  program.command("spec")
    .description("print a section of the books on Gunyah, its Resource Manager, its drivers and GenieZone")
    .argument("[name]", "a book, such as hypervisor; without it, the list of books")
    .argument("[section]", "a section, such as 4.4; without it, the contents of the book")
    .option("--json", "one JSON object per section, with its text")
    .addHelpText("after", "\nExamples:\n  el2 spec\n  el2 spec resource-manager\n  el2 spec hypervisor 4.4\n  el2 spec 'hypervisor 4.4'")
    .action(async (name, section, { json }) => {
      const { BOOKS } = await import("../../common/books.ts");
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
        throw new Failure(`${wantedBook} has no section "${wanted}"; its last section is ${last}`, `list them with el2 spec ${wantedBook}`);
      }
      if (json) return printJson(wantedBook, chosen);
      if (wanted !== undefined) return output(`${chosen[0].text}\n`);
      output(`${titleOf(text)}\n\n`);
      for (const { number, title, level } of chosen) output(`${"  ".repeat(level - 1)}${number.padEnd(5)} ${title}\n`);
    });
}

function printJson(book: string, sections: readonly Section[]): void {
  for (const { number, title, text } of sections) {
    output(
      `${documentText(SPEC_SECTION, { id: formatId({ kind: "spec", name: `${book}/${number}` }), book, section: number, title, text })}\n`,
    );
  }
}
