// A page of `el2 reference`: what it prints, and how help describes it.

import type { Argument, Option } from "@commander-js/extra-typings";
import type { ListOptions } from "../../common/list-options.ts";

/** The options of a page, as far as it has them. */
export interface PageOptions extends ListOptions {
  readonly json?: boolean;
  readonly config?: string;
}

/** A row of the table: what is typed, and what it prints. */
export interface ReferencePage {
  readonly name: string;
  readonly doc: string;
  readonly words: readonly Argument[];
  /** Forms that it has: rows of a list where no word is given, JSON, or text alone. */
  readonly form: "list" | "json" | "text";
  readonly options?: readonly Option[];
  readonly notes?: string;
  /** For its help, without `el2 reference`. */
  readonly examples: readonly string[];
  print(words: readonly string[], options: PageOptions): void | Promise<void>;
}
