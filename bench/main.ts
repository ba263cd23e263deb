// `deno task bench core|code|calls|boot|mark|userland|tui|dist|net|disk|instant|record|memory
// |all|scale|linux|export|share|first-run|history|translate|loop|page [--rounds N]
// [--guest NAME,..] [--cpus N,..] [--set base|cc|jit|wide [--only PROGRAM,..]] [--warm] [--busy]
// [--long] [--cached] [--tier interp|jit|auto] [--cpu NAME] [--json]`: how fast el2 is beside QEMU
// (TCG, one thread, cortex-a57), measured in the same session, in turn. Only ratios of one session
// are worth comparing: machines and their load differ. `--cpu` (core, boot, userland) gives guests
// another CPU of el2, beside the newest QEMU with all features. `--ab REV` compares this tree's el2
// with el2 of a revision instead; at least four rounds, or chance decides.

import { parseArgs } from "node:util";
import { compareTrees, type Contest } from "./ab.ts";
import { benchBoot, BOOT_CPUS, BOOT_GUESTS, bootContest } from "./boot.ts";
import { benchCalls, callsContest } from "./calls.ts";
import { benchCode, codeContest } from "./code.ts";
import { benchCore, coreContest } from "./core.ts";
import { benchBootOf, benchCoreOf } from "./cpus.ts";
import { prefer, preferCpu, setUp } from "./machines.ts";
import { benchDisk, diskContest } from "./disk.ts";
import { benchDist, distContest } from "./dist.ts";
import { collectDocuments, nameBench, printCollected } from "./documents.ts";
import { benchExport, exportContest } from "./export.ts";
import { benchFirstRun, firstRunContest } from "./first-run.ts";
import { benchHistory, historyContest } from "./history.ts";
import { benchInstant, instantContest } from "./instant.ts";
import { benchLinux, linuxContest } from "./linux.ts";
import { benchLoop, loopContest } from "./loop.ts";
import { benchMark, markContest } from "./mark.ts";
import { benchMemory, memoryContest } from "./memory.ts";
import { benchNet, netContest } from "./net.ts";
import { benchPage, pageContest } from "./page.ts";
import { benchRecord, recordContest } from "./record.ts";
import { benchScale, scaleContest } from "./scale.ts";
import { benchShare, shareContest } from "./share.ts";
import { benchTranslate, translateContest } from "./translate.ts";
import { benchTui } from "./tui.ts";
import { tuiContest } from "./tui-program.ts";
import { catalogEntry, DEBIAN_RELEASES, DEFAULT_DEBIAN_RELEASE } from "../src/app/catalog/catalog.ts";
import { TIERS } from "../src/cpu/core/tiers.ts";
import { CpuError, parseCpu } from "../src/cpu/isa/cpus/cpus.ts";
import { benchUserland, TUNED_SETS, USERLAND_SETS, userlandContest } from "./userland.ts";

const USAGE =
  "usage: deno task bench core|code|calls|boot|mark|userland|tui|dist|net|disk|instant|record|memory|all|scale|linux|export|share|first-run|history|translate|loop|page [--rounds N] [--guest NAME,..] [--cpus N,..] " +
  "[--set base|cc|jit|wide [--only PROGRAM,..]] [--warm] [--busy] [--long] [--cached] [--tier interp|jit|auto] [--cpu NAME] [--ab REV] [--json]";

function refuse(): never {
  console.error(USAGE);
  Deno.exit(2);
}

function parsed() {
  try {
    return parseArgs({
      args: Deno.args,
      allowPositionals: true,
      options: {
        rounds: { type: "string", default: "3" },
        guest: { type: "string" },
        cpus: { type: "string" },
        set: { type: "string" },
        only: { type: "string" },
        tier: { type: "string" },
        cpu: { type: "string" },
        ab: { type: "string" },
        warm: { type: "boolean", default: false },
        busy: { type: "boolean", default: false },
        long: { type: "boolean", default: false },
        cached: { type: "boolean", default: false },
        json: { type: "boolean", default: false },
        help: { type: "boolean", short: "h", default: false },
      },
    });
  } catch (error) {
    // An unknown option, or one without its value.
    if (error instanceof TypeError) refuse();
    throw error;
  }
}

/** The CPU's name; ends the program where there is no such CPU. */
function cpuName(text: string): string {
  try {
    return parseCpu(text).name;
  } catch (error) {
    if (!(error instanceof CpuError)) throw error;
    console.error(error.message);
    Deno.exit(2);
  }
}

const { values, positionals: [what] } = parsed();
if (values.help) {
  console.log(USAGE);
  Deno.exit();
}
const rounds = Number(values.rounds);
const sets = values.set === undefined ? TUNED_SETS : USERLAND_SETS.filter((set) => set === values.set);
const guests = values.guest?.split(",") ?? BOOT_GUESTS;
const cpus = values.cpus?.split(",").map(Number) ?? BOOT_CPUS;
const tier = TIERS.find((tier) => tier === values.tier);
prefer(tier);
const cpu = values.cpu === undefined ? undefined : cpuName(values.cpu);
if (cpu !== undefined) preferCpu(cpu);
const userland = { only: values.only?.split(","), warm: values.warm, busy: values.busy, cached: values.cached };
/** The measurement of each name: el2 against QEMU, or with `--ab` against another revision. */
const benches: Record<string, { run: () => Promise<void>; contest: Contest }> = {
  core: { run: () => cpu === undefined ? benchCore(rounds, values.json) : benchCoreOf(cpu, rounds, values.json), contest: coreContest },
  code: { run: () => benchCode(rounds, values.json), contest: codeContest },
  calls: { run: () => benchCalls(rounds, values.json), contest: callsContest },
  boot: {
    run: () => cpu === undefined ? benchBoot(guests, cpus, rounds, values.json) : benchBootOf(cpu, guests, cpus, rounds, values.json),
    contest: bootContest(guests, cpus, values.cached),
  },
  mark: { run: () => benchMark(rounds, values.json), contest: markContest },
  dist: { run: () => benchDist(rounds, values.json), contest: distContest },
  instant: { run: () => benchInstant(rounds, values.json), contest: instantContest },
  record: { run: () => benchRecord(rounds, values.json), contest: recordContest },
  net: { run: () => benchNet(rounds, values.json), contest: netContest },
  disk: { run: () => benchDisk(rounds, values.json), contest: diskContest },
  memory: { run: () => benchMemory(guests, rounds, values.json), contest: memoryContest(guests) },
  tui: { run: () => benchTui(rounds, values.json), contest: tuiContest },
  userland: { run: () => benchUserland(sets, rounds, values.json, userland), contest: userlandContest(sets, userland) },
};
/** With those that `all` lacks: docs/performance.md, made of `all`, is about QEMU. */
const known: typeof benches = {
  ...benches,
  scale: { run: () => benchScale(rounds, values.json), contest: scaleContest },
  linux: { run: () => benchLinux(rounds, values.json), contest: linuxContest },
  export: { run: () => benchExport(rounds, values.json), contest: exportContest },
  share: { run: () => benchShare(rounds, values.json), contest: shareContest },
  history: { run: () => benchHistory(rounds, values.json, values.long), contest: historyContest },
  translate: { run: () => benchTranslate(rounds, values.json), contest: translateContest },
  page: { run: () => benchPage(rounds, values.json), contest: pageContest },
  loop: { run: () => benchLoop(rounds, values.json), contest: loopContest },
  "first-run": { run: () => benchFirstRun(rounds, values.json), contest: firstRunContest },
};
const chosen = what === "all" ? Object.keys(benches) : [what ?? ""];
const refused = values.tier !== undefined && !tier ||
  values.guest !== undefined && !chosen.includes("boot") && !chosen.includes("memory") ||
  values.cpu !== undefined && (!["core", "boot", "userland"].includes(what ?? "") || values.ab !== undefined) ||
  values.cpus !== undefined && !chosen.includes("boot") ||
  !cpus.every((count) => Number.isInteger(count) && count >= 1 && count <= 8) ||
  values.only !== undefined && (what !== "userland" || values.set === undefined) ||
  (values.warm || values.busy) && !chosen.includes("userland") ||
  values.long && (what !== "history" || values.ab !== undefined) ||
  // Against QEMU, boots are measured with and without.
  values.cached && !chosen.includes("userland") && !(chosen.includes("boot") && values.ab !== undefined);
if (refused || !chosen.every((name) => Object.hasOwn(known, name)) || !Number.isInteger(rounds) || rounds < 1 || sets.length === 0) {
  refuse();
}
if (values.json && chosen.length > 1) collectDocuments();
const booted = chosen.includes("boot") || chosen.includes("memory") ? guests : [];
await setUp(DEBIAN_RELEASES.filter((release) => booted.includes(`debian-${release}`) || release === DEFAULT_DEBIAN_RELEASE));
for (const guest of booted) {
  await catalogEntry(guest).catch((error: Error) => {
    console.error(error.message);
    Deno.exit(1);
  });
}
for (const name of chosen) {
  nameBench(name);
  const { run, contest } = known[name];
  if (values.ab === undefined) await run();
  else await compareTrees(name, contest, values.ab, tier, rounds, values.json);
}
printCollected();
// Terminals and workers of a bench may still be open.
Deno.exit();
