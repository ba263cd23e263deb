// Published recordings in each browser: the demo and a Debian replay there to the end, with the
// hashes of the program.

import assert from "node:assert/strict";
import { el2 } from "../../program.ts";
import { assertSilent, BROWSERS, LAPTOP, publishDebian, publishDemo, ROWS } from "./published.ts";
import { longTest } from "../../../../support/long.ts";
import { serveFolder } from "../../../../support/static-server.ts";
import { inFolder } from "../../../../support/temporary-folder.ts";

/** How many hashes a replay has compared, in what it says at its end. */
const COMPARED = /identical to the recording \(state hashes compared: (\d+)\)/;

for (const [name, start] of Object.entries(BROWSERS)) {
  longTest(`the demo of a page takes keys and links in ${name}, and ends with equal hashes`, () =>
    inFolder(async (folder) => {
      await publishDemo(folder);
      await using browser = await start();
      await using server = serveFolder(`${folder}/site`, "/some/where/");
      const page = await browser.open(server.url, LAPTOP);
      assert.match(await page.shows(ROWS, COMPARED), /ended: /);
      await page.type("7");
      await page.shows(ROWS, /VM_START/);
      await page.type("/result=ok\r");
      await page.shows(ROWS, /\/result=ok/);
      const place = await browser.open(`${server.url}#to=100000&screen=rpc`, LAPTOP);
      await place.shows(ROWS, /Requests to the Resource Manager/);
      await place.shows(ROWS, /replayed up to instruction 100 ?000/);
      for (const one of [page, place]) assertSilent(one, server.url);
    }));

  longTest(`a Debian boots in a page in ${name} with the hashes of the program`, () =>
    inFolder(async (folder) => {
      await publishDebian(folder);
      await using browser = await start();
      await using server = serveFolder(`${folder}/site`);
      const page = await browser.open(server.url, LAPTOP);
      const [, inPage] = COMPARED.exec(await page.shows(ROWS, COMPARED))!;
      const { code, stderr } = await el2("replay", `${folder}/debian.rec`, "--verify");
      assert.equal(code, 0, stderr);
      assert.equal(inPage, COMPARED.exec(stderr)?.[1], stderr);
      assert.ok(Number(inPage) > 10, inPage);
      assertSilent(page, server.url);
    }));
}
