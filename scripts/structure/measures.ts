// The measures of the whole house that `deno task structure` prints, each with its goal. The limits
// that hold them are in tests/house/ratchets_test.ts.

import { resolve } from "node:path";
import { commandTree } from "../../src/app/cli/common/command-tree.ts";
import { makeProgram } from "../../src/app/cli/main.ts";
import { Schema } from "../../src/app/configuration/schema.ts";
import { SCREENS } from "../../src/app/tui/actions/screen-table.ts";
import { type Counts, countsBelow, LIMITS, type Place } from "./counts.ts";
import { facesOf } from "./faces.ts";
import { linuxTableHomes, verdictHomes } from "./homes-of-tables.ts";
import { type Homes, summaryOf } from "./homes.ts";
import { circles, importsBelow, twoWayPairs } from "./imports.ts";
import { keyHomes } from "./keys.ts";
import { roomOf } from "./rooms.ts";
import { screenHomes } from "./screens.ts";
import { SIZES, sizesBelow } from "./sizes.ts";
import { sourcesBelow } from "./sources.ts";
import { keysOf, surfaceOf } from "./surface.ts";
import { namesOfTwoThings, typeNames } from "./type-names.ts";
import { verbHomes, verbsOf } from "./verbs.ts";

/** Names of the counts of functions and files, in the order in which they are printed. */
export const COUNTED_KEYS = [
  "longFunctions",
  "longTables",
  "manyParameters",
  "nonNull",
  "casts",
  "longFiles",
] as const satisfies readonly (keyof Counts)[];

/** A number that may fall and not rise. */
export interface Measure {
  /** Its name in the table of limits. */
  readonly name: string;
  readonly what: string;
  readonly value: number;
  /** Undefined where it only may not grow. */
  readonly goal?: number;
  /** The counted things, the worst first; none where the number says all. */
  readonly worst: readonly string[];
}

const ROOT = resolve(import.meta.dirname!, "../..");
const SOURCE = `${ROOT}/src`;

/** Code is held in steps of so many lines: a change of that size has a reason. */
const THOUSAND = 1000;

/** All measures, in the order in which they are printed. */
export async function measures(): Promise<Measure[]> {
  return [...homes(), ...surface(), ...crossings(), ...cuts(), ...await functions(), ...ties()];
}

function homes(): Measure[] {
  const sources = sourcesBelow(SOURCE), tree = program();
  return [
    ...homesOf("verb", 2, verbHomes(verbsOf(tree), sources)),
    ...homesOf("screen", 4, screenHomes(SOURCE, SCREENS, sources)),
    ...homesOf("Linux table", 3, linuxTableHomes(sources)),
    ...homesOf("verdict", 2, verdictHomes(sources)),
    ...homesOf("key", 2, keyHomes(keysOf(Schema), sources)),
  ];
}

/** The greatest and the mean number of homes of a kind of thing, and how many have too many. */
function homesOf(kind: string, goal: number, all: readonly Homes[]): Measure[] {
  const { greatest, mean, worst } = summaryOf(all);
  const key = kind.toLowerCase().replaceAll(" ", "-");
  const text = ({ name, files }: Homes) => `${name}: ${files.length}: ${files.join(", ")}`;
  const more = all.filter(({ files }) => files.length > goal).sort((a, b) => b.files.length - a.files.length);
  return [
    { name: `${key}.greatest`, what: `homes of a ${kind}, the greatest`, value: greatest, goal, worst: worst.map(text) },
    { name: `${key}.mean`, what: `homes of a ${kind}, the mean`, value: mean, goal, worst: [] },
    {
      name: `${key}.more`,
      what: `${kind}s with more homes than ${goal}, of ${all.length}`,
      value: more.length,
      goal: 0,
      worst: more.map(text),
    },
  ];
}

const program = () => commandTree(makeProgram(new URL(import.meta.url), () => {}));

function surface(): Measure[] {
  const { commands, runnable, options, optionLines, boot, run } = surfaceOf(program());
  return [
    { name: "commands", what: "commands", value: commands, goal: 55, worst: [] },
    { name: "commands.all", what: "commands, with those below them", value: runnable, goal: 130, worst: [] },
    { name: "options", what: "distinct options", value: options, goal: 110, worst: [] },
    { name: "options.lines", what: "option lines in help", value: optionLines, goal: 600, worst: [] },
    { name: "options.boot", what: "options of boot", value: boot, goal: 30, worst: [] },
    { name: "options.run", what: "options of run", value: run, goal: 30, worst: [] },
    { name: "keys", what: "keys of a configuration", value: keysOf(Schema).length, goal: 130, worst: [] },
  ];
}

function crossings(): Measure[] {
  const sources = sourcesBelow(SOURCE), { ofSession, ofMachine } = facesOf(SOURCE, sources);
  const ofCli = importsBelow(SOURCE).filter(({ from, to }) => roomOf(from) === "cli" && roomOf(to) !== "cli");
  const rooms = [...new Set(ofCli.map(({ to }) => roomOf(to)))].sort();
  const names = typeNames(sources), several = names.filter(({ files }) => files.length > 2);
  const twice = namesOfTwoThings(names);
  const text = (all: typeof names) => all.map(({ name, files }) => `${name}: ${files.length}: ${files.join(", ")}`);
  return [
    { name: "names.session", what: "names that app takes of session", value: ofSession.length, goal: 110, worst: ofSession },
    { name: "names.machine", what: "names that session takes of machine", value: ofMachine.length, goal: 380, worst: ofMachine },
    { name: "rooms.cli", what: "rooms that cli imports", value: rooms.length, goal: 12, worst: rooms },
    { name: "types.declared", what: "type names declared more than twice", value: several.length, worst: text(several) },
    { name: "types.twice", what: "type names that one floor exports for two things", value: twice.length, goal: 0, worst: text(twice) },
  ];
}

function cuts(): Measure[] {
  const { smallFiles, spreads, flatFolders, codeLines } = sizesBelow(SOURCE), tests = sizesBelow(`${ROOT}/tests`).codeLines;
  const folders = [...Deno.readDirSync(SOURCE)].filter(({ isDirectory }) => isDirectory).map(({ name }) => name).sort();
  const held = (lines: number) => Math.ceil(lines / THOUSAND);
  return [
    { name: "folders", what: "folders of src/", value: folders.length, goal: 8, worst: folders },
    {
      name: "folders.flat",
      what: `folders of more than ${SIZES.flatFolder} files`,
      value: flatFolders.length,
      goal: 0,
      worst: texts(flatFolders),
    },
    { name: "files.small", what: `files under ${SIZES.smallFile} lines`, value: smallFiles.length, goal: 120, worst: texts(smallFiles) },
    { name: "spreads", what: "spreads ...{ a, b }", value: spreads.length, goal: 60, worst: texts(spreads) },
    { name: "code.src", what: `thousand lines of code in src/ (${codeLines})`, value: held(codeLines), worst: [] },
    { name: "code.tests", what: `thousand lines of code in tests/ (${tests})`, value: held(tests), worst: [] },
  ];
}

/** The counts of functions and files, with their goals. */
export const COUNTED: Readonly<Record<keyof Counts, { readonly what: string; readonly goal?: number }>> = {
  longFunctions: { what: `functions of more than ${LIMITS.functionLines} lines`, goal: 0 },
  longTables: { what: `tables of more than ${LIMITS.functionLines} lines` },
  manyParameters: { what: `functions of more than ${LIMITS.parameters} parameters`, goal: 0 },
  nonNull: { what: "non-null assertions (!)" },
  casts: { what: "casts (as), apart from as const" },
  longFiles: { what: `files of more than ${LIMITS.fileLines} lines` },
};

async function functions(): Promise<Measure[]> {
  const counts = await countsBelow(SOURCE, SOURCE);
  return COUNTED_KEYS.map((name) => ({ name, ...COUNTED[name], value: counts[name].length, worst: texts(counts[name]) }));
}

function ties(): Measure[] {
  const imports = importsBelow(SOURCE), found = circles(imports), pairs = twoWayPairs(imports);
  return [
    { name: "circles", what: "circles of files", value: found.length, worst: found.map((circle) => circle.join(", ")) },
    { name: "pairs", what: "two-way pairs of folders", value: pairs.length, goal: 0, worst: pairs.map(({ a, b }) => `${a} and ${b}`) },
  ];
}

const texts = (places: readonly Place[]) => places.map(({ file, line, text }) => `${file}:${line} ${text}`);
