// Words of arguments and options that are neither ids, files nor choices, for completion.

import { sectionsOf, titleOf } from "../../common/book-sections.ts";
import type { CommandNode } from "../../common/command-tree.ts";
import { schemaNames } from "./schema.ts";
import { themesOf } from "../screens/theme.ts";
import { TRACE_KINDS } from "../../../../machine/abi/trace.ts";
import { PHONE_NAMES } from "../../../configuration/keys/names.ts";
import { phoneTitle } from "../../../configuration/phones.ts";
import { CPU_NAMES, cpuTitle } from "../../../../cpu/isa/cpus/cpus.ts";
import { FEATURE_NAMES, isBase, isBuilt } from "../../../../cpu/isa/cpus/features.ts";

/** A word that may come next. */
export interface Offer {
  readonly word: string;
  readonly help?: string;
}

/** The line that is completed. */
export interface Line {
  /** The program. */
  readonly tree: CommandNode;
  /** Earlier arguments of the command. */
  readonly given: readonly string[];
  /** The word that is completed, as far as it is there. */
  readonly last: string;
}

export type Words = (line: Line) => readonly Offer[] | Promise<readonly Offer[]>;

export const offersOf = (words: readonly string[]): Offer[] => words.map((word) => ({ word }));

/** By command and argument. */
export const ARGUMENT_WORDS: Readonly<Record<string, Words | undefined>> = {
  "run what": machineOffers,
  "up what": machineOffers,
  "vmm what": machineOffers,
  "boot image": () => [{ word: "debian", help: "the catalog's Debian with a disk" }],
  "guests fetch guest": () => [{ word: "debian", help: "Debian's kernel, with a ramdisk or a disk" }],
  "guests export name": guestOffers,
  "tour chapter": async () => {
    const { CHAPTERS } = await import("../../../tui/app/guide/guide-chapters.ts");
    return CHAPTERS.map(({ name, about }) => ({ word: name, help: about }));
  },
  "cpu show name": cpuOffers,
  "phone show name": () => PHONE_NAMES.map((name) => ({ word: name, help: phoneTitle(name) })),
  "theme show name": themeOffers,
  "schema name": () => schemaNames().map(({ name, doc }) => ({ word: name, help: doc })),
  "spec name": async () => Array.from(await books(), ([name, text]) => ({ word: name, help: titleOf(text) })),
  "spec section": async ({ given: [name] }) => {
    return sectionsOf((await books()).get(name) ?? "").map(({ number, title }) => ({ word: number, help: title }));
  },
  "man command": ({ tree, given }) => {
    let node: CommandNode | undefined = tree;
    for (const word of given) node = node?.commands.find(({ name }) => name === word);
    return node?.commands.map(({ name, help }) => ({ word: name, help })) ?? [];
  },
};

/** By the long form of an option. */
export const OPTION_WORDS: Readonly<Record<string, Words | undefined>> = {
  "--cpu": cpuOffers,
  "--kinds": ({ last }) => offersOf(["all", ...TRACE_KINDS].map((kind) => beforeItem(last) + kind)),
  "--theme": async () => [{ word: "auto", help: "by the background of the terminal" }, ...await themeOffers()],
};

/** The items of a list before the last one, which stay. */
function beforeItem(list: string): string {
  return list.slice(0, list.lastIndexOf(",") + 1);
}

/** The CPUs, and after a comma the features that change one. */
function cpuOffers({ last }: Line): Offer[] {
  const before = beforeItem(last);
  if (before === "") return CPU_NAMES.map((name) => ({ word: name, help: cpuTitle(name) }));
  const features = FEATURE_NAMES.filter((feature) => isBuilt(feature) && !isBase(feature));
  return offersOf(features.flatMap((feature) => [`${before}+${feature}`, `${before}-${feature}`]));
}

async function themeOffers(): Promise<Offer[]> {
  return (await themesOf(undefined)).map(({ name, about }) => ({ word: name, help: about }));
}

async function books(): Promise<ReadonlyMap<string, string>> {
  return (await import("../../common/books.ts")).BOOKS;
}

/** The demo and the guests of the catalog. */
async function machineOffers(): Promise<Offer[]> {
  return [{ word: "demo", help: "three VMs that communicate" }, ...await guestOffers()];
}

async function guestOffers(): Promise<Offer[]> {
  const { catalogEntries } = await import("../../../catalog/catalog.ts");
  return (await catalogEntries()).map(({ manifest }) => ({ word: manifest.name, help: manifest.about }));
}
