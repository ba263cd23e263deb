// The demo in a browser: its machine runs in the page and takes keys.

import { assertSilent, LAPTOP, ROWS } from "./published.ts";
import { demoFiles } from "../../../../../scripts/dist/demo-page.ts";
import { pageProgram } from "../../../../../src/app/cli/commands/runs/page-program.ts";
import { Browser } from "../../../../support/browser.ts";
import { Firefox } from "../../../../support/firefox.ts";
import { longTest } from "../../../../support/long.ts";
import { serveFolder } from "../../../../support/static-server.ts";
import { inFolder } from "../../../../support/temporary-folder.ts";

const ENTRY = new URL("../../../../../main.ts", import.meta.url);

for (const [name, start] of Object.entries({ Chromium: () => Browser.start(), Firefox: () => Firefox.start() })) {
  longTest(`the demo runs in a page in ${name}: a guest answers a key, and it goes back in time`, () =>
    inFolder(async (folder) => {
      for (const [file, text] of await demoFiles(await pageProgram(ENTRY))) await Deno.writeTextFile(`${folder}/${file}`, text);
      await using browser = await start();
      await using server = serveFolder(folder);
      const page = await browser.open(server.url, LAPTOP);
      await page.shows(ROWS, /tick 1/);
      await page.type(":back --to 100000\r");
      await page.shows(ROWS, /PAST/);
      await page.type(":back --now\r");
      await page.shows(ROWS, /PAUSED/);
      await page.type("7");
      await page.shows(ROWS, /VM_START/);
      await page.type("e");
      await page.shows(ROWS, /write the rows to/);
      await page.type("\r");
      await page.shows(ROWS, /a page has no files/);
      await page.type("1");
      await page.shows(ROWS, /Virtual machines/);
      await page.type("p");
      await page.shows(ROWS, /LIVE/);
      await page.type("c");
      await page.shows(ROWS, /KEYS GO TO THE GUEST/);
      await page.type("t");
      await page.shows(ROWS, /\d+ ticks, counter/);
      assertSilent(page, server.url);
      const placed = await browser.open(`${server.url}#to=1000`, LAPTOP);
      await placed.shows("#message", /demo runs anew, and has no places yet/);
    }));
}
