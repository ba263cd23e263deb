// Lines of a text that comes in pieces.

export class LineCutter {
  /** The text after the last line that has ended. */
  rest = "";

  /** The lines that a piece ends. */
  add(piece: string): string[] {
    const lines = (this.rest + piece).split("\n");
    this.rest = lines.pop() ?? "";
    return lines;
  }
}
