// `deno task bench loop`: the edit loop of a kernel test. The time from an edit of the test to its
// result, by a scenario of el2 and by QEMU with the same kernel and ramdisk; and the restore of a
// prepared machine in the process of the scenarios.

import type { Contest } from "./ab.ts";
import { type Figure, printDocument } from "./documents.ts";
import { el2, stopwatch } from "./machines.ts";
import { type Rounds, trustedRounds } from "./rounds.ts";
import { median, percentile, withSpread } from "./statistics.ts";
import { archiveFile } from "../src/app/catalog/busybox-archive.ts";
import { catalogEntry } from "../src/app/catalog/catalog.ts";
import { planScenario } from "../src/app/scenarios/plan-scenario.ts";
import { ScenarioRun } from "../src/app/scenarios/run.ts";
import { readScenario } from "../src/app/scenarios/scenario.ts";
import { ramdiskOf } from "../src/app/scenarios/scenario-root.ts";
import { withEntries } from "../src/kit/formats/cpio.ts";
import { PreparedStates } from "../src/session/snapshots/prepared.ts";

/** Seconds. */
const TIMEOUT = 300;
/** MiB, as scenarios have by default. */
const MEMORY = 256;
/** Restores in the process. */
const CASES = 100;
const DONE = /^LOOP-DONE 0/;

/** Seconds of a round. */
interface LoopTimes {
  readonly el2: number;
  readonly qemu: number;
}

const SCENARIO = `el2_test = 1
[[step]]
boot = { root = "debian", overlay = ["tests"] }
`,
  PREPARED = `${SCENARIO}from = "prompt"\n`;
const RUN = '[[step]]\nrun = "/opt/tests/all.sh"\n';

/** PID 1 for QEMU: the test, and no shell. The bench ends the machine at its last line. */
const INIT = `#!/bin/busybox sh
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
/opt/tests/all.sh
echo "LOOP-DONE $?"
exec sleep 1000
`;

/** Prints seconds from an edit to the result, and milliseconds of a restore. */
export async function benchLoop(rounds: number, json: boolean): Promise<void> {
  await inLoop(async (folder) => {
    const trusted = await trustedRounds(rounds, async () => ({ el2: await scenarioSeconds(folder), qemu: await qemuSeconds(folder) }));
    const restores = await restoreTimes(folder);
    if (json) return printDocument({ schema: "el2.bench.loop/1", rounds, table: tableOf(trusted, restores) });
    const { results } = trusted, [own, other] = [results.map((one) => one.el2), results.map((one) => one.qemu)];
    console.log(
      `edit to result, seconds: el2 ${withSpread(own)}, QEMU ${withSpread(other)}; el2 time / QEMU time ${withSpread(ratiosOf(trusted))}`,
    );
    console.log(`restore in process, ms: p50 ${median(restores).toFixed(1)}, p95 ${percentile(restores, 0.95).toFixed(1)} of ${CASES}`);
  });
}

/** For `--ab`: seconds from an edit to the result. */
export const loopContest: Contest = async (work) => {
  const folder = `${work}/loop`;
  await makeLoop(folder);
  return async () => new Map([["edit to result", await scenarioSeconds(folder)]]);
};

async function inLoop(work: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "el2-bench-" });
  try {
    await makeLoop(folder);
    await work(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function makeLoop(folder: string): Promise<void> {
  await Deno.mkdir(`${folder}/tests/opt/tests`, { recursive: true });
  await Deno.writeTextFile(`${folder}/a.test.toml`, PREPARED + RUN);
  await edit(folder);
}

let edits = 0;

/** An edit of the test. */
async function edit(folder: string): Promise<void> {
  const script = `#!/bin/sh\n# edit ${++edits}\necho TAP version 13\necho 1..1\necho ok 1 - edited ${edits}\n`;
  await Deno.writeTextFile(`${folder}/tests/opt/tests/all.sh`, script, { mode: 0o755 });
}

async function scenarioSeconds(folder: string): Promise<number> {
  await edit(folder);
  const [program, ...args] = el2("test", "a.test.toml");
  const began = performance.now();
  const { code, stdout } = await new Deno.Command(program, { args, cwd: folder, stdin: "null", stderr: "null" }).output();
  const seconds = (performance.now() - began) / 1000;
  if (code !== 0) throw new Error(`the scenario failed:\n${new TextDecoder().decode(stdout)}`);
  return seconds;
}

/** The ramdisk is made anew, as for a scenario. */
async function qemuSeconds(folder: string): Promise<number> {
  await edit(folder);
  const began = performance.now(), initrd = `${folder}/initrd`;
  const { bytes } = await ramdiskOf({ root: "debian", initrd: undefined, overlays: [{ folder: `${folder}/tests`, place: "/" }] });
  await Deno.writeFile(initrd, withEntries(bytes, [archiveFile("init", INIT, 0o755)]));
  const made = (performance.now() - began) / 1000;
  const { folder: guest } = await catalogEntry("debian");
  const run = await stopwatch("qemu", { kernel: `${guest}/Image`, initrd, append: "console=ttyAMA0", memory: MEMORY }, TIMEOUT, DONE);
  const line = run.lines.find(({ text }) => DONE.test(text));
  if (!line) throw new Error("the test did not end in QEMU");
  return made + line.at / 1000;
}

/** Milliseconds until a machine is in the state of another one, which has then run a test. */
async function restoreTimes(folder: string): Promise<number[]> {
  const scenario = readScenario(`${folder}/a.test.toml`, PREPARED + RUN);
  const planned = await planScenario(scenario, undefined, () => {}), states = new PreparedStates(), key = await states.keyOf(planned.plan);
  const times: number[] = [];
  for (let count = 0; count <= CASES; count++) {
    const run = new ScenarioRun(planned, {
      prepared: {
        begin(plan) {
          const began = performance.now(), begun = states.begin(key, plan);
          if (begun) times.push(performance.now() - began);
          return begun;
        },
        keep: (system, shown) => states.keep(key, system, planned.plan, shown),
      },
    });
    const { ok } = await run.run();
    if (!ok) throw new Error("a case failed");
    states.leave(key, run.system);
  }
  return times;
}

function ratiosOf({ results }: Rounds<LoopTimes>): number[] {
  return results.map((one) => one.el2 / one.qemu);
}

function tableOf(trusted: Rounds<LoopTimes>, restores: readonly number[]): Figure[] {
  return [
    { what: "edit to result of a scenario", unit: "s", values: trusted.results.map((one) => one.el2) },
    { what: "the same by QEMU", unit: "s", values: trusted.results.map((one) => one.qemu) },
    { what: "el2 beside QEMU, edit to result", unit: "times", values: ratiosOf(trusted), most: 0.7 },
    { what: "restore of a prepared Debian in the process, median", unit: "ms", values: [median(restores)], most: 30 },
  ];
}
