// `deno task test:soak [--for TIME] [WHAT]`: runs a session while clients ask it, and fails where
// its memory grows. Without more it runs the demo for two hours.

import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { PERMISSIONS } from "../src/app/cli/common/runtime.ts";
import { MALLOC_SETTINGS } from "../src/kit/support/computer/garbage.ts";

const MAIN = fileURLToPath(new URL("../main.ts", import.meta.url));
const DEFAULT_TIME = "2h";
const UNITS: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000 };
/** Resident memory may grow by this share in the last half. */
const MOST_GROWTH = 0.02;
/** Samples of a run: enough that one that falls into a garbage collection does not decide. */
const SAMPLES = 240;
/** Questions that clients repeat: lists, events, the past, a trace. */
const QUESTIONS: readonly (readonly string[])[] = [
  ["vm", "ls"],
  ["vcpu", "ls"],
  ["events", "--filter", "kind=rpc"],
  ["why", "--list"],
  ["mem", "limits"],
  ["irq", "ls"],
  ["console", "hello"],
  ["diagnose"],
  ["trace", "stats"],
];

/** How much the median of the last quarter is above that of the quarter before, as a share. */
export function growthOf(samples: readonly number[]): number {
  const quarter = Math.floor(samples.length / 4);
  const median = (list: readonly number[]) => list.toSorted((a, b) => a - b)[Math.floor(list.length / 2)];
  const before = median(samples.slice(-2 * quarter, -quarter)), after = median(samples.slice(-quarter));
  return (after - before) / before;
}

/** Options of a soak. */
export interface Soak {
  /** Wall time, ms. */
  readonly time: number;
  /** The guest of the session, as `el2 up` takes it. */
  readonly what: string;
  readonly samples?: number;
  /** Called with each sample: bytes of resident memory. */
  readonly onSample?: (bytes: number) => void;
}

/** Runs a session and asks it; its resident memory (bytes), at equal distances of time. */
export async function soak({ time, what, samples = SAMPLES, onSample = () => {} }: Soak): Promise<number[]> {
  const folder = await Deno.makeTempDir({ prefix: "el2-soak-" });
  const env = { ...MALLOC_SETTINGS, XDG_RUNTIME_DIR: folder, XDG_STATE_HOME: folder, EL2_SESSION: "", NO_COLOR: "1" };
  const el2 = (...args: readonly string[]) =>
    new Deno.Command(Deno.execPath(), { args: ["run", "-q", "--no-check", ...PERMISSIONS, MAIN, ...args], env, stdin: "null" });
  const text = new TextDecoder();
  try {
    const up = await el2("up", what, "--name", "soak").output();
    if (!up.success) throw new Error(text.decode(up.stderr));
    const [{ pid }] = JSON.parse(text.decode((await el2("ls", "--json").output()).stdout)).data;
    const begun = performance.now(), seen: number[] = [];
    for (let asked = 0; seen.length < samples; asked++) {
      const { code, stderr } = await el2(...QUESTIONS[asked % QUESTIONS.length], "--session", "soak").output();
      if (code > 1) throw new Error(`${QUESTIONS[asked % QUESTIONS.length].join(" ")}: ${text.decode(stderr)}`);
      const due = begun + time * (seen.length + 1) / samples;
      if (performance.now() < due && asked % QUESTIONS.length) continue;
      await new Promise((resolve) => setTimeout(resolve, Math.max(0, due - performance.now())));
      const { stdout } = await new Deno.Command("ps", { args: ["-o", "rss=", "-p", String(pid)] }).output();
      const bytes = Number(text.decode(stdout)) * 1024;
      if (!(bytes > 0)) throw new Error("the session has ended");
      seen.push(bytes);
      onSample(bytes);
    }
    return seen;
  } finally {
    await el2("down", "soak").output();
    await Deno.remove(folder, { recursive: true });
  }
}

/** The whole command; its exit code. */
async function main(): Promise<number> {
  const { positionals: [what = "demo"], values } = parseArgs({
    allowPositionals: true,
    options: { for: { type: "string", default: DEFAULT_TIME } },
  });
  const [, amount, unit] = /^(\d+)([smh])$/.exec(values.for) ?? [];
  if (unit === undefined) {
    console.error(`soak: "${values.for}" is not a duration; use for example 10m`);
    return 2;
  }
  let count = 0;
  const seen = await soak({
    time: Number(amount) * UNITS[unit],
    what,
    onSample: (bytes) => {
      if (++count % 10 === 0) console.log(`${count}/${SAMPLES}  ${(bytes / 2 ** 20).toFixed(1)} MiB`);
    },
  });
  const growth = growthOf(seen);
  console.log(`memory of the last half grew by ${(100 * growth).toFixed(2)} %; at most ${100 * MOST_GROWTH} % is allowed`);
  return growth <= MOST_GROWTH ? 0 : 1;
}

if (import.meta.main) Deno.exit(await main());
