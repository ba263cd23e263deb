// Homes of screens. A file of the terminal UI is a home of a screen if it spells its name in
// actions ("screen.queue") or its key where a screen is meant, or imports its file, and that file.

import type { Homes } from "./homes.ts";
import { importedNames, type Source } from "./sources.ts";
import { roomOf } from "./rooms.ts";

/** A row of the table of screens, in part. */
export interface ScreenName {
  readonly key: string;
  readonly name: string;
  readonly title: string;
}

/** `key: "6"`, `screen: "6"`, and the key at the head of a row. */
const KEY = /(?:\b(?:key|screen): |\[)$/;

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
    source.literals.some(({ text, from, to }) =>
      text === `screen.${name}` ||
      text === key && KEY.test(source.before(from)) && (!source.before(from).endsWith("[") || source.after(to).startsWith(', "'))
    );
}
