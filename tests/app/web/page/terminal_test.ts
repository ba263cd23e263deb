// The page's terminal in a real browser, with a back end that says what it hears.

import assert from "node:assert/strict";
import { PAGE_POLICY, pageFiles } from "../../../../src/app/web/page-files.ts";
import { SUBPROTOCOL } from "../../../../src/app/web/page/messages.ts";
import { Browser, type PageLook } from "../../../support/browser.ts";
import { eventually } from "../../../support/eventually.ts";

/** A back end's end of a connection: what it has heard, and how it draws. */
interface Heard {
  readonly messages: Record<string, unknown>[];
  typed: string;
  draw(text: string): void;
  say(message: unknown): void;
}

/** Serves the page below a folder, and takes one connection. */
function serve(): { readonly url: string; readonly heard: Promise<Heard> } & AsyncDisposable {
  const files = pageFiles(), { promise: heard, resolve } = Promise.withResolvers<Heard>();
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, (request) => {
    const name = new URL(request.url).pathname.slice(1);
    if (name === "screens") {
      const { socket, response } = Deno.upgradeWebSocket(request, { protocol: SUBPROTOCOL });
      const own: Heard = {
        messages: [],
        typed: "",
        draw: (text) => socket.send(new TextEncoder().encode(text)),
        say: (message) => socket.send(JSON.stringify(message)),
      };
      socket.onmessage = ({ data }) => {
        if (typeof data === "string") own.messages.push(JSON.parse(data));
        else own.typed += new TextDecoder().decode(data);
        if (own.messages.length === 1) resolve(own);
      };
      return response;
    }
    const file = files.get(name);
    if (!file) return new Response(null, { status: 404 });
    return new Response(file.text, { headers: { "content-type": file.type, "content-security-policy": PAGE_POLICY } });
  });
  return { url: `http://127.0.0.1:${server.addr.port}/`, heard, [Symbol.asyncDispose]: () => server.shutdown() };
}

const TOKEN = "0123456789abcdef".repeat(2);
const LAPTOP: PageLook = { width: 1200, height: 800, dark: true };
/** The first bytes of a program with screens: the other screen, no wrapping, the mouse. */
const SCREENS = "\x1b[?1049h\x1b[?7l\x1b[?1002h\x1b[?1006h";

/** By how many pixels, rounded up, an underscore reaches below its row, which cuts it off. */
const BELOW_ROW = `(() => {
  const { height, fontSize, fontFamily } = getComputedStyle(document.querySelector(".xterm-rows > div"));
  const row = parseFloat(height), pen = document.createElement("canvas").getContext("2d");
  pen.font = fontSize + " " + fontFamily;
  const { fontBoundingBoxAscent: above, fontBoundingBoxDescent: below, actualBoundingBoxDescent: end } = pen.measureText("_");
  return (row - above - below) / 2 + above + end - row;
})()`;

Deno.test("the page's terminal draws bytes in their colors under a policy without foreign styles, and takes keys, mouse and size", async () => {
  await using browser = await Browser.start();
  await using server = serve();
  const page = await browser.open(`${server.url}#${TOKEN}`, LAPTOP), heard = await server.heard;
  const [{ columns, rows }] = heard.messages as [{ columns: number; rows: number }];
  assert.ok(columns > 100 && columns < 200 && rows > 30 && rows < 70, `${columns}x${rows}`);
  heard.draw(`${SCREENS}\x1b[2;1Hhello \x1b[38;2;255;0;0mred\x1b[0m \x1b[48;5;21mblue\x1b[0m`);
  await page.shows(".xterm-rows", /hello red blue/);
  const color = `getComputedStyle([...document.querySelectorAll(".xterm-rows span")].find((one) => one.textContent === "red")).color`;
  assert.equal(await page.value(color), "rgb(255, 0, 0)");
  assert.ok(Number(await page.value(BELOW_ROW)) < 1, "a row shows underscores");
  assert.deepEqual(page.complaints, []);
  await eventually(() => Promise.resolve(heard.messages), (messages) => messages.some(({ kind }) => kind === "drawn"));
  await page.type("q\r\x1b");
  await eventually(() => Promise.resolve(heard.typed), (typed) => typed === "q\r\x1b");
  await page.click(5, 30);
  await eventually(() => Promise.resolve(heard.typed), (typed) => /\x1b\[<0;1;\d+M\x1b\[<0;1;\d+m$/.test(typed));
  await page.resize(800, 400);
  await eventually(() => Promise.resolve(heard.messages.at(-1)!), ({ kind, columns: now }) => kind === "resized" && Number(now) < columns);
  assert.ok(!page.requests.some((address) => address.includes(TOKEN)), "the token is in no address that is asked for");
});

Deno.test("the page takes light and dark from the browser, and tells the screens when that changes", async () => {
  await using browser = await Browser.start();
  await using server = serve();
  const page = await browser.open(`${server.url}#${TOKEN}`, LAPTOP), heard = await server.heard;
  heard.draw("\x1b]11;?\x1b\\");
  await eventually(() => Promise.resolve(heard.typed), (typed) => typed.startsWith("\x1b]11;rgb:1111/1515/1c1c"));
  await page.setDark(false);
  await eventually(() => Promise.resolve(heard.typed), (typed) => typed.endsWith("\x1b[?997;2n"));
  assert.equal(await page.value("getComputedStyle(document.body).backgroundColor"), "rgb(251, 251, 249)");
});

Deno.test("a telephone gets 80 columns, keys that it lacks, and a screen of another size as large as fits", async () => {
  await using browser = await Browser.start();
  await using server = serve();
  const page = await browser.open(`${server.url}#${TOKEN}`, { width: 412, height: 800, touch: true }), heard = await server.heard;
  const columns = Number(heard.messages[0].columns);
  assert.ok(columns >= 80 && columns < 110, `${columns}`);
  heard.draw(`${SCREENS}ready`);
  await page.shows(".xterm-rows", /ready/);
  const keys = await page.value(`[...document.querySelectorAll("#keys button")].slice(0, 4).map((key) => {
    const { x, y } = key.getBoundingClientRect();
    return [x + 5, y + 5];
  })`) as [number, number][];
  for (const [x, y] of keys) await page.touch(x, y);
  await eventually(() => Promise.resolve(heard.typed), (typed) => typed === "\x1b\t\r\x1b[D");
  // A tap that followed a swipe would end its momentum, and be none.
  await page.touch(200, 300);
  await eventually(() => Promise.resolve(heard.typed), (typed) => /\x1b\[D\x1b\[<0;\d+;\d+M\x1b\[<0;\d+;\d+m$/.test(typed));
  await page.swipe(200, 500, 300);
  await eventually(() => Promise.resolve(heard.typed), (typed) => /m(\x1b\[<65;\d+;\d+M){3,}/.test(typed));
  await page.swipe(200, 300, 500);
  await eventually(() => Promise.resolve(heard.typed), (typed) => /65;\d+;\d+M(\x1b\[<64;\d+;\d+M){3,}/.test(typed));
  heard.say({ kind: "follow", columns: 200, rows: 50 });
  const shown =
    `[document.querySelectorAll(".xterm-rows > div").length, document.querySelector(".xterm-screen").getBoundingClientRect().width]`;
  await eventually(() => page.value(shown) as Promise<number[]>, ([rows, width]) => rows === 50 && width > 300 && width <= 412);
});

Deno.test("a link without its token says so in the page", async () => {
  await using browser = await Browser.start();
  await using server = serve();
  const bare = await browser.open(server.url, LAPTOP);
  await bare.shows("#message", /no token/);
});
