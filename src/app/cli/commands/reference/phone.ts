// `el2 reference phone [NAME]`: the values of a phone's profile, each with its source and mark.

import { Argument } from "@commander-js/extra-typings";
import { printListing } from "../../common/list-options.ts";
import { output } from "../../common/print.ts";
import { offering } from "../../common/command-tree.ts";
import type { ReferencePage } from "./page.ts";
import { PHONE_NAMES, type PhoneName } from "../../../configuration/keys/names.ts";
import { phoneModel, phoneSetting } from "../../../configuration/phone-settings.ts";
import { PHONE_KEY_NAMES, PHONE_KEYS, phoneTitle, phoneValue } from "../../../configuration/phones.ts";
import { formatId } from "../../../../model/queries/ids.ts";
import { documentText, type FieldsOf, listingOf, PHONE } from "../../../../model/queries/documents.ts";

const phoneOffers = () => PHONE_NAMES.map((name) => ({ word: name, help: phoneTitle(name) }));

export const PHONE_PAGE: ReferencePage = {
  name: "phone",
  doc: "list the profiles that --phone takes; with a name, each of its values, its source and how certain it is",
  words: [offering(new Argument("[name]", "the phone, by its chip").choices(PHONE_NAMES), phoneOffers)],
  form: "list",
  notes: `Marks: R read in the source, I inferred, U claimed by one user, generic the value without a phone.
A value sets a key, or is "always" so in el2. el2 does not model the others.`,
  examples: ["phone", "phone sm8650", `phone sm8750 --json | jq '.values[] | select(.mark == "R")'`],
  async print([typed], options) {
    // Commander has taken no other word.
    const name = PHONE_NAMES.find((one) => one === typed);
    if (name !== undefined) return output(`${options.json ? documentText(PHONE, phoneAsJson(name)) : phoneAsText(name)}\n`);
    await printListing(listingOf(PHONE, "there is no profile"), options, () => PHONE_NAMES.map(phoneAsJson), (rows) => {
      const width = Math.max(...rows.map(({ name }) => name.length));
      for (const row of rows) output(options.json ? `${documentText(PHONE, row)}\n` : `${row.name.padEnd(width)}  ${row.title}\n`);
    });
  },
};

/** A profile as plain data. */
export function phoneAsJson(name: PhoneName): FieldsOf<typeof PHONE> {
  const values = PHONE_KEY_NAMES.map((key) => {
    const { value, source, mark } = phoneValue(name, key);
    return { key, value, source, mark, sets: phoneSetting(key)?.join(".") ?? null, modeled: phoneModel(name, key) };
  });
  return { id: formatId({ kind: "phone", name }), name, title: phoneTitle(name), values };
}

/** The same as a table. */
export function phoneAsText(name: PhoneName): string {
  const rows = PHONE_KEY_NAMES.map((key) => {
    const { value, source, mark } = phoneValue(name, key);
    return [key, String(value), mark, source, phoneSetting(key)?.join(".") ?? MODELED[phoneModel(name, key)], PHONE_KEYS[key].doc];
  });
  const head = ["value", "is", "mark", "source", "sets", ""];
  // Long values, such as the features of a CPU, get their own line.
  const long = rows.filter(([, value]) => value.length > VALUE_WIDTH);
  const shown = [head, ...rows.map((row) => row[1].length > VALUE_WIDTH ? [row[0], "(below)", ...row.slice(2)] : row)];
  const widths = head.map((_, column) => Math.max(...shown.map((row) => row[column].length)));
  const lines = shown.map((row) => row.map((cell, column) => cell.padEnd(widths[column])).join("  ").trimEnd());
  return [`${name}: ${phoneTitle(name)}`, ...lines, ...long.flatMap(([key, value]) => ["", `${key}: ${value}`])].join("\n");
}

/** How el2 has values that set no key. */
const MODELED = { key: "", always: "(always)", none: "(not modeled)" } as const;
const VALUE_WIDTH = 26;
