// The library's module in a real browser: what Deno answers is the oracle.

import assert from "node:assert/strict";
import { openRecording } from "../../../../mod.ts";
import { writeBrowserModule } from "../../../../scripts/dist/page.ts";
import { Browser } from "../../../support/browser.ts";
import { longTest } from "../../../support/long.ts";
import { serveFolder } from "../../../support/static-server.ts";
import { inFolder } from "../../../support/temporary-folder.ts";
import { DEMO } from "../../cli/commands/recordings.ts";
import { el2 } from "../../cli/program.ts";

const PLACES = ["50us", "30000", "10ms"], TABLES = ["vm.ls", "vcpu.ls", "rpc.ls"];

longTest(
  "a browser opens a recording with the library's module as Deno does, and its page gets no name of el2's",
  () =>
    inFolder(async (folder) => {
      const { code, stderr } = await el2("run", DEMO, "--headless", "--turbo", "--for", "20ms", "--record", `${folder}/demo.rec`);
      assert.equal(code, 0, stderr);
      await writeBrowserModule(`${folder}/browser.js`);
      await Deno.writeTextFile(`${folder}/index.html`, "<!doctype html><title>a page</title>");
      await using server = serveFolder(folder);
      await using browser = await Browser.start();
      const page = await browser.open(server.url, { width: 800, height: 600 });
      const inPage = (body: string) =>
        page.value(`(async () => { const { openRecording } = await import("${server.url}browser.js"); ${body} })()`);
      const answers = await inPage(`
      const before = Object.keys(globalThis), recording = await openRecording("${server.url}demo.rec"), all = [recording.end];
      for (const place of ${JSON.stringify(PLACES)}) {
        all.push(await recording.at(place));
        for (const table of ${JSON.stringify(TABLES)}) all.push((await recording.query(table)).rows);
      }
      await recording[Symbol.asyncDispose]();
      return JSON.stringify([all, "Deno" in globalThis, Object.keys(globalThis).filter((name) => !before.includes(name))]);
    `);
      await using recording = await openRecording(new URL(`file://${folder}/demo.rec`));
      const all: unknown[] = [recording.end];
      for (const place of PLACES) {
        all.push(await recording.at(place));
        for (const table of TABLES) all.push((await recording.query(table)).rows);
      }
      assert.deepEqual(JSON.parse(String(answers)), [JSON.parse(JSON.stringify(all)), false, []]);
      const refused = async (address: string) =>
        String(await inPage(`try { await openRecording("${address}"); } catch (error) { return error.message; }`));
      assert.match(await refused(`${server.url}none.rec`), /none\.rec: the server answers 404/);
      assert.match(await refused("file:///demo.rec"), /demo\.rec/);
      assert.deepEqual(page.complaints.filter((text) => !text.includes("404")), []);
    }),
);
