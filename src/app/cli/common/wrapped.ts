// Paragraphs of help in the width of a terminal. Examples and lists are indented, and stay.

/** Columns where the width is not known. */
export const HELP_WIDTH = 80;

/** Text whose paragraphs with longer lines are broken again. */
export function wrapped(text: string, width: number): string {
  return text.replaceAll(/(?:^\S.*\n?)+/gm, (part) => part.split("\n").some(({ length }) => length > width) ? broken(part, width) : part);
}

/** The words of a paragraph in lines that are as full as they may be. */
function broken(part: string, width: number): string {
  const lines: string[] = [];
  let line = "";
  for (const word of part.trim().split(/\s+/)) {
    if (line !== "" && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else line = line === "" ? word : `${line} ${word}`;
  }
  return `${[...lines, line].join("\n")}${part.endsWith("\n") ? "\n" : ""}`;
}
