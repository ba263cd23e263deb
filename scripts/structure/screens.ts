// Homes of screens. A file of the terminal UI is a home of a screen if it spells its name in
// actions ("screen.queue") or its key where a screen is meant, or imports its file, and that file.

import type { Homes } from "./homes.ts";
import { importedNames, type Source } from "./sources.ts";
import { roomOf } from "./rooms.ts";
import type { ScreenEntry } from "../../src/app/tui/actions/screen-table.ts";

/** A row of the table of screens, in part. */
type ScreenName = Pick<ScreenEntry, "key" | "name" | "title">;

/** Forms in which a text is the key of a screen, which is `K` here. */
const KEY_FORMS = [
  '\\b(?:screen|key|on|layout|text): (?:\\w+ = )?"K"',
  '\\b(?:screen|key|layout) [!=]== "K"',
  '\\bshow\\("K"',
  '^ *"K": [[{]',
  '\\["K", "',
  '^(?!.*\\.(?:padStart|replaceAll)\\().*, "K"\\)',
];

/** The files that spell each screen. */
export function screenHomes(root: string, screens: readonly ScreenName[], sources: readonly Source[]): Homes[] {
  // The protocol of terminals has other numbers.
  const shown = sources.filter(({ path }) => roomOf(path) === "tui" && !path.includes("/terminal/"));
  return screens.map((screen) => {
    const files = shown.filter((source) => isHome(root, screen, source)).map(({ path }) => path);
    return { name: `${screen.key} ${screen.title}`, files };
  });
}

function isHome(root: string, { key, name, title }: ScreenName, source: Source): boolean {
  const own = new RegExp(`/(?:${name}|${title.toLowerCase()})-screen\\.ts$`);
  return own.test(source.path) || importedNames(root, source).some(({ to }) => own.test(to)) ||
    new RegExp(`\\bscreen\\.${name}\\b`).test(source.text) ||
    KEY_FORMS.some((form) => new RegExp(form.replaceAll("K", key), "m").test(source.text));
}
