// Jobs of people at the screens, in a real terminal, with a look at the result.

import assert from "node:assert/strict";
import { eventually } from "../support/eventually.ts";
import { LONG } from "../support/long.ts";
import { run, session, shell } from "./demo-session.ts";
import { type Act, BY_KEYS, BY_MOUSE, type Job, type Step } from "./jobs.ts";
import { TmuxTerminal } from "./tmux.ts";

/** Done in the fast subset: one of each kind of result. */
const OF_CI: readonly string[] = [
  ...["type to a guest", "go to an instruction of the run", "keep the rows of a list", "copy the id of a VM", "ask which versions run"],
  ...["go to a screen", "choose a line of a menu", "zoom the timeline by its border", "scroll a list"],
];

const OVERVIEW = /Virtual machines \d[^]*▌ *E +hello[^]*\? help/;

async function perform(terminal: TmuxTerminal, act: Act): Promise<void> {
  if ("keys" in act) return await terminal.keys(...act.keys);
  if ("click" in act) {
    const [x, y] = await terminal.place(act.click);
    for (let count = 0; count < (act.times ?? 1); count++) await terminal.click(x + (act.right ?? 0), y);
  } else if ("wheel" in act) {
    const [x, y] = await terminal.place(act.at);
    await terminal.wheel(x, y, act.wheel);
  } else {
    const [x, y] = await terminal.place(act.drag);
    await terminal.drag([x, y], [x + act.by[0], y + act.by[1]]);
  }
}

async function follow(terminal: TmuxTerminal, steps: readonly Step[]): Promise<void> {
  for (const [act, shown] of steps) {
    await perform(terminal, act);
    await terminal.until(shown);
  }
}

async function doJob(terminal: TmuxTerminal, folder: string, job: Job): Promise<void> {
  await terminal.resize(...job.size);
  // Each begins with hello selected, in the pane of VMs.
  await terminal.keys(":vm:hello");
  // Clicks are at what is drawn: the overview of before is not waited for.
  await terminal.until(/: vm:hello/);
  await terminal.keys("Enter");
  await terminal.until(OVERVIEW);
  await follow(terminal, job.steps);
  const { prints, writes, copies } = job;
  if (prints) await eventually(async () => (await run(folder, ...prints[0], "--session", "s")).stdout, (text) => prints[1].test(text));
  if (writes) {
    await eventually(
      () => Deno.readTextFile(`${folder}/${writes[0]}`).catch(() => undefined),
      (text) => text !== undefined && writes[1].test(text),
    );
  }
  if (copies) await eventually(() => terminal.copied(), (text) => text !== undefined && copies.test(text));
  await follow(terminal, job.after ?? []);
}

const WAYS = [["keys alone", BY_KEYS], ["the mouse", BY_MOUSE]] as const;

Deno.test("jobs of people at the screens are done by keys alone, and by the mouse", async (t) => {
  for (const name of OF_CI) assert.ok(WAYS.some(([, jobs]) => jobs.some(({ job }) => job === name)), name);
  await using s = await session();
  const command = `cd ${s.folder} && exec env ${shell(s.folder, "attach", "s")}`;
  let terminal: TmuxTerminal | undefined;
  for (const [way, jobs] of WAYS) {
    for (const job of jobs.filter(({ job }) => LONG || OF_CI.includes(job))) {
      await t.step(`by ${way}: ${job.job} (${job.size.join("x")})`, async () => {
        try {
          terminal ??= await begin(command, job);
          await doJob(terminal, s.folder, job);
        } catch (error) {
          // The next job has another client, and a machine that runs, whatever this one has done.
          await terminal?.[Symbol.asyncDispose]();
          terminal = undefined;
          await run(s.folder, "back", "--now", "--session", "s");
          await run(s.folder, "resume", "--session", "s");
          throw error;
        }
      });
    }
  }
  await terminal?.[Symbol.asyncDispose]();
});

async function begin(command: string, { size }: Job): Promise<TmuxTerminal> {
  const terminal = await TmuxTerminal.start(command, ...size);
  await terminal.set("set-clipboard", "on");
  await terminal.until(OVERVIEW);
  return terminal;
}
