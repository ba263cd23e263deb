// `deno task bench screens`: the times to the first frame and to the complete first screen of a
// terminal program, and the bytes that it writes: el2's demo and Debian's btop, htop and tig in
// turn, each in a terminal that only counts (docs/design/compared.md).

import { setTimeout as sleep } from "node:timers/promises";
import { type PeerProgram, peerProgram } from "../scripts/native-tools.ts";
import { PERMISSIONS } from "../src/cli/common/runtime.ts";
import type { Contest } from "./ab.ts";
import { type Figure, printDocument } from "./documents.ts";
import { preferredTree } from "./machines.ts";
import { median } from "./statistics.ts";

const SIZES = [[80, 24], [120, 36], [200, 60]] as const;
/** A first screen has text, and is complete after this long without output, ms. */
const PAUSE = 100;
const TEXT = 200;
/** A first frame has as much text as one row. */
const ROW_OF_TEXT = 60;
/** Escape sequences and blanks, which are not text. */
// deno-lint-ignore no-control-regex
const NO_TEXT = /\x1b(?:\[[0-9;:<=>?]*[ -/]*[@-~]|[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)|[ -/]*[0-~])|[\x00-\x20]/g;
/** Wall time (ms) from the first screen to the measurement of later output, and of that. */
const SETTLED = 3000;
const MEASURED = 3000;
/** Limit on the wait for a first screen, ms. */
const PATIENCE = 10_000;
const PEERS: readonly PeerProgram[] = ["btop", "htop", "tig"];

/** Output of one program. */
interface Screen {
  /** Seconds from the start of the process to its first frame. */
  readonly drawn: number;
  /** Seconds from the start of the process to the end of its first screen. */
  readonly first: number;
  /** Bytes of that screen. */
  readonly bytes: number;
  /** Bytes per second after it. */
  readonly rate: number;
}

/** The command line of el2's demo, from the source of the preferred tree. */
function demo(): string {
  const tree = preferredTree();
  return `'${Deno.execPath()}' run -q --no-check ${PERMISSIONS.join(" ")} '${tree}/main.ts' run demo`;
}

/** Starts a program in a terminal of util-linux's script, and ends it when it is measured. */
async function measure(command: string, columns: number, rows: number, cwd: string): Promise<Screen> {
  const began = performance.now();
  const child = new Deno.Command("script", {
    args: ["-qec", `stty rows ${rows} cols ${columns}; exec ${command}`, "/dev/null"],
    cwd,
    env: { TERM: "xterm-256color", COLORTERM: "truecolor", LANG: "C.UTF-8" },
    stdin: "piped",
    stdout: "piped",
    stderr: "null",
  }).spawn();
  let bytes = 0, text = "", drawn: number | undefined, last = 0;
  const decoder = new TextDecoder();
  const read = (async () => {
    for await (const part of child.stdout) {
      bytes += part.length;
      last = performance.now();
      if (text.length < TEXT) text = (text + decoder.decode(part, { stream: true })).replaceAll(NO_TEXT, "");
      if (text.length >= ROW_OF_TEXT) drawn ??= last;
    }
  })();
  try {
    while (text.length < TEXT || performance.now() - last < PAUSE) {
      if (performance.now() - began > PATIENCE) throw new Error(`${command}: no first screen in ${PATIENCE / 1000} s`);
      await sleep(5);
    }
    const first = { drawn: (drawn! - began) / 1000, first: (last - began) / 1000, bytes };
    await sleep(SETTLED);
    const before = bytes, since = performance.now();
    await sleep(MEASURED);
    return { ...first, rate: (bytes - before) / ((performance.now() - since) / 1000) };
  } finally {
    // All of them quit with q; script waits until its output is read.
    const writer = child.stdin.getWriter();
    await writer.write(new TextEncoder().encode("q"));
    await read;
    await writer.abort().catch(() => {});
    await child.status;
  }
}

/** For `--ab`: el2's own first screen. */
export const screensContest: Contest = () =>
  Promise.resolve(async () => {
    const figures = new Map<string, number>();
    for (const [columns, rows] of SIZES) {
      const { drawn, first, bytes } = await measure(demo(), columns, rows, preferredTree());
      figures.set(`first_frame_seconds_${columns}x${rows}`, drawn).set(`first_screen_seconds_${columns}x${rows}`, first).set(
        `first_screen_bytes_${columns}x${rows}`,
        bytes,
      );
    }
    return figures;
  });

/** Prints the medians of interleaved rounds. */
export async function benchScreens(rounds: number, json: boolean): Promise<void> {
  const tree = preferredTree();
  const commands: [name: string, command: string][] = [["el2", demo()]];
  for (const peer of PEERS) commands.push([peer, `'${await peerProgram(peer)}'`]);
  // The first read from disk is not a warm start.
  for (const [, command] of commands) await measure(command, 80, 24, tree);
  const seen = new Map<string, Screen[]>();
  for (let round = 0; round < rounds; round++) {
    for (const [columns, rows] of SIZES) {
      for (const [name, command] of commands) {
        const key = `${name} ${columns}x${rows}`;
        seen.set(key, [...seen.get(key) ?? [], await measure(command, columns, rows, tree)]);
      }
    }
  }
  const values = (key: string, figure: keyof Screen) => seen.get(key)!.map((screen) => screen[figure]);
  if (json) {
    const table: Figure[] = commands.map(([name]) => {
      const drawn = SIZES.flatMap(([columns, rows]) => values(`${name} ${columns}x${rows}`, "drawn"));
      return { what: `first frame of ${name === "el2" ? "the demo" : name}`, unit: "s", values: drawn };
    });
    return printDocument({ schema: "el2.bench.screens/1", table, rounds, screens: Object.fromEntries(seen) });
  }
  console.log(`${"".padEnd(14)}  first frame, s  whole screen (least to most), s    bytes  bytes per second`);
  for (const key of seen.keys()) {
    const firsts = values(key, "first"), seconds = [median(firsts), Math.min(...firsts), Math.max(...firsts)].map((one) => one.toFixed(3));
    const [bytes, rate] = [median(values(key, "bytes")), median(values(key, "rate"))].map((one) => one.toFixed(0));
    console.log(
      `${key.padEnd(14)}  ${median(values(key, "drawn")).toFixed(3).padEnd(14)}  ` +
        `${`${seconds[0]} (${seconds[1]} to ${seconds[2]})`.padEnd(31)} ${bytes.padStart(8)} ${rate.padStart(17)}`,
    );
  }
}
