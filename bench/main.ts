// `deno task bench core|code|calls|boot|mark|userland|tui|dist|net|instant|record|all [--rounds N] [--guest NAME,..] [--cpus N,..] [--set base|cc [--only PROGRAM,..]] [--tier interp|jit|auto] [--json]`:
// how fast el2 is beside QEMU (TCG, one thread, cortex-a57), measured in the same session, in turn.
// Only ratios of one session are worth comparing: machines and their load differ. `core --ab REV`
// compares this tree with a revision instead.

import { parseArgs } from "node:util";
import { benchBoot, BOOT_CPUS, BOOT_GUESTS } from "./boot.ts";
import { benchCalls } from "./calls.ts";
import { benchCode } from "./code.ts";
import { compareCore } from "./compare.ts";
import { benchCore } from "./core.ts";
import { prefer } from "./machines.ts";
import { benchDist } from "./dist.ts";
import { benchInstant } from "./instant.ts";
import { benchMark } from "./mark.ts";
import { benchNet } from "./net.ts";
import { benchRecord } from "./record.ts";
import { benchTui } from "./tui.ts";
import { TIERS } from "../src/core/tiers.ts";
import { benchUserland, USERLAND_SETS } from "./userland.ts";

const USAGE =
  "usage: deno task bench core|code|calls|boot|mark|userland|tui|dist|net|instant|record|all [--rounds N] [--guest NAME,..] [--cpus N,..] " +
  "[--set base|cc [--only PROGRAM,..]] [--tier interp|jit|auto] [--ab REV] [--json]";

const { values, positionals: [what] } = parseArgs({
  args: Deno.args,
  allowPositionals: true,
  options: {
    rounds: { type: "string", default: "3" },
    guest: { type: "string" },
    cpus: { type: "string" },
    set: { type: "string" },
    only: { type: "string" },
    tier: { type: "string" },
    ab: { type: "string" },
    json: { type: "boolean", default: false },
  },
});
const rounds = Number(values.rounds);
const sets = USERLAND_SETS.filter((set) => values.set === undefined || set === values.set);
const guests = values.guest?.split(",") ?? BOOT_GUESTS;
const cpus = values.cpus?.split(",").map(Number) ?? BOOT_CPUS;
const tier = TIERS.find((tier) => tier === values.tier);
prefer(tier);
const benches: Record<string, () => Promise<void>> = {
  core: () => values.ab === undefined ? benchCore(rounds, values.json) : compareCore(values.ab, tier, rounds, values.json),
  code: () => benchCode(rounds, values.json),
  calls: () => benchCalls(rounds, values.json),
  boot: () => benchBoot(guests, cpus, rounds, values.json),
  mark: () => benchMark(rounds, values.json),
  dist: () => benchDist(rounds, values.json),
  instant: () => benchInstant(rounds, values.json),
  record: () => benchRecord(rounds, values.json),
  net: () => benchNet(rounds, values.json),
  tui: () => benchTui(rounds, values.json),
  userland: () => benchUserland(sets, rounds, values.json, values.only?.split(",")),
};
/** What `all` runs: the figures of speed. */
const ALL = ["core", "mark", "boot", "userland", "calls"];
const chosen = what === "all" ? ALL : [what ?? ""];
const refused = values.tier !== undefined && !tier || values.ab !== undefined && what !== "core" ||
  (values.guest ?? values.cpus) !== undefined && !chosen.includes("boot") ||
  !cpus.every((count) => Number.isInteger(count) && count >= 1 && count <= 8) ||
  values.only !== undefined && (what !== "userland" || values.set === undefined);
if (refused || !chosen.every((name) => Object.hasOwn(benches, name)) || !Number.isInteger(rounds) || rounds < 1 || sets.length === 0) {
  console.error(USAGE);
  Deno.exit(2);
}
for (const name of chosen) await benches[name]();
