// One screen for several pages: who leads, what the others see, and what one costs that lags.

import assert from "node:assert/strict";
import { ScreenServer } from "../../../src/app/web/screen-server.ts";
import { ServedScreen } from "../../../src/app/web/served-screen.ts";
import { eventually } from "../../support/eventually.ts";
import { PageClient, type PageClientOptions } from "../../support/page-client.ts";

/** Pages of one screen, which a counter of frames draws whenever it is asked to paint. */
function screenOf(): { readonly screen: ServedScreen; join(options?: PageClientOptions): Promise<PageClient> } & AsyncDisposable {
  const screen = new ServedScreen();
  let joined = 0;
  const server = new ScreenServer("127.0.0.1", 0, (viewer) => {
    screen.join(viewer);
    joined++;
  });
  return {
    screen,
    async join(options = {}) {
      const before = joined, page = await PageClient.open(server.link, options);
      await eventually(() => Promise.resolve(joined), (now) => now > before);
      return page!;
    },
    [Symbol.asyncDispose]: () => server.close("over"),
  };
}

const bytes = (text: string) => new TextEncoder().encode(text);

Deno.test("the first page leads: its size and keys count, others get its screen and size, and the next leads when it goes", async () => {
  await using served = screenOf();
  const { screen } = served, typed: string[] = [], sizes: string[] = [];
  using leader = await served.join({ columns: 120, rows: 40 });
  screen.onResize(() => {
    const { columns, rows } = screen.size();
    sizes.push(`${columns}x${rows}`);
    void screen.write(bytes(`whole ${columns}x${rows};`));
  });
  void (async () => {
    for await (const one of screen.input) typed.push(new TextDecoder().decode(one));
  })();
  assert.deepEqual(screen.size(), { columns: 120, rows: 40 });
  using follower = await served.join({ columns: 80, rows: 24 });
  assert.deepEqual(await follower.hears("follow"), { kind: "follow", columns: 120, rows: 40 });
  await follower.shows(/\x1b\[\?1049h.*whole 120x40;/s);
  await screen.write(bytes("next;"));
  for (const page of [leader, follower]) await page.shows(/next;/);
  follower.type("x");
  follower.say({ kind: "resized", columns: 70, rows: 20 });
  leader.type("y");
  await eventually(() => Promise.resolve(typed.join("")), (text) => text !== "");
  leader.say({ kind: "resized", columns: 100, rows: 50 });
  await follower.shows(/whole 100x50;/);
  assert.equal(typed.join(""), "y");
  leader[Symbol.dispose]();
  await follower.hears("lead");
  await follower.shows(/whole 70x20;/);
  follower.type("z");
  await eventually(() => Promise.resolve(typed.join("")), (text) => text === "yz");
  assert.deepEqual(sizes.filter((size) => size === "80x24"), []);
  follower[Symbol.dispose]();
  await eventually(() => Promise.resolve(screen.isOpen), (isOpen) => !isOpen);
});

Deno.test("a page that lags misses frames, gets a whole one when it has drawn, and holds nobody up", async () => {
  await using served = screenOf();
  const { screen } = served;
  using leader = await served.join();
  using slow = await served.join({ draws: false });
  await slow.shows(/\x1b\[\?1049h/);
  for (let frame = 0; frame < 50; frame++) await screen.write(bytes(`frame ${frame};`));
  await leader.shows(/frame 49;/);
  assert.deepEqual([slow.frames, slow.drawn], [1, ""]);
  screen.onResize(() => void screen.write(bytes("whole;")));
  slow.say({ kind: "drawn" });
  await slow.shows(/^whole;/);
});

Deno.test("a page that types more than screens read is let go", async () => {
  await using served = screenOf();
  using page = await served.join();
  for (let sent = 0; sent < 6; sent++) page.type("a".repeat(100_000));
  assert.match(await page.closed, /more was typed/);
});
