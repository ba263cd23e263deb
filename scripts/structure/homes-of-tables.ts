// Homes of verdicts and of Linux tables.
//
// A file is a home of a verdict if it has its code where a verdict is meant: `code: "spins"` or
// `codes: ["spins"]`, an entry of that name, or any text in a file that makes lists of codes. Files
// that declare other facts may have the same codes for those.
//
// A file is a home of a Linux table if it has its name, its command, or the kind of its ids in a
// table of kinds. A question (`table: "linux.ps"`) and a type of the declared table are uses, which
// the compiler checks; but a file of src/inside that makes its rows is a home.

import { VERDICT_FACTS } from "../../src/model/queries/facts/verdict.ts";
import { LINUX_TABLES } from "../../src/model/queries/linux-tables.ts";
import type { Homes } from "./homes.ts";
import { importedNames, type Source } from "./sources.ts";
import type { Literal } from "./source-texts.ts";

const FACTS = "model/queries/facts/verdict.ts";
/** Files that name verdicts import these. */
const OF_VERDICTS = /(?:^|\/)(?:facts|verdicts)\/verdict\.ts$/;

/** The homes of each verdict, by its code. */
export function verdictHomes(sources: readonly Source[]): Homes[] {
  return homesOf(Object.keys(VERDICT_FACTS.texts), sources.filter(namesVerdicts), (source) => codesIn(source));
}

function namesVerdicts(source: Source): boolean {
  if (source.path === FACTS) return true;
  return !/\bnew Facts</.test(source.text) && importedNames("", source).some(({ to }) => OF_VERDICTS.test(to));
}

const CODE = /\bcode(?:: | [!=]== )$/, CODES = /\bcodes: \[[^\]]*$/, LISTS = 'VerdictFact["code"]';

function codesIn(source: Source): string[] {
  const codes = source.literals.filter(({ from, to }) => {
    const before = source.before(from);
    return CODE.test(before) || CODES.test(before) || isKey(source, { from, to }) || source.path !== FACTS && source.text.includes(LISTS);
  });
  return codes.map(({ text }) => text);
}

/** Whether a literal is the name of an entry. */
const isKey = (source: Source, { from, to }: Pick<Literal, "from" | "to">) =>
  /(?:^|[{,\n])\s*$/.test(source.before(from)) && source.after(to).startsWith(": ");

/** The homes of each Linux table, by its name. */
export function linuxTableHomes(sources: readonly Source[]): Homes[] {
  const tables = Object.values(LINUX_TABLES);
  return homesOf(
    tables.map(({ name }) => name),
    sources,
    (source) =>
      tables.filter(({ name, columns: { id } }) => isHomeOf(source, name, id.doc.slice(0, id.doc.indexOf(":")))).map(({ name }) => name),
  );
}

/** The file of all kinds of ids, and those of `el2 linux`. */
const IDS = "model/queries/ids.ts", COMMANDS = /(?:^|\/)commands\/(?:\w+\/)*linux(?:-\w+)?\.ts$/;

function isHomeOf(source: Source, table: string, kind: string): boolean {
  if (source.path === IDS && kind !== "vm" && new RegExp(`^  ${kind}: `, "m").test(source.text)) return true;
  const own = table.slice("linux.".length), isCommand = COMMANDS.test(source.path);
  return source.literals.some((literal) => {
    const { text } = literal, before = source.before(literal.from);
    if (isCommand && /(?:\bname: |\w\()$/.test(before) && (text === own || text === table)) return true;
    if (text !== table) return new RegExp(`\\b${table.replace(".", "\\.")}\\b`).test(text);
    return /\bname: $/.test(before) || isKey(source, literal) || source.path.startsWith("inside/") && /\bLinuxTables\[$/.test(before);
  });
}

/** The files in which each of some things is found. */
function homesOf(names: readonly string[], sources: readonly Source[], findIn: (source: Source) => readonly string[]): Homes[] {
  const homes = new Map(names.map((name) => [name, new Set<string>()]));
  for (const source of sources) for (const name of findIn(source)) homes.get(name)?.add(source.path);
  return [...homes].map(([name, files]) => ({ name, files: [...files].sort() }));
}
