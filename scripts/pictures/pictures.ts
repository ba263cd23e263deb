// The pictures of README and documents: what each shows, and how a machine and its screens come
// there. All figures are those of real runs.

import { fileURLToPath } from "node:url";
import { type Screenshot, screenshots } from "./page-pictures.ts";
import { encodeRequest } from "../../src/machine/abi/rpc/message.ts";
import { MEM_RECLAIM } from "../../src/machine/abi/rpc/messages/memory.ts";
import { commandsAbout } from "../../src/app/cli/common/command-search.ts";
import { treeOf } from "../../src/app/cli/main.ts";
import { ownProgram, programCommands } from "../../src/app/cli/start/screens/own-program.ts";
import { profilerOf } from "../../src/app/cli/start/screens/profiler.ts";
import { type Size, Stage, type StageOptions } from "../../src/app/cli/start/screens/stage.ts";
import { planText } from "../../src/app/configuration/plan-run.ts";
import { picture } from "../../src/app/tui/look/picture.ts";
import type { ThemeName } from "../../src/app/tui/look/themes.ts";
import { textBytes } from "../../src/app/tui/terminal/keys.ts";
import { REQUEST } from "../../src/model/commands/rpc.ts";
import type { OwnProgram } from "../../src/app/tui/app/services/own-program.ts";
import type { StopChange } from "../../src/model/queries/stop-rule.ts";
import { type Problem, problemOfAll, UserError } from "../../src/kit/support/problem.ts";

/** A picture that was made. */
export interface MadePicture {
  /** In docs/pictures. */
  readonly file: string;
  readonly svg: string;
}

/** A screenshot that was made. */
export interface MadeScreenshot extends Pick<Screenshot, "png" | "text"> {
  /** In docs/pictures. */
  readonly file: string;
}

/** The size, where a picture has no other. */
const SIZE: Size = { columns: 120, rows: 36 };
const SMALL: Size = { columns: 80, rows: 24 };
const THEMES: readonly ThemeName[] = ["dark", "light"];

/** The parcel that ping has of the host: the first one lent to it. */
const RECLAIM = { handle: 1, flags: 0 };
/** Where ping has mapped it. */
const LENT = "0x803f0000";
/** Where ping has the message that it sends. */
const WRITTEN = "0x800089f0";

const DEMO = new URL("../../assets/demo.toml", import.meta.url);
/** A Debian beside the demo, which computes. */
const DEBIAN = `
[vm.debian]
kernel = "catalog:debian/Image"
initrd = "catalog:debian/initrd"
cmdline = "console=ttyAMA0"
memory = "192MiB"
devices = [{ kind = "pl011", log = "/dev/null" }]
`;

/** Runs that `compare-runs` compares: before and after input to hello. */
const GOOD = "good.rec", BAD = "bad.rec";
/** Wall time (ms) after which an answer that is not there is an error. */
const PATIENCE = 60_000;

const ENTRY = new URL("../../main.ts", import.meta.url);

/** The machine of a configuration, paused at its beginning, with screens in front of it. */
async function open(title: string, configuration: string, aside?: StageOptions["aside"]): Promise<Stage> {
  const planned = await planText(configuration, undefined, fileURLToPath(new URL("../../assets", import.meta.url)));
  if (!planned.ok) throw new UserError(problemOfAll(planned.problems));
  const { ui, recordTo: _, ...plan } = planned.run;
  const stage = Stage.ofPlan(ENTRY, plan, { title, ui, aside });
  await stage.ready();
  return stage;
}

/** A picture in both themes. */
async function both(session: Stage, name: string, title: string): Promise<MadePicture[]> {
  const made: MadePicture[] = [];
  for (const theme of THEMES) {
    session.setTheme(theme);
    const svg = picture(await session.frame(SIZE), `el2: ${title}`);
    made.push({ file: `${name}-${theme}.svg`, svg });
  }
  return made;
}

/** Runs to the first event that a filter lets through, and stays there. */
async function runTo(session: Stage, filter: string): Promise<void> {
  await runToStop(session, { kind: "event", filter }, filter);
}

async function runToStop(session: Stage, rule: StopChange, what: string): Promise<void> {
  await done(session, session.asker.stopRule(rule));
  await session.runToStop(what);
  await done(session, session.asker.stopRule({ kind: "remove", rule: "all" }));
}

/** @throws Error that an answer has */
async function done(session: Stage, answer: Promise<Problem | undefined>): Promise<void> {
  const error = await session.answered(answer);
  if (error !== undefined) throw new UserError(error);
}

/** The host wants its memory back, which ping still has. */
async function reclaim(session: Stage): Promise<void> {
  await done(session, session.asker.act(REQUEST.of({ id: MEM_RECLAIM.id, payload: encodeRequest(MEM_RECLAIM, RECLAIM) })));
  await runTo(session, `kind=rpc name=${MEM_RECLAIM.name}`);
}

/** Waits for the answer to a line of the palette, and takes its picture in both themes. */
async function answerOf(session: Stage, keys: readonly string[], shown: RegExp, name: string, title: string): Promise<MadePicture[]> {
  await session.pressAll(keys, SIZE);
  for (const limit = performance.now() + PATIENCE;;) {
    const lines = (await session.frame(SIZE)).toLines().join("\n");
    if (shown.test(lines)) break;
    if (performance.now() > limit) throw new Error(`${keys.join("")}: no ${shown} on the screen:\n${lines}`);
  }
  const made = await both(session, name, title);
  await session.pressAll(["\x1b"], SIZE);
  return made;
}

/** The program, whose recordings are in a folder that its answers do not name. */
function programIn(folder: string): OwnProgram {
  const tree = treeOf(ENTRY), { run } = ownProgram(ENTRY, "demo");
  return {
    load: () => Promise.resolve(),
    commands: () => programCommands(tree),
    about: (words) => commandsAbout(tree, words),
    run: async (args, hear, signal) => {
      const { answer, ...rest } = await run(args.map((word) => word.endsWith(".rec") ? `${folder}/${word}` : word), hear, signal);
      return { ...rest, answer: answer.replaceAll(`${folder}/`, "") };
    },
  };
}

/** The pictures of answers about a run: who, where, what ran, how two runs differ. */
export async function answerPictures(): Promise<MadePicture[]> {
  const folder = await Deno.makeTempDir({ prefix: "el2-pictures-" });
  try {
    using session = await open("demo", await Deno.readTextFile(DEMO), { program: programIn(folder), profiler: profilerOf(ENTRY) });
    await runTo(session, "kind=hvc vm=ping t>1.2s");
    await done(session, session.asker.saveRecording(`${folder}/${GOOD}`));
    session.send({ kind: "input", console: "hello", bytes: textBytes("x") });
    await runTo(session, "kind=hvc vm=ping t>2.1s");
    await done(session, session.asker.saveRecording(`${folder}/${BAD}`));
    await session.frame(SIZE);
    return [
      ...await answerOf(session, [":flame\r"], /Flame graph/, "flame", "the profile of a run as a flame graph, a box per function"),
      ...await answerOf(
        session,
        [`:who ipa:ping/${WRITTEN} --size 8\r`],
        /Places of the run/,
        "who",
        "who wrote a message last, by which calls, and where in the run",
      ),
      ...await answerOf(
        session,
        [`:find --event 'kind=hvc name=msgqueue_send vm=ping'\r`],
        /Places of the run/,
        "find",
        "where in a run a VM has sent messages",
      ),
      ...await answerOf(session, [`:coverage ${BAD}\r`], /lines_hit/, "coverage", "how much of each VM's code a run has executed"),
      ...await answerOf(
        session,
        [`:compare-runs ${GOOD} ${BAD}\r`],
        /1\/1 bad/,
        "compare-runs",
        "what a run with input has and one without it lacks",
      ),
    ];
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** The pictures of the demo alone. */
export async function demoPictures(): Promise<MadePicture[]> {
  using session = await open("demo", await Deno.readTextFile(DEMO));
  await runTo(session, "kind=hvc vm=ping t>1.2s");
  await session.pressAll(["7", "/about=ping\r"], SIZE);
  const rpc = await both(session, "rpc", "the requests that create a VM, and who answers them");
  await session.pressAll(["1"], SIZE);
  await reclaim(session);
  await session.pressAll(["0"], SIZE);
  const why = await both(session, "why", "why a request was refused: the chain, the rule, and the way out");
  await session.pressAll(["1"], SIZE);
  const moved = await session.answered(session.asker.move({ kind: "event", filter: "kind=hvc vm=ping" }));
  if ("error" in moved) throw new UserError(moved.error);
  const past = await both(session, "past", "two events before a refusal, with a scrubber that leads back to now");
  return [...rpc, ...why, ...past];
}

/** Screenshots of the page of a recording of the demo, at the refusal. */
export async function pagePictures(): Promise<MadeScreenshot[]> {
  const folder = await Deno.makeTempDir({ prefix: "el2-pictures-" }), file = `${folder}/bug.rec`;
  try {
    using session = await open("demo", await Deno.readTextFile(DEMO));
    await runTo(session, "kind=hvc vm=ping t>1.2s");
    await reclaim(session);
    await done(session, session.asker.saveRecording(file));
    const made = await screenshots(
      ENTRY,
      file,
      "screen=why&select=why:4",
      /a borrower still has[\s\S]*failed here[\s\S]*ended: .*identical/,
    );
    return made.map(({ theme, ...rest }) => ({ file: `page-${theme}.png`, ...rest }));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** The pictures of the demo with a Debian. */
export async function debianPictures(): Promise<MadePicture[]> {
  const demo = await Deno.readTextFile(DEMO);
  const configuration = demo.replace('memory = "96MiB"', 'memory = "384MiB"').replace("[link]", `${DEBIAN}\n[link]`);
  using session = await open("demo with debian", configuration);
  await runTo(session, "kind=virq vm=debian t>2s");
  session.send({ kind: "input", console: "debian", bytes: textBytes("uname -a; while :; do :; done &\n") });
  await runTo(session, "kind=virq vm=debian t>2.2s");
  await reclaim(session);
  await session.pressAll(["j", "j", "j"], SIZE);
  const overview = await both(session, "overview", "virtual machines, what each does or waits for, a console, a refusal");
  session.setTheme("terminal");
  const small = await session.frame(SMALL, "16");
  const terminal = { file: "small.svg", svg: picture(small, "el2: the overview in 80 columns and 16 colors", "16") };
  await session.pressAll([`:ipa:ping/${LENT}\r`], SIZE);
  const memory = await both(session, "memory", "physical memory by who can reach it, a page's owner and mappings, limits");
  await session.pressAll(["8"], SIZE);
  await runTo(session, "kind=virq vm=debian t>2.211s");
  const scheduler = await both(session, "scheduler", "which vCPU ran on each physical CPU, and who waited");
  await session.pressAll([":vcpu:debian/0\r"], SIZE);
  await runToStop(session, { kind: "place", at: "debian:tick_sched_timer" }, "tick_sched_timer");
  const vcpus = await both(session, "vcpus", "a vCPU stopped in a kernel function: registers, code, call stack, exits");
  return [...overview, terminal, ...memory, ...scheduler, ...vcpus];
}
