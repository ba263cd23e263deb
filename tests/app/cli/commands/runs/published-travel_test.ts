// Links that are followed in the open page of a published recording: its places and answers are
// those of the program, which goes there by commands.

import assert from "node:assert/strict";
import { isDeepStrictEqual } from "node:util";
import { assertSilent, BROWSERS, LAPTOP, panes, publishDebian, publishDemo, ROWS } from "./published.ts";
import { readLinked } from "../../../../../src/app/cli/start/plans/recordings.ts";
import { type Size, Stage } from "../../../../../src/app/cli/start/screens/stage.ts";
import { eventually } from "../../../../support/eventually.ts";
import { longTest } from "../../../../support/long.ts";
import { serveFolder } from "../../../../support/static-server.ts";
import { inFolder } from "../../../../support/temporary-folder.ts";

const ENTRY = new URL("../../../../../main.ts", import.meta.url);
const PLACES = 50;
/** The key that closes an answer, or clears the filter. */
const CLOSE = "\x1b";
/** Screens without rates and samples, which are of the time they were shown; and their keys. */
const SCREENS = { mem: "4", caps: "5", rpc: "7", why: "0", linux: "L" } as const;
const NAMES = Object.keys(SCREENS) as (keyof typeof SCREENS)[];

/** A run, and the VM about which questions are typed. */
interface Subject {
  readonly file: string;
  readonly publish: (folder: string) => Promise<void>;
  readonly vm: string;
}

const RUNS: Readonly<Record<string, Subject>> = {
  demo: { file: "demo.rec", publish: publishDemo, vm: "ping" },
  Debian: { file: "debian.rec", publish: publishDebian, vm: "host" },
};

/** The state of the machine and its time in the first row of the screens, and their panes. */
function shown(text: string): { readonly state: string | undefined; readonly rows: readonly string[] } {
  const [, state, time] = /\b(PAST|ENDED)\b.*?(\d[\d ]*\.[\d ]+ s)/.exec(text) ?? [];
  return { state: time && `${state} ${time}`, rows: panes(text) };
}

/** The program's screens of a recording that has been replayed to its end. */
async function replayed(path: string): Promise<Stage> {
  const { recording: { plan, ...recording } } = await readLinked(path, () => {});
  const stage = Stage.ofPlan(ENTRY, { ...plan, replay: { recording, verify: false, to: undefined } }, { title: path, replay: true });
  await stage.ready();
  await stage.runToEnd();
  return stage;
}

const textOf = async (stage: Stage, size: Size) => (await stage.frame(size)).toLines().join("\n");

for (const [run, { file, publish, vm }] of Object.entries(RUNS)) {
  for (const [name, start] of Object.entries(BROWSERS)) {
    longTest(
      `links that are followed in the page of a ${run} in ${name} lead to 50 places with the program's screens and answers`,
      () =>
        inFolder(async (folder) => {
          await publish(folder);
          using stage = await replayed(`${folder}/${file}`);
          await using browser = await start();
          await using server = serveFolder(`${folder}/site`);
          const page = await browser.open(server.url, LAPTOP);
          const first = (await page.shows(ROWS, /ended: .*identical/)).trimEnd().split("\n");
          const size = { columns: first[0].length, rows: first.length };
          const { recording: { end } } = await readLinked(`${folder}/${file}`, () => {});
          assert.ok(end);
          const step = Math.floor(end.end.instructions / (PLACES + 1));
          /** Waits until both show the same, which is not what was there before. */
          const same = async (before: string | undefined) =>
            await eventually(
              async () => [shown(await page.text(ROWS)), shown(await textOf(stage, size))],
              ([there, here]) => here.state !== undefined && here.state !== before && isDeepStrictEqual(there, here),
            );
          let state: string | undefined;
          // Back and forth.
          for (let number = 0; number < PLACES; number++) {
            const to = step * (1 + number * 7 % PLACES), screen = NAMES[number % NAMES.length];
            await page.value(`location.hash = "#to=${to}&screen=${screen}"`);
            // A key that goes to a screen may filter it by what is selected; a link shows all rows.
            await stage.pressAll([`:back --to ${to}\r`, SCREENS[screen], CLOSE], size);
            [{ state }] = await same(state);
          }
          for (const question of [`who reg:${vm}/0/x0`, `find reg:${vm}/0/x0`]) {
            const keys = `:${question}\r`;
            await page.type(keys);
            await stage.pressAll([keys], size);
            await eventually(() => page.text(ROWS), (text) => text.includes(question));
            await same(undefined);
            await page.type(CLOSE);
            await stage.pressAll([CLOSE], size);
            // A key that followed at once would be one with Alt.
            await eventually(() => page.text(ROWS), (text) => !text.includes(question));
          }
          assertSilent(page, server.url);
        }),
    );
  }
}
