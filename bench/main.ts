// `deno task bench core|boot [--rounds N] [--guest NAME] [--json]`: how fast el2 is beside QEMU (TCG, one thread, cortex-a57),
// measured in the same session, in turn. Only ratios of one session are worth comparing: machines and their load differ.

import { parseArgs } from "node:util";
import { benchBoot } from "./boot.ts";
import { benchCore } from "./core.ts";

const { values, positionals } = parseArgs({
  args: Deno.args,
  allowPositionals: true,
  options: {
    rounds: { type: "string", default: "3" },
    guest: { type: "string", default: "debian" },
    json: { type: "boolean", default: false },
  },
});
const rounds = Number(values.rounds);
if (!Number.isInteger(rounds) || rounds < 1) throw new Error(`--rounds ${values.rounds}: a whole number from 1`);

switch (positionals[0]) {
  case "core":
    await benchCore(rounds, values.json);
    break;
  case "boot":
    await benchBoot(values.guest, rounds, values.json);
    break;
  default:
    console.error("usage: deno task bench core|boot [--rounds N] [--guest NAME] [--json]");
    Deno.exit(2);
}
