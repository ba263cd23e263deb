// Options of every command that prints a list: columns, format, and repeated printing.

import { type Command, Option } from "@commander-js/extra-typings";
import { common } from "./common-options.ts";
import { Failure } from "./failure.ts";
import { type ListForm, output, outputBytes, printRows } from "./print.ts";
import type { Listing, ListRow } from "../../../model/queries/table.ts";
import { didYouMean } from "../../../kit/support/text/did-you-mean.ts";

/** Wall time (ms) between two prints of a list that is watched. */
const PERIOD = 1000;
/** Cursor to the corner, and clear everything after it. */
const CLEAR = new TextEncoder().encode("\x1b[H\x1b[J");

const TEXT_FORMS = ["wide", "tsv"] as const;
/** Values of `-o`. */
export const LIST_FORMS = [...TEXT_FORMS, "json"] as const;

/** How a list is printed. */
export interface ListOptions extends ListForm {
  readonly watch?: true;
}

/** Adds the options of a list. */
export function withListOptions<Args extends unknown[], Opts extends Record<string, unknown>>(command: Command<Args, Opts>) {
  const option = new Option(
    "-o, --output <form>",
    "wide: all columns of the list, however long the lines; tsv: exact values with tabs between them; json: as --json",
  ).choices(TEXT_FORMS).conflicts("json");
  const listed = withColumns(command).addOption(common(option));
  // A third word, which sets `--json` instead of a value.
  option.choices(LIST_FORMS);
  listed.on("option:output", (form: string) => {
    if (form === "json") listed.setOptionValue("json", true).setOptionValue("output", undefined);
  });
  return listed;
}

/** Adds those of a list whose `-o` also names a file. */
export function withColumns<Args extends unknown[], Opts extends Record<string, unknown>>(command: Command<Args, Opts>) {
  return command
    .addOption(common(
      new Option("--columns <names>", "these columns, in this order, separated by commas; el2 reference schema NAME lists them")
        .argParser((text) => text.split(",")),
    ))
    .addOption(common(new Option("--watch", "print the list every second until interrupted")));
}

/** Whether the options choose columns or a form, instead of a command's own text. */
export const asList = ({ columns, output }: ListOptions): boolean => columns !== undefined || output !== undefined;

/**
 * Prints a list of rows that no session gives, once or with `--watch` every second.
 * @param plain prints them where the options choose neither columns nor a form
 * @throws Failure if there is no such column
 */
export async function printListing<R extends ListRow>(
  listing: Listing,
  options: ListOptions & { readonly json?: boolean },
  make: () => readonly R[] | Promise<readonly R[]>,
  plain: (rows: readonly R[]) => void,
): Promise<void> {
  checkColumns(listing, options);
  await watching(options, options.json ?? false, async () => {
    const rows = await make();
    if (!options.json && asList(options)) printRows(listing, rows, undefined, options);
    else plain(rows);
  });
}

/** @throws Failure if the table lacks a column that was named */
export function checkColumns({ name, columns }: Listing, list: ListOptions): void {
  const wrong = list.columns?.find((column) => !Object.hasOwn(columns, column));
  if (wrong === undefined) return;
  const names = Object.keys(columns);
  throw new Failure(`--columns: ${name} has no column "${wrong}"`, didYouMean(wrong, names, `its columns are ${names.join(", ")}`));
}

/** Prints once; with `--watch` every second, on a terminal over the previous output. */
export async function watching<T>({ watch, output: form }: ListOptions, json: boolean, print: () => Promise<T>): Promise<T> {
  if (!watch) return await print();
  for (let first = true;; first = false) {
    if (Deno.stdout.isTerminal()) outputBytes(CLEAR);
    else if (!first && !json && form !== "tsv") output("\n");
    await print();
    await new Promise((resolve) => setTimeout(resolve, PERIOD));
  }
}
