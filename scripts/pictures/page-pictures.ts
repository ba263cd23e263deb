// Screenshots of a published recording in a browser, as PNG. Their letters are of the computer's
// fonts.

import { pageProgram } from "../../src/app/cli/commands/runs/page-program.ts";
import type { ThemeName } from "../../src/app/tui/look/themes.ts";
import { packedFiles, publishedFiles } from "../../src/app/web/published/published-files.ts";
import { Browser } from "../../tests/support/browser.ts";
import { serveFolder } from "../../tests/support/static-server.ts";

/** A screenshot that was made. */
export interface Screenshot {
  readonly theme: ThemeName;
  readonly png: Uint8Array;
  /** The text of the page's terminal. */
  readonly text: string;
}

/** Pixels of a page. */
export const PAGE = { width: 1120, height: 640 } as const;

/**
 * A recording as a page shows it at a place, in two themes.
 * @param fragment the end of the link to the place
 * @param shown what the page shows there
 */
export async function screenshots(entry: URL, recording: string, fragment: string, shown: RegExp): Promise<Screenshot[]> {
  const name = recording.slice(recording.lastIndexOf("/") + 1), folder = await Deno.makeTempDir({ prefix: "el2-page-" });
  try {
    const packed = await packedFiles(recording, await Deno.readFile(recording));
    const files = publishedFiles({ name, live: false, packed }, await pageProgram(entry));
    for (const [file, content] of files) await Deno.writeTextFile(`${folder}/${file}`, content);
    await using browser = await Browser.start();
    await using server = serveFolder(folder);
    const made: Screenshot[] = [];
    for (const theme of ["dark", "light"] as const) {
      const page = await browser.open(`${server.url}#${fragment}`, { ...PAGE, dark: theme === "dark" });
      const text = await page.shows(".xterm-rows", shown);
      made.push({ theme, png: await page.picture(), text });
    }
    return made;
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}
