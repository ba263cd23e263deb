// `el2 publish`: what it refuses, and its folder in a real browser.

import assert from "node:assert/strict";
import { el2, el2In } from "../../program.ts";
import { DEMO } from "../recordings.ts";
import { Browser, type Page, type PageLook } from "../../../../support/browser.ts";
import { longTest } from "../../../../support/long.ts";
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

/** A plain static server: files of a folder below a path, without any header. */
function serve(folder: string, path: string): { readonly url: string } & AsyncDisposable {
  const types: Readonly<Record<string, string>> = { html: "text/html", js: "text/javascript", css: "text/css" };
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, async (request) => {
    const { pathname } = new URL(request.url), name = pathname.endsWith("/") ? `${pathname}index.html` : pathname;
    const type = types[name.slice(name.lastIndexOf(".") + 1)];
    if (!name.startsWith(path) || !type) return new Response(null, { status: 404 });
    return new Response(await Deno.readFile(`${folder}/${name.slice(path.length)}`), { headers: { "content-type": type } });
  });
  return { url: `http://127.0.0.1:${server.addr.port}${path}`, [Symbol.asyncDispose]: () => server.shutdown() };
}

const LAPTOP: PageLook = { width: 1280, height: 800 };
const ROWS = ".xterm-rows";

/** Requests of the page for other files than its own. */
const foreign = (page: Page, url: string) =>
  page.requests.filter((one) => !one.startsWith(url) && !one.startsWith(`blob:${new URL(url).origin}`));

longTest(
  "a published recording replays in a browser to equal hashes, with its screens, links and the past, and connects to nothing",
  () =>
    inFolder(async (folder) => {
      const recorded = await el2("run", DEMO, "--turbo", "--for", "50ms", "--record", `${folder}/demo.rec`);
      assert.equal(recorded.code, 0, recorded.stderr);
      const published = await el2("publish", `${folder}/demo.rec`, `${folder}/site/`);
      assert.equal(published.code, 0, published.stderr);
      const programs = ["start.js", "el2.js", "engine.js"].map((name) => Deno.readFileSync(`${folder}/site/${name}`));
      assert.ok(programs.reduce((sum, { length }) => sum + length, 0) < 4 * 2 ** 20);
      await using browser = await Browser.start();
      await using server = serve(`${folder}/site`, "/some/where/");
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
      for (const one of [page, place, wrong]) {
        assert.deepEqual(one.complaints, []);
        assert.deepEqual(foreign(one, server.url), []);
      }
    }),
);
