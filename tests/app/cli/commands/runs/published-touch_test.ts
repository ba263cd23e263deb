// A published recording on a telephone: a tap shows another screen, a swipe scrolls a list, and
// buttons are the keys that it lacks.

import { assertSilent, publishDemo, ROWS } from "./published.ts";
import { Browser } from "../../../../support/browser.ts";
import { longTest } from "../../../../support/long.ts";
import { serveFolder } from "../../../../support/static-server.ts";
import { inFolder } from "../../../../support/temporary-folder.ts";

/** JavaScript for the middle of the cell where a text begins. */
const cellOf = (text: string) =>
  `(() => {
    const rows = [...document.querySelectorAll("${ROWS} > div")], row = rows.find((one) => one.textContent.includes(${
    JSON.stringify(text)
  }));
    const { left, top, height, width } = row.getBoundingClientRect(), column = row.textContent.indexOf(${JSON.stringify(text)});
    return [left + (column + 0.5) * width / row.textContent.length, top + height / 2];
  })()`;

/** JavaScript for the middle of a button. */
const buttonOf = (text: string) =>
  `(() => {
    const button = [...document.querySelectorAll("#keys button")].find((one) => one.textContent === ${JSON.stringify(text)});
    button.scrollIntoView();
    const { left, top, height, width } = button.getBoundingClientRect();
    return [left + width / 2, top + height / 2];
  })()`;

longTest("a published page on a telephone takes taps, swipes and the keys that it lacks", () =>
  inFolder(async (folder) => {
    await publishDemo(folder);
    await using browser = await Browser.start();
    await using server = serveFolder(`${folder}/site`);
    const page = await browser.open(server.url, { width: 412, height: 800, touch: true });
    const tap = async (place: string) => await page.touch(...await page.value(place) as [number, number]);
    await page.shows(ROWS, /ended: .*identical/);
    await tap(cellOf("RPC"));
    await page.shows(ROWS, /VM_START/);
    await tap(buttonOf("?"));
    await page.shows(ROWS, /Help \d+ actions/);
    await tap(buttonOf("Esc"));
    // The newest request is selected; a finger that moves down leads to earlier ones.
    const [, newest] = /Request (rpc:\d+) /.exec(await page.shows(ROWS, /Request rpc:/))!;
    await page.swipe(200, 200, 600);
    await page.shows(ROWS, RegExp(`Request (?!${newest} )rpc:`));
    assertSilent(page, server.url);
  }));
