// `el2 publish`: what it refuses, and its folder in a real browser.

import assert from "node:assert/strict";
import { gzipSync } from "node:zlib";
import { MiB } from "../../../../../src/kit/support/values/sizes.ts";
import { buildCore } from "../../../../../src/session/assembly/built-core.ts";
import { el2In } from "../../program.ts";
import { assertSilent, LAPTOP, publishDemo, ROWS } from "./published.ts";
import { Browser } from "../../../../support/browser.ts";
import { longTest } from "../../../../support/long.ts";
import { serveFolder } from "../../../../support/static-server.ts";
import { inFolder } from "../../../../support/temporary-folder.ts";

Deno.test("publish refuses what is not a recording of this engine, and a folder that cannot be made", () =>
  inFolder(async (folder) => {
    const tried = async (file: string, to = "site") => {
      const { code, stderr } = await el2In(folder, {}, "publish", file, to);
      return `${code} ${stderr}`;
    };
    assert.match(await tried("absent.rec"), /^2 el2: publish absent\.rec: no such file/);
    Deno.writeTextFileSync(`${folder}/text.rec`, "text\n");
    assert.match(await tried("text.rec"), /^2 el2: publish: text\.rec is not an el2 recording/);
    const maker = { version: "0.0.1", engine: "0123456789abcdef" };
    Deno.writeTextFileSync(`${folder}/old.rec`, `${JSON.stringify({ schema: "el2.recording/2", ...maker, plan: {} })}\n`);
    assert.match(await tried("old.rec"), /^2 el2: publish: old\.rec was made by another engine: el2 0\.0\.1, engine 0123456789abcdef/);
    assert.deepEqual([...Deno.readDirSync(folder)].filter(({ isDirectory }) => isDirectory), [], "nothing was begun");
  }));

longTest(
  "a published recording replays in a browser to equal hashes, with its screens, links and the past, and connects to nothing",
  () =>
    inFolder(async (folder) => {
      await publishDemo(folder);
      const programs = ["start.js", "el2.js", "engine.js"].map((name) => Deno.readFileSync(`${folder}/site/${name}`));
      const [engine] = programs.toReversed(), sum = programs.reduce((sum, { length }) => sum + length, 0);
      assert.ok(sum < 4 * MiB && gzipSync(engine).length < 1.2e6, `${sum} bytes, the engine compressed ${gzipSync(engine).length}`);
      // Its core is one for browsers, in which V8 has no options.
      const [, core = "{}"] = /^globalThis\.el2Core = (\{.*\});$/m.exec(new TextDecoder().decode(engine)) ?? [];
      assert.equal(JSON.parse(core).key, buildCore().key.replace("true", "false"));
      await using browser = await Browser.start();
      await using server = serveFolder(`${folder}/site`, "/some/where/");
      const page = await browser.open(server.url, LAPTOP);
      await page.shows(ROWS, /ended: .*identical to the recording \(state hashes compared: 1\)/);
      await page.type("7");
      await page.shows(ROWS, /VM_START/);
      await page.type("Y");
      const [, link = ""] = /copied: (\S+#to=\d+&screen=rpc)/.exec(await page.shows(ROWS, /copied: \S+#to=\d+&screen=rpc/)) ?? [];
      assert.ok(link.startsWith(server.url), link);
      const place = await browser.open(link.replace(/to=\d+/, "to=100000"), LAPTOP);
      await place.shows(ROWS, /Requests to the Resource Manager/);
      await place.shows(ROWS, /replayed up to instruction 100 ?000/);
      const wrong = await browser.open(`${server.url}#to=nowhere`, LAPTOP);
      await wrong.shows("#message", /demo\.rec has no marks/);
      for (const one of [page, place, wrong]) assertSilent(one, server.url);
    }),
);
