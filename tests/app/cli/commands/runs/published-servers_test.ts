// A published recording from servers of other kinds: one with a strict policy, one that goes away.

import { assertSilent, BROWSERS, LAPTOP, publishDemo, ROWS } from "./published.ts";
import { PUBLISHED_POLICY } from "../../../../../src/app/web/published/published-files.ts";
import { longTest } from "../../../../support/long.ts";
import type { ShownPage } from "../../../../support/shown-page.ts";
import { serveFolder } from "../../../../support/static-server.ts";
import { inFolder } from "../../../../support/temporary-folder.ts";

/** The headers of a careful server: the page's own policy, and rules that need a header. */
const STRICT = {
  "content-security-policy": `${PUBLISHED_POLICY}; frame-ancestors 'none'`,
  "cross-origin-embedder-policy": "require-corp",
  "cross-origin-opener-policy": "same-origin",
  "permissions-policy": "camera=(), geolocation=(), microphone=()",
  "x-content-type-options": "nosniff",
};

/** Clicks at the beginning of a text in the second row, which has the screens' names. */
async function clickScreen(page: ShownPage, name: string): Promise<void> {
  const [first, second] = (await page.text(ROWS)).split("\n");
  const width = await page.value('document.querySelector(".xterm-screen").clientWidth') as number;
  const height = await page.value('document.querySelector(".xterm-rows").firstElementChild.clientHeight') as number;
  await page.click(Math.round((second.indexOf(name) + 0.5) * width / first.length), Math.round(1.5 * height));
}

for (const [name, start] of Object.entries(BROWSERS)) {
  longTest(
    `a page works in ${name} below a folder of a server with a strict policy, and when that is gone`,
    () =>
      inFolder(async (folder) => {
        await publishDemo(folder);
        await using browser = await start();
        const server = serveFolder(`${folder}/site`, "/some/where/", STRICT);
        const page = await browser.open(server.url, LAPTOP);
        await page.shows(ROWS, /ended: .*identical/);
        await server[Symbol.asyncDispose]();
        await clickScreen(page, "RPC");
        await page.shows(ROWS, /VM_START/);
        await page.type(":back --to 100000\r");
        await page.shows(ROWS, /PAST/);
        await page.type(":back --now\r");
        await page.shows(ROWS, /ENDED/);
        // A link that is pasted into the open page goes to its place, and a wrong one is said.
        await page.value('location.hash = "#to=100000&screen=mem"');
        await page.shows(ROWS, /PAST/);
        await page.shows(ROWS, /Address/i);
        await page.value('location.hash = "#to=nowhere"');
        await page.shows(ROWS, /nowhere/);
        await page.type(":mark lost\r");
        await page.shows(ROWS, /the mark is in this page alone, until it is closed/);
        await page.type(":back --now\r");
        await page.shows(ROWS, /ENDED/);
        await page.type(":who reg:ping/0/x0\r");
        await page.shows(ROWS, /Places of the run/);
        assertSilent(page, server.url);
      }),
  );
}
