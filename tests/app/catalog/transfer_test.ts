// Transfers from mirrors that disconnect, send wrong data, or never end.

import assert from "node:assert/strict";
import { sha256 } from "../../../src/kit/support/values/sha256.ts";
import { fetchSmall, transfer } from "../../../src/app/catalog/transfer.ts";
import { fileAnswer, serving } from "../../support/signed-mirror.ts";
import { inFolder } from "../../support/temporary-folder.ts";

const BYTES = crypto.getRandomValues(new Uint8Array(50_000));
const WANTED = { size: BYTES.length, sha256: await sha256(BYTES) };

/** A body that breaks after some bytes. */
function breaking(bytes: Uint8Array): ReadableStream<Uint8Array> {
  let sent = false;
  return new ReadableStream({
    pull(controller) {
      if (sent) controller.error(new Error("cable pulled"));
      else controller.enqueue(bytes);
      sent = true;
    },
  });
}

Deno.test("a transfer that breaks continues where it was, and reports its progress", () =>
  inFolder(async (folder) => {
    const ranges: (string | null)[] = [], seen: number[] = [];
    await serving((request) => {
      ranges.push(request.headers.get("range"));
      const from = Number(/\d+/.exec(ranges.at(-1) ?? "0"));
      const part = BYTES.slice(from, from + 20_000), last = from + part.length === BYTES.length;
      return new Response(last ? part : breaking(part), {
        status: from ? 206 : 200,
        headers: from ? { "content-range": `bytes ${from}-${BYTES.length - 1}/${BYTES.length}` } : {},
      });
    }, (url) => transfer(`${url}/a`, `${folder}/a`, WANTED, (done, all) => seen.push(done / all)));
    assert.deepEqual(await Deno.readFile(`${folder}/a`), BYTES);
    assert.deepEqual(ranges, [null, "bytes=20000-", "bytes=40000-"]);
    assert.equal(seen.at(-1), 1);
    assert.deepEqual(seen, [...seen].sort((a, b) => a - b));
  }));

Deno.test("what an earlier run has fetched is not fetched again, even from a mirror without ranges", () =>
  inFolder(async (folder) => {
    await Deno.writeFile(`${folder}/source`, BYTES);
    for (const ranges of [true, false]) {
      await Deno.writeFile(`${folder}/a.part`, BYTES.slice(0, 30_000));
      let sent = 0;
      await serving(async (request) => {
        const answer = await fileAnswer(folder, ranges ? request : new Request(request.url));
        sent += Number(answer.headers.get("content-length") ?? (await answer.clone().arrayBuffer()).byteLength);
        return answer;
      }, (url) => transfer(`${url}/source`, `${folder}/a`, WANTED));
      assert.deepEqual(await Deno.readFile(`${folder}/a`), BYTES);
      assert.equal(sent, ranges ? 20_000 : 50_000);
    }
    // A whole file needs no server.
    await Deno.rename(`${folder}/a`, `${folder}/a.part`);
    await transfer("http://127.0.0.1:9/", `${folder}/a`, WANTED);
  }));

Deno.test("a mirror that cannot answer now is asked again, for what is missing", () =>
  inFolder(async (folder) => {
    await Deno.writeFile(`${folder}/source`, BYTES);
    await Deno.writeFile(`${folder}/a.part`, BYTES.slice(0, 30_000));
    const refusing = (statuses: number[]) => (request: Request): Response | Promise<Response> =>
      statuses.length ? new Response("later", { status: statuses.shift() }) : fileAnswer(folder, request);
    let sent = 0;
    const ready = refusing([503, 429]);
    await serving(async (request) => {
      const answer = await ready(request);
      if (answer.ok) sent += Number(answer.headers.get("content-length") ?? (await answer.clone().arrayBuffer()).byteLength);
      return answer;
    }, (url) => transfer(`${url}/source`, `${folder}/a`, WANTED));
    assert.deepEqual(await Deno.readFile(`${folder}/a`), BYTES);
    assert.equal(sent, 20_000);
    await serving(refusing([502]), async (url) => assert.deepEqual(await fetchSmall(`${url}/source`, 50_000), BYTES));
  }));

Deno.test("an answer that is truncated, endless, replaced, or another part of the file is refused, and nothing stays", () =>
  inFolder(async (folder) => {
    const refused = async (answer: () => Response, reason: RegExp, stays: readonly string[] = []) => {
      await serving(answer, async (url) => await assert.rejects(transfer(`${url}/a`, `${folder}/a`, WANTED), reason));
      assert.deepEqual(Array.from(Deno.readDirSync(folder), ({ name }) => name), stays);
    };
    const endless = () => new ReadableStream({ pull: (controller) => controller.enqueue(new Uint8Array(30_000)) });
    await refused(() => new Response(endless()), /sends more than the 50000 bytes that its lists say/);
    await refused(() => new Response(new Uint8Array(50_000)), /is not what the mirror's lists say/);
    await refused(() => new Response(null, { status: 404, statusText: "Not Found" }), /the mirror answers 404 Not Found/);
    await refused(
      () => new Response(BYTES, { status: 206, headers: { "content-range": "bytes 7-50006/50007" } }),
      /another part of the file/,
    );
    await refused(() => new Response(null, { status: 206 }), /another part of the file/);
    // The received part stays for the next run.
    await refused(() => new Response(BYTES.slice(0, 100)), /the connection ended after 100 of 50000 bytes/, ["a.part"]);
  }));

Deno.test("a proxy of the environment is asked for what a mirror has", () =>
  inFolder(async (folder) => {
    await Deno.writeFile(`${folder}/source`, BYTES);
    const asked: string[] = [];
    await serving((request) => {
      asked.push(request.url);
      return fileAnswer(folder, new Request(`http://127.0.0.1${new URL(request.url).pathname}`));
    }, async (url) => {
      const code = `import { fetchSmall, transfer } from ${
        JSON.stringify(new URL("../../../src/app/catalog/transfer.ts", import.meta.url).href)
      };
await transfer("http://mirror.invalid/source", ${JSON.stringify(`${folder}/a`)}, ${JSON.stringify(WANTED)});`;
      const args = ["eval", "--no-check", "--ext=ts", code];
      const { code: exit, stderr } = await new Deno.Command(Deno.execPath(), {
        args,
        cwd: new URL("../../..", import.meta.url),
        env: { HTTP_PROXY: url, http_proxy: url, NO_PROXY: "", no_proxy: "" },
      }).output();
      assert.equal(exit, 0, new TextDecoder().decode(stderr));
    });
    assert.deepEqual(asked, ["http://mirror.invalid/source"]);
    assert.deepEqual(await Deno.readFile(`${folder}/a`), BYTES);
  }));
