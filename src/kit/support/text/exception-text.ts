/** An exception in one line: its name and the first line of its message. */
export function exceptionText(error: unknown): string {
  const [line] = (error instanceof Error ? `${error.name}: ${error.message}` : String(error)).split("\n");
  return line;
}
