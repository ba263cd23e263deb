// Published recordings of strangers, damaged ones, and what is not to be in one.

import assert from "node:assert/strict";
import { gunzipSync } from "node:zlib";
import { el2 } from "../../program.ts";
import { DEMO, recordDemo, rewrite } from "../recordings.ts";
import { assertSilent, done, foreignRequests, LAPTOP, publishDemo, ROWS } from "./published.ts";
import { Browser, type Page } from "../../../../support/browser.ts";
import { longTest } from "../../../../support/long.ts";
import { serveFolder } from "../../../../support/static-server.ts";
import { inFolder } from "../../../../support/temporary-folder.ts";
import { eventually } from "../../../../support/eventually.ts";
import { exists } from "../../../../../src/kit/support/files/cache.ts";
import { GLOBALS } from "../../../../../src/session/worker/rights/remaining.ts";

/** Names of all that the global object of a thread has, but for numbers. */
const NAMES = `(() => {
  const names = new Set();
  for (let at = globalThis; at && at !== Object.prototype; at = Object.getPrototypeOf(at)) {
    for (const name of Object.getOwnPropertyNames(at)) if (typeof globalThis[name] !== "number") names.add(name);
  }
  return [...names];
})()`;

/** Numbers of what an origin of a browser keeps, and its cookies. */
const KEPT = "(async () => [localStorage.length, document.cookie, (await indexedDB.databases()).length, (await caches.keys()).length])()";

/** The text in a page's terminal and beside it. */
const said = async (page: Page) => `${await page.text(ROWS)}${await page.text("#message")}`;

longTest("code in the worker of a page has no connection, no storage and no other worker", () =>
  inFolder(async (folder) => {
    await publishDemo(folder);
    await using browser = await Browser.start();
    await using server = serveFolder(`${folder}/site`);
    let asked = 0;
    await using other = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, () => {
      asked++;
      return new Response("export {}", { headers: { "content-type": "text/javascript", "access-control-allow-origin": "*" } });
    });
    const page = await browser.open(server.url, LAPTOP), address = `http://127.0.0.1:${other.addr.port}/`;
    await page.shows(ROWS, /ended: .*identical/);
    const worker = await page.worker(), names = await page.value(NAMES, worker) as string[];
    const added = names.filter((name) => !GLOBALS.has(name) && name !== "constructor");
    assert.deepEqual(added, [], "names of services that are left");
    for (
      const name of [
        "fetch",
        "XMLHttpRequest",
        "WebSocket",
        "indexedDB",
        "caches",
        "Worker",
        "importScripts",
        "navigator",
        "BroadcastChannel",
      ]
    ) {
      assert.equal(await page.value(`typeof ${name}`, worker), "undefined", name);
    }
    const refused = (expression: string, session?: string) =>
      page.value(`(async () => { try { await ${expression}; return "done"; } catch (error) { return error.name; } })()`, session);
    assert.equal(await refused(`import("${address}")`, worker), "TypeError");
    assert.equal(await refused(`fetch("${address}")`), "TypeError", "nor may the page");
    assert.equal(await refused(`import("data:text/javascript,1")`, worker), "TypeError");
    assert.equal(asked, 0);
    // An error that nobody expects is said, too.
    await page.value('void Promise.reject(new Error("quite lost"))', worker);
    await eventually(() => said(page), (text) => text.includes("quite lost"));
    assert.deepEqual(await page.value(KEPT), [0, "", 0, 0]);
  }));

/** Recordings of strangers: what is changed in the demo's, and what the page says. */
const HOSTILE: Readonly<Record<string, { readonly change: (keys: Keys) => void; readonly says: RegExp }>> = {
  "a disk of this computer": {
    change: ({ vm }) => vm.ping.devices = [{ kind: "block", image: "/etc/passwd", mode: "ro" }],
    says: /disk \/etc\/passwd is not in the page/,
  },
  "a folder of this computer": {
    change: ({ vm }) => vm.ping.devices = [{ kind: "9p", folder: "/etc", mode: "ro" }],
    says: /the replay differs/,
  },
  "more memory than there can be": { change: ({ machine }) => machine.memory = "900TiB", says: /memory/ },
  "a key that nobody knows": { change: ({ machine }) => machine.fetch = "http://192.0.2.1/", says: /fetch/ },
};

interface Keys {
  readonly machine: Record<string, unknown>;
  readonly vm: Record<string, Record<string, unknown>>;
}

longTest(
  "a page says what is wrong with a stranger's recording, and one that was cut off says how far it got",
  () =>
    inFolder(async (folder) => {
      await publishDemo(folder);
      await using browser = await Browser.start();
      await using server = serveFolder(folder);
      for (const [name, { change, says }] of Object.entries(HOSTILE)) {
        await Deno.copyFile(`${folder}/demo.rec`, `${folder}/hostile.rec`);
        await rewrite(`${folder}/hostile.rec`, (line) => {
          if (!line.startsWith('{"schema"')) return line;
          const header = JSON.parse(line);
          change(header.plan.table.keys);
          return JSON.stringify(header);
        });
        await done("publish", `${folder}/hostile.rec`, `${folder}/hostile`);
        const page = await browser.open(`${server.url}hostile/`, LAPTOP),
          shown = await eventually(() => said(page), (text) => says.test(text));
        assert.match(shown, says, name);
        assertSilent(page, server.url);
        assert.deepEqual(await page.value(KEPT), [0, "", 0, 0], name);
        await page.close();
      }
      const engine = `${folder}/site/engine.js`, program = await Deno.readTextFile(engine);
      const script = `${folder}/site/run-0.js`, whole = await Deno.readTextFile(script);
      const cut = async (says: RegExp) => {
        const page = await browser.open(`${server.url}site/`, LAPTOP);
        await page.shows("#message", says);
        assert.deepEqual(foreignRequests(page, server.url), []);
      };
      await Deno.writeTextFile(engine, program.slice(0, 300_000));
      await cut(/engine\.js is missing or not whole: .+; load the page again/);
      await Deno.remove(engine);
      await cut(/engine\.js is missing or not whole: .+; load the page again/);
      await Deno.writeTextFile(engine, program);
      await Deno.writeTextFile(script, whole.slice(0, 3000));
      await cut(/demo\.rec: run-0\.js is not whole: 0 of \d+ bytes have come/);
      await Deno.writeTextFile(script, whole.replace(/.{400}"\)/, '")'));
      await cut(/demo\.rec: a part is not whole: \d+ of \d+ bytes have come/);
      await Deno.remove(script);
      await cut(/demo\.rec: run-0\.js is missing: 0 of \d+ bytes have come/);
    }),
);

/** All bytes of a folder's files as texts, those of the recording also decoded and unpacked. */
async function textsOf(folder: string): Promise<string> {
  const texts: string[] = [], pieces: string[] = [];
  for await (const { name } of Deno.readDir(folder)) {
    const text = await Deno.readTextFile(`${folder}/${name}`), piece = /^el2Piece\((\d+),"(.*)"\)$/m.exec(text);
    texts.push(name, text);
    if (piece) pieces[Number(piece[1])] = piece[2];
  }
  assert.ok(pieces.length > 0);
  for (const piece of pieces) texts.push(new TextDecoder().decode(gunzipSync(Uint8Array.fromBase64(piece))));
  return texts.join("\n");
}

longTest(
  "what a copy was to lack is in no file of its page, and no folder of this computer is",
  () =>
    inFolder(async (folder) => {
      const secret = "quite-a-secret", inside = `${folder}/${secret}`, file = `${folder}/a.rec`, copy = `${folder}/b.rec`;
      await Deno.mkdir(`${inside}/guests`, { recursive: true });
      await Deno.writeTextFile(`${inside}/own.toml`, (await Deno.readTextFile(DEMO)).replaceAll(/^symbols = .*\n/gm, ""));
      for (const guest of ["hello", "ping", "pong"]) {
        await Deno.copyFile(DEMO.replace("demo.toml", `guests/${guest}.bin`), `${inside}/guests/${guest}.bin`);
      }
      await done("run", `${inside}/own.toml`, "--turbo", "--for", "5ms", "--record", file);
      await done("recording", "pack", file, copy, "--redact", "input", "--redact", "paths");
      await done("publish", copy, `${folder}/site`);
      const text = await textsOf(`${folder}/site`);
      assert.ok(text.includes('"engine"'), "the recording is among them");
      for (const one of [secret, folder, new URL("../../../../..", import.meta.url).pathname, ".cache/deno"]) {
        assert.ok(!text.includes(one), one);
      }
      const typed = `${folder}/typed.rec`, without = `${folder}/without.rec`;
      await recordDemo(typed);
      const { code, stderr } = await el2("recording", "pack", typed, without, "--redact", "input");
      assert.deepEqual([code, await exists(without)], [2, false], stderr);
    }),
);
