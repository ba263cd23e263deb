// The numbered sections of the books in docs/, read from their headings.

const DOCS = new URL("../../docs/", import.meta.url);

const read = new Map<string, ReadonlySet<string>>();

/** Numbers of a document's headings, such as `4.1`; undefined if there is no such document. */
export function sectionsOf(path: string): ReadonlySet<string> | undefined {
  const known = read.get(path);
  if (known) return known;
  let text;
  try {
    text = Deno.readTextFileSync(new URL(path, DOCS));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
  // "## 4. Hypercalls", "### 4.1 Identification", "### A7. Keys", "## I3 Operands".
  const numbers = [...text.matchAll(/^#{1,5} ([A-Z]?\d+(?:\.\d+)*|[A-Z])\.? /gm)].map(([, number]) => number);
  read.set(path, new Set(numbers));
  return read.get(path);
}

/** Whether this is a section of the specification, as reasons name it: `hypervisor 4.4`. */
export function isSection(text: string): boolean {
  const [book, number, ...more] = text.split(" ");
  return more.length === 0 && (sectionsOf(`spec/${book}.md`)?.has(number) ?? false);
}

/** The text of a section of a document of the specification, from its heading to the next one. */
export function sectionText(book: string, number: string): string {
  const text = Deno.readTextFileSync(new URL(`spec/${book}.md`, DOCS));
  const start = text.search(new RegExp(`^#+ ${number.replaceAll(".", "\\.")}\\.? `, "m"));
  if (start < 0) throw new Error(`${book}.md has no section ${number}`);
  const rest = text.slice(start);
  return rest.slice(0, rest.indexOf("\n#"));
}
