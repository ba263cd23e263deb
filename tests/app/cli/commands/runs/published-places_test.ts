// Places and answers of a published recording: what the page shows is what the program shows.

import assert from "node:assert/strict";
import { isDeepStrictEqual } from "node:util";
import { assertSilent, done, LAPTOP, panes, publishDemo, ROWS } from "./published.ts";
import { Browser } from "../../../../support/browser.ts";
import { eventually } from "../../../../support/eventually.ts";
import { longTest } from "../../../../support/long.ts";
import { serveFolder } from "../../../../support/static-server.ts";
import { inFolder } from "../../../../support/temporary-folder.ts";

const PLACES = 50;
/** Instructions: 50 steps lead through the run. */
const FIRST = 13_000, STEP = 2_011;
/** Screens without rates and samples, which are of the time for which they have been shown. */
const SCREENS = ["mem", "caps", "rpc", "why", "linux"] as const;
/** Objects and filters in some places, by their number. */
const PARTS: Readonly<Record<number, string>> = { 47: "&select=rpc:46", 42: "&filter=result%3Dok", 43: "&select=why:2" };
/** The first of the places at which questions are typed. */
const ASKED = 100_000;
/** Questions that are typed, one at a place, each with the answer's beginning. */
const QUESTIONS = [
  ["who reg:ping/0/x0", /who reg:ping\/0\/x0/],
  ["who ipa:ping/0x80008ae0 --size 8", /who ipa:ping/],
  ["find reg:ping/0/x0", /find reg:ping\/0\/x0/],
  ["find reg:pong/0/x0", /find reg:pong/],
  ["why why:2", /why:2/],
] as const;

longTest("50 places of a published recording, and answers there, are those that the program shows", () =>
  inFolder(async (folder) => {
    await publishDemo(folder);
    await using browser = await Browser.start();
    await using server = serveFolder(`${folder}/site`);
    const whole = await browser.open(server.url, LAPTOP);
    await whole.shows(ROWS, /ended: .*identical/);
    await whole.close();
    /** Opens each place in another page. */
    const shown = async (to: number, parts: string, command = "") => {
      const fragment = `to=${to}${parts}`, there = RegExp(`ended: replayed up to instruction ${[...String(to)].join(" ?")}\\b`);
      const page = await browser.open(`${server.url}#${fragment}`, LAPTOP);
      const rows = (await page.shows(ROWS, there)).trimEnd().split("\n");
      const picture = `${folder}/place.txt`, link = `${folder}/demo.rec#${fragment}`, size = `${rows[0].length}x${rows.length}`;
      const keys = Array.from(command && `:${command}\r`, (key) => ({ " ": "Space", "\r": "Enter" })[key] ?? key).join(" ");
      await done("screenshot", picture, "--recording", link, "--size", size, "--keys", keys);
      if (command) await page.type(`:${command}\r`);
      const wanted = panes(await Deno.readTextFile(picture));
      await eventually(async () => panes(await page.text(ROWS)), (rows) => isDeepStrictEqual(rows, wanted));
      assertSilent(page, server.url);
      await page.close();
      return wanted.join("\n");
    };
    for (let number = 0; number < PLACES; number++) {
      await shown(FIRST + STEP * number, `&screen=${SCREENS[number % SCREENS.length]}${PARTS[number] ?? ""}`);
    }
    for (const [number, [question, begins]] of QUESTIONS.entries()) assert.match(await shown(ASKED + number, "", question), begins);
  }));
