// Redirects of servers, which may be hostile: none leads where the user's URL does not.

import assert from "node:assert/strict";
import { refusalOf } from "../../../src/app/catalog/redirects.ts";
import { fetchSmall, transfer } from "../../../src/app/catalog/transfer.ts";
import { sha256 } from "../../../src/kit/support/values/sha256.ts";
import { serving } from "../../support/signed-mirror.ts";
import { inFolder } from "../../support/temporary-folder.ts";
import { problemText } from "../../../src/kit/support/problem.ts";

const BYTES = crypto.getRandomValues(new Uint8Array(10_000));
const WANTED = { size: BYTES.length, sha256: await sha256(BYTES) };
const moved = (location: string, status = 302) => new Response(null, { status, headers: { location } });

Deno.test("redirects lead to the internet, or to a kind of address that the user's URL has; never from https to http", async () => {
  const refusal = (from: string, to: string) => refusalOf(new URL(from), new URL(to));
  const PUBLIC = "https://93.184.215.14/disk";
  const cases: readonly (readonly [from: string, to: string, refused: RegExp | undefined])[] = [
    [PUBLIC, "https://1.1.1.1/disk", undefined],
    [PUBLIC, "https://[2606:4700::1111]/disk", undefined],
    [PUBLIC, "http://1.1.1.1/disk", /^is not https$/],
    ["http://93.184.215.14/", "http://1.1.1.1/", undefined],
    ["http://93.184.215.14/", "https://1.1.1.1/", undefined],
    [PUBLIC, "file:///etc/passwd", /^is not https$/],
    ["http://127.0.0.1/", "data:,x", /^is neither https nor http$/],
    ...["127.0.0.1", "2130706433", "0x7f.1", "0.0.0.0", "[::1]", "[::]", "[::ffff:127.0.0.1]", "[64:ff9b::7f00:1]", "localhost"].map(
      (host) => [PUBLIC, `https://${host}/`, /^is an address of this computer; if you trust the server, name that URL yourself$/] as const,
    ),
    ...["10.0.0.1", "172.16.3.4", "192.168.1.1", "100.64.0.1", "[fd00::1]", "[2002:c0a8:101::]"].map(
      (host) => [PUBLIC, `https://${host}/`, /^is a private address/] as const,
    ),
    ...["169.254.169.254", "100.100.100.200", "[fe80::1]", "[fd00:ec2::254]", "[::ffff:a9fe:a9fe]"].map(
      (host) => [PUBLIC, `https://${host}/`, /^is a link-local or metadata address/] as const,
    ),
    [PUBLIC, "https://224.0.0.1/", /^is not an address of a server/],
    // The user's own URL leads there.
    ["http://127.0.0.1:8080/", "http://[::1]:9090/", undefined],
    ["http://localhost/", "http://127.0.0.1/", undefined],
    ["http://192.168.1.1/", "https://10.0.0.1/", undefined],
    ["http://169.254.169.254/", "http://169.254.169.254/b", undefined],
    ["http://127.0.0.1/", "http://169.254.169.254/", /^is a link-local/],
    ["http://192.168.1.1/", "http://127.0.0.1/", /^is an address of this computer/],
    // Only a proxy knows this name.
    [PUBLIC, "https://nobody.invalid/", undefined],
  ];
  for (const [from, to, refused] of cases) {
    const reason = await refusal(from, to);
    if (refused) assert.match(reason ? problemText(reason) : "", refused, `${from} to ${to}`);
    else assert.equal(reason, undefined, `${from} to ${to}`);
  }
});

Deno.test("ten redirects are followed, with the range that was asked for; more, and those without a URL, are refused at once", () =>
  inFolder(async (folder) => {
    const asked: string[] = [], ranges: (string | null)[] = [];
    const answer = (request: Request): Response => {
      const { pathname } = new URL(request.url), [, kind, left] = pathname.split("/");
      asked.push(pathname);
      ranges.push(request.headers.get("range"));
      if (kind === "broken") return moved("http://[");
      if (Number(left) > 0) return moved(`${Number(left) - 1}`, 307);
      return new Response(BYTES.slice(4000), { status: 206, headers: { "content-range": `bytes 4000-9999/10000` } });
    };
    await serving(answer, async (url) => {
      await Deno.writeFile(`${folder}/a.part`, BYTES.slice(0, 4000));
      await transfer(`${url}/hops/10`, `${folder}/a`, WANTED);
      assert.deepEqual(await Deno.readFile(`${folder}/a`), BYTES);
      assert.deepEqual(ranges, Array(11).fill("bytes=4000-"));
      asked.length = 0;
      await assert.rejects(transfer(`${url}/hops/11`, `${folder}/b`, WANTED), { message: `${url}/hops/11: more than 10 redirects` });
      assert.equal(asked.length, 11, "it is not tried again");
      await assert.rejects(fetchSmall(`${url}/broken`, 100), /broken: redirected to "http:\/\/\[", which is not a URL$/);
    });
  }));

Deno.test("a server on the internet that redirects to this computer reaches nothing here", async () => {
  const asked: string[] = [];
  // The proxy is the internet; what is on this computer is asked directly.
  await serving((request) => {
    const { host, pathname } = new URL(request.url);
    asked.push(host);
    return host === "93.184.215.14" ? moved(`http://${pathname.slice(1)}/`) : new Response("inside");
  }, async (url) => {
    const port = new URL(url).port, module = new URL("../../../src/app/catalog/transfer.ts", import.meta.url).href;
    const code = `import { fetchSmall, sizeAt } from ${JSON.stringify(module)};
for (const get of [fetchSmall, sizeAt]) await get("http://93.184.215.14/127.0.0.1:${port}", 1e6).catch((error) => console.log(error.message));`;
    const { stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["eval", "--no-check", "--ext=ts", code],
      cwd: new URL("../../..", import.meta.url),
      env: { HTTP_PROXY: url, http_proxy: url, NO_PROXY: "127.0.0.1", no_proxy: "127.0.0.1" },
    }).output();
    const said = new TextDecoder().decode(stdout).trimEnd().split("\n");
    assert.equal(said.length, 2, new TextDecoder().decode(stderr));
    for (const line of said) {
      assert.match(
        line,
        /^http:\/\/93\.184\.215\.14\/\S+: redirected to http:\/\/127\.0\.0\.1:\d+\/, which is an address of this computer; /,
      );
    }
  });
  assert.deepEqual(asked, ["93.184.215.14", "93.184.215.14"]);
});
