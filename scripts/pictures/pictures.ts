// The pictures of README and documents: what each shows, and how a machine and its screens come
// there. All figures are those of real runs.

import { fileURLToPath } from "node:url";
import { encodeRequest } from "../../src/machine/abi/rpc/message.ts";
import { MEM_RECLAIM } from "../../src/machine/abi/rpc/messages/memory.ts";
import { type Size, Stage } from "../../src/app/cli/start/screens/stage.ts";
import { planText } from "../../src/app/configuration/plan-run.ts";
import { picture } from "../../src/app/tui/look/picture.ts";
import type { ThemeName } from "../../src/app/tui/look/themes.ts";
import { textBytes } from "../../src/app/tui/terminal/keys.ts";
import { REQUEST } from "../../src/model/commands/rpc.ts";
import type { StopChange } from "../../src/model/queries/stop-rule.ts";
import { type Problem, problemOfAll, UserError } from "../../src/kit/support/problem.ts";

/** A picture that was made. */
export interface MadePicture {
  /** In docs/pictures. */
  readonly file: string;
  readonly svg: string;
}

/** The size, where a picture has no other. */
const SIZE: Size = { columns: 120, rows: 36 };
const SMALL: Size = { columns: 80, rows: 24 };
const THEMES: readonly ThemeName[] = ["dark", "light"];

/** The parcel that ping has of the host: the first one lent to it. */
const RECLAIM = { handle: 1, flags: 0 };
/** Where ping has mapped it. */
const LENT = "0x803f0000";

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

const ENTRY = new URL("../../main.ts", import.meta.url);

/** The machine of a configuration, paused at its beginning, with screens in front of it. */
async function open(title: string, configuration: string): Promise<Stage> {
  const planned = await planText(configuration, undefined, fileURLToPath(new URL("../../assets", import.meta.url)));
  if (!planned.ok) throw new UserError(problemOfAll(planned.problems));
  const { ui, recordTo: _, ...plan } = planned.run;
  const stage = Stage.ofPlan(ENTRY, plan, { title, ui });
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
