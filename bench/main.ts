// `deno task bench core|boot [--rounds N] [--guest NAME] [--json]`: how fast el2 is beside QEMU (TCG, one thread, cortex-a57),
// measured in the same session, in turn. Only ratios of one session are worth comparing: machines and their load differ.

import { parseArgs } from "node:util";
import { benchBoot } from "./boot.ts";
import { benchCore } from "./core.ts";

const USAGE = "usage: deno task bench core|boot [--rounds N] [--guest NAME] [--json]";

const { values, positionals: [what] } = parseArgs({
  args: Deno.args,
  allowPositionals: true,
  options: {
    rounds: { type: "string", default: "3" },
    guest: { type: "string", default: "debian" },
    json: { type: "boolean", default: false },
  },
});
const rounds = Number(values.rounds);
if (!(what === "core" || what === "boot") || !Number.isInteger(rounds) || rounds < 1) {
  console.error(USAGE);
  Deno.exit(2);
}
if (what === "core") await benchCore(rounds, values.json);
else await benchBoot(values.guest, rounds, values.json);
