// `deno task bench page`: a recording in a browser beside the same in the program: speed by time,
// from opening to the end of the run, and by CPU time of the page's process and of `el2 replay`;
// when the first screen is there, and the most memory of the page's process. The pages of files
// count for it apart: they are the browser's program, which all its pages share. The browser is a
// headless Chromium, the server a plain one.

import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import type { Contest } from "./ab.ts";
import { type Figure, printDocument } from "./documents.ts";
import { el2, residentMemory } from "./machines.ts";
import { cpuSeconds, debianBoot } from "./record.ts";
import { trustedRounds } from "./rounds.ts";
import { median, withSpread } from "./statistics.ts";
import { pageProgram } from "../src/app/cli/commands/runs/page-program.ts";
import { PAGE_SCRIPTS } from "../src/app/web/published/program-names.ts";
import { MiB } from "../src/kit/support/values/sizes.ts";
import { Browser, type Page } from "../tests/support/browser.ts";
import { eventually } from "../tests/support/eventually.ts";
import { serveFolder } from "../tests/support/static-server.ts";

const MAIN = new URL("../main.ts", import.meta.url);
const DEMO = fileURLToPath(new URL("../assets/demo.toml", import.meta.url));
/** Runs, each with the most memory in MiB that its page may have. */
const RUNS = {
  "the demo, 60s": { words: () => ["run", DEMO, "--turbo", "--for", "60s"], memory: 200 },
  "Debian boots and powers off": { words: async () => [...await debianBoot(), "--turbo", "--stdio"], memory: 700 },
} as const;
/** The least speed of a page by time, the program's being 1, and the latest first screen, s. */
const SPEED = 0.5, FIRST_SCREEN = 1.5;
const ROWS = ".xterm-rows";

/** Seconds: by a clock, and of CPU time of all threads. */
interface Duration {
  readonly time: number;
  readonly cpu: number;
}

/** Figures of one page. */
interface PageFigures {
  readonly program: Duration;
  /** Until it is at the end. */
  readonly page: Duration;
  /** Seconds of wall time. */
  readonly firstScreen: number;
  /** MiB: the most that was resident, and the browser's part of that. */
  readonly resident: number;
  readonly shared: number;
}

/** For `--ab`: CPU seconds of each page. */
export const pageContest: Contest = async () => {
  await pageProgram(MAIN);
  return async () => {
    const figures = new Map<string, number>();
    for (const [name, { words }] of Object.entries(RUNS)) figures.set(name, (await measure(await words())).page.cpu);
    return figures;
  };
};

/** Runs the bench and prints it, as text or as one JSON object. */
export async function benchPage(rounds: number, json: boolean): Promise<void> {
  const table: Figure[] = [];
  // A command of a bench may not run the bundler.
  await pageProgram(MAIN);
  table.push(...await sizes());
  if (!json) { for (const { what, unit, values } of table) console.log(`${what}: ${withSpread([...values])} ${unit}`); }
  for (const [name, { words, memory }] of Object.entries(RUNS)) {
    const line = await words(), { results } = await trustedRounds(rounds, () => measure(line));
    const figures: readonly Figure[] = [
      speed("time", results, SPEED),
      speed("cpu", results),
      { what: "first screen", unit: "s", values: results.map(({ firstScreen }) => firstScreen), most: FIRST_SCREEN },
      { what: "the most memory of its own", unit: "MiB", values: results.map(({ resident, shared }) => resident - shared), most: memory },
      { what: "the browser's program in memory", unit: "MiB", values: results.map(({ shared }) => shared) },
    ];
    table.push(...figures.map((figure) => ({ ...figure, what: `${name}: ${figure.what}` })));
    if (json) continue;
    console.log(`${name}: median (least-greatest) of ${rounds}`);
    for (const { what, unit, values } of figures) console.log(`  ${what}: ${withSpread([...values])} ${unit}`);
    console.log(`  ${median(results.map(({ page }) => page.cpu)).toFixed(2)} s of CPU time`);
  }
  if (json) printDocument({ schema: "el2.bench.page/1", rounds, table });
}

/** The speed of the page beside the program's. */
function speed(by: keyof Duration, results: readonly PageFigures[], least?: number): Figure {
  const what = `speed beside the program's, by ${by === "cpu" ? "CPU time" : "time"}`;
  return { what, unit: "times", values: results.map(({ program, page }) => program[by] / page[by]), ...least !== undefined && { least } };
}

/** Sizes of the programs that each page has. */
async function sizes(): Promise<readonly Figure[]> {
  const programs = await pageProgram(MAIN), size = (text: string) => new TextEncoder().encode(text).length / MiB;
  const packed = (text: string) => gzipSync(text).length / MiB, all = [...programs.values()];
  const sum = (of: (text: string) => number) => [all.reduce((sum, text) => sum + of(text), 0)];
  return [
    { what: "the page's programs", unit: "MiB", values: sum(size), most: 4 },
    { what: "the page's programs, compressed", unit: "MiB", values: sum(packed) },
    { what: "the engine among them, compressed", unit: "MiB", values: [packed(programs.get(PAGE_SCRIPTS.engine) ?? "")], most: 1.2 },
  ];
}

async function measure(words: readonly string[]): Promise<PageFigures> {
  const folder = await Deno.makeTempDir({ prefix: "el2-bench-" }), file = `${folder}/a.rec`;
  try {
    await cpuSeconds(el2(...words, "--record", file));
    await cpuSeconds(el2("publish", file, `${folder}/site`));
    const programBegun = performance.now(), programCpu = await cpuSeconds(el2("replay", file));
    const program = { time: (performance.now() - programBegun) / 1000, cpu: programCpu };
    await using browser = await Browser.start();
    await using server = serveFolder(`${folder}/site`);
    const before = await renderers(browser), begun = performance.now();
    const page = await browser.open(server.url, { width: 1280, height: 800, unwatched: true });
    await contains(page, /Overview/);
    const firstScreen = (performance.now() - begun) / 1000;
    await contains(page, /ended:.*identical/);
    const time = (performance.now() - begun) / 1000;
    const [pid, cpu] = [...await renderers(browser)].find(([pid]) => !before.has(pid)) ?? [];
    if (pid === undefined || cpu === undefined) throw new Error("the page has no process of its own");
    const [resident, shared] = [await residentMemory(pid, "VmHWM"), await residentMemory(pid, "RssFile")];
    return { program, page: { time, cpu }, firstScreen, resident, shared };
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Waits until the page has a text, without a layout, which the page would have to pay for. */
async function contains(page: Page, wanted: RegExp): Promise<void> {
  const text = `document.querySelector(${JSON.stringify(ROWS)})?.textContent ?? ""`;
  await eventually(async () => String(await page.value(text)), (text) => wanted.test(text));
}

/** CPU seconds of the browser's processes for pages, by their ids. */
async function renderers(browser: Browser): Promise<ReadonlyMap<number, number>> {
  const { processInfo } = await browser.ask("SystemInfo.getProcessInfo");
  const all = processInfo as readonly { readonly type: string; readonly id: number; readonly cpuTime: number }[];
  return new Map(all.filter(({ type }) => type === "renderer").map(({ id, cpuTime }) => [id, cpuTime]));
}
