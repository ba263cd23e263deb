// The numbered sections of a book in Markdown.

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
