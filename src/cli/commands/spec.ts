// `el2 spec`: the books by which el2 is built, section by section. Reasons cite them: "hypervisor
// 4.4" is `el2 spec hypervisor 4.4`.

import type { Command } from "@commander-js/extra-typings";
import { Failure } from "../common/failure.ts";
import { output } from "../common/print.ts";
import { documentText, SPEC_SECTION } from "../../queries/documents.ts";
import { didYouMean } from "../../support/did-you-mean.ts";

/** A numbered section of a book. */
export interface Section {
  /** As citations have it: `4.4`. */
  readonly number: string;
  readonly title: string;
  /** 1 is the book's own title. */
  readonly level: number;
  /** Markdown from the heading to the next one of its level or above. */
  readonly text: string;
}

/** The title of a book: its first heading. */
export function titleOf(book: string): string {
  return /^# (.*)$/m.exec(book)![1];
}

/** The numbered sections of a book, in order. */
export function sectionsOf(book: string): Section[] {
  const lines = book.split("\n");
  const headings: { line: number; level: number; number: string | undefined; title: string }[] = [];
  let code = false;
  lines.forEach((text, line) => {
    if (text.startsWith("```")) code = !code;
    const heading = code ? null : /^(#{1,6}) (?:([A-Z]?\d+(?:\.\d+)*|[A-Z])(?:\.|:)? )?(.*)$/.exec(text);
    if (heading) headings.push({ line, level: heading[1].length, number: heading[2], title: heading[3] });
  });
  return headings.flatMap(({ line, level, number, title }, index) => {
    if (number === undefined) return [];
    const next = headings.slice(index + 1).find((other) => other.level <= level);
    return [{ number, title, level, text: lines.slice(line, next?.line).join("\n").trimEnd() }];
  });
}

/** The book and the section that arguments name: two words, or one as reasons write it. */
function wordsOf(name: string | undefined, section: string | undefined): readonly [string?, string?] {
  const [first, second = section] = name?.split(/[ :]+/) ?? [];
  return [first?.replace(/^docs\/(?:spec|design)\//, "").replace(/\.md$/, ""), second?.replace(/^§/, "")];
}

/** Adds the command. */
export function registerSpec(program: Command): void {
  program.command("spec")
    .description("print a section of the books on Gunyah, its Resource Manager, its drivers and GenieZone")
    .argument("[name]", "a book, such as hypervisor; without it, the list of books")
    .argument("[section]", "a section, such as 4.4; without it, the contents of the book")
    .option("--json", "one JSON object per section, with its text", false)
    .addHelpText("after", "\nExamples:\n  el2 spec\n  el2 spec resource-manager\n  el2 spec hypervisor 4.4\n  el2 spec 'hypervisor 4.4'")
    .action(async (name, section, { json }) => {
      const { BOOKS } = await import("./books.ts");
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
          `no book called "${wantedBook}"${didYouMean(wantedBook, [...BOOKS.keys()], `there are ${[...BOOKS.keys()].join(", ")}`)}`,
        );
      }
      const sections = sectionsOf(text);
      const chosen = sections.filter(({ number }) => wanted === undefined || number === wanted);
      if (chosen.length === 0) {
        const last = sections.filter(({ level }) => level === 2).at(-1)!.number;
        throw new Failure(`${wantedBook} has no section "${wanted}"; its last section is ${last}; list them with el2 spec ${wantedBook}`);
      }
      if (json) return printJson(wantedBook, chosen);
      if (wanted !== undefined) return output(`${chosen[0].text}\n`);
      output(`${titleOf(text)}\n\n`);
      for (const { number, title, level } of chosen) output(`${"  ".repeat(level - 1)}${number.padEnd(5)} ${title}\n`);
    });
}

function printJson(book: string, sections: readonly Section[]): void {
  for (const { number, title, text } of sections) {
    output(`${documentText(SPEC_SECTION, { id: `spec:${book}/${number}`, book, section: number, title, text })}\n`);
  }
}
