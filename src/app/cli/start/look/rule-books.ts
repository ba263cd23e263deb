// The books that rules cite: their sections from inside the program, and targets of hyperlinks to
// the files of a clone.

import { CHECKOUT } from "../../../../kit/support/files/checkout.ts";
import { sectionsOf } from "../../common/book-sections.ts";
import type { Books } from "../../../tui/screens/books.ts";

/** The specifications' folder in a clone. */
const FOLDER = CHECKOUT && new URL("docs/spec/", CHECKOUT);

/** Book and section of `hypervisor 4.4`. */
function partsOf(cited: string): readonly [book: string, number: string] {
  const [book = "", number = ""] = cited.split(" ");
  return [book, number];
}

/** Text of a file of a clone; undefined if it does not exist. */
function textOf(file: URL): string | undefined {
  try {
    return Deno.readTextFileSync(file);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory) return undefined;
    throw error;
  }
}

/** Targets by what is cited. */
const targets = new Map<string, string | undefined>();

function targetOf(cited: string): string | undefined {
  const [book, number] = partsOf(cited);
  if (FOLDER === undefined || !/^[a-z-]+$/.test(book)) return undefined;
  const file = new URL(`${book}.md`, FOLDER);
  const section = sectionsOf(textOf(file) ?? "").find((one) => one.number === number);
  if (!section) return undefined;
  // The anchor that Markdown renderers make of the heading.
  const heading = section.text.split("\n", 1)[0].replace(/^#+ /, "").toLowerCase();
  file.hash = heading.replaceAll(/[^\p{L}\p{N} _-]/gu, "").replaceAll(" ", "-");
  return file.href;
}

/** The books of this program. */
export const RULE_BOOKS: Books = {
  async section(cited) {
    // Half a megabyte, which only who reads a rule needs.
    const { BOOKS } = await import("../../common/books.ts");
    const [book, number] = partsOf(cited);
    return sectionsOf(BOOKS.get(book) ?? "").find((one) => one.number === number)?.text;
  },
  target(cited) {
    if (!targets.has(cited)) targets.set(cited, targetOf(cited));
    return targets.get(cited);
  },
};
