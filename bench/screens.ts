// `deno task bench screens`: the times to the first frame and to the complete first screen of a
// terminal program, the bytes that it writes, its CPU time while nobody types, and the times from
// keys to what they change: el2's demo and Debian's btop, htop and tig in turn, each in a terminal
// that counts, and looks only for the selected row (docs/design/compared.md).

import { setTimeout as sleep } from "node:timers/promises";
import { Terminal } from "../src/tui/terminal/xterm.ts";
import { type PeerProgram, peerProgram } from "../scripts/native-tools.ts";
import { PERMISSIONS } from "../src/cli/common/runtime.ts";
import type { Contest } from "./ab.ts";
import { type Figure, printDocument } from "./documents.ts";
import { preferredTree } from "./machines.ts";
import { median } from "./statistics.ts";
import { threadTimes } from "./thread-times.ts";

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
/** Keys that move the selection, there and back, and the wall time (ms) from one to the next. */
const KEYS = 20;
const DOWN = "B", UP = "A";
/** A program that asks for the application's cursor keys gets other sequences, as by a terminal. */
const APPLICATION_KEYS = "\x1b[?1h";
const BETWEEN_KEYS = 300;
/** Odd milliseconds are added, so that keys meet a program's own clock at all its places. */
const ODD_KEYS = 37, ODD_SPAN = 100;
/** A row that is selected, or no longer, has at least this many cells of another background. */
const SELECTED_CELLS = 20;
const PEERS: readonly PeerProgram[] = ["btop", "htop", "tig"];

/** The first screen of one program. */
interface FirstScreen {
  /** Seconds from the start of the process to its first frame. */
  readonly drawn: number;
  /** Seconds from the start of the process to the end of its first screen. */
  readonly first: number;
  /** Bytes of that screen. */
  readonly bytes: number;
}

/** A program at work. */
interface Work {
  /** Bytes per second after it. */
  readonly rate: number;
  /** CPU time of the process in that time, as a share of one CPU. */
  readonly cpu: number;
  /** Seconds from each key to the last byte of the selected row's move. */
  readonly keys: readonly number[];
  /** CPU time with the machine paused: only el2 has one. */
  readonly paused: number | undefined;
}

type Screen = FirstScreen & Work;

/** A piece of output, and when it came. */
interface Piece {
  readonly at: number;
  readonly bytes: Uint8Array;
}

/** A program whose first screen is complete. */
interface Running {
  readonly process: number;
  readonly pieces: readonly Piece[];
  readonly columns: number;
  readonly rows: number;
  press(key: string): Promise<void>;
}

/** A program to measure. */
interface Program {
  readonly name: string;
  readonly command: string;
  /** Text without which its first screen is not complete, however long it pauses before. */
  readonly shows?: string;
  /** Pauses its machine, if it has one. */
  readonly pauseKey?: string;
}

/** el2's demo, from the source of the preferred tree: complete with the name of a VM. */
function demo(): Program {
  const tree = preferredTree();
  const command = `'${Deno.execPath()}' run -q --no-check ${PERMISSIONS.join(" ")} '${tree}/main.ts' run demo`;
  return { name: "el2", command, shows: "hello", pauseKey: "p" };
}

/**
 * Starts a program in a terminal of util-linux's script, and ends it when it is measured.
 * @param work measures it after its first screen
 */
async function measure<T>(
  { name, command, shows = "" }: Program,
  columns: number,
  rows: number,
  cwd: string,
  work: (program: Running) => Promise<T>,
): Promise<FirstScreen & T> {
  const identity = await Deno.makeTempFile();
  const began = performance.now();
  const child = new Deno.Command("script", {
    args: ["-qec", `stty rows ${rows} cols ${columns}; echo $$ > '${identity}'; exec ${command}`, "/dev/null"],
    cwd,
    env: { TERM: "xterm-256color", COLORTERM: "truecolor", LANG: "C.UTF-8" },
    stdin: "piped",
    stdout: "piped",
    stderr: "null",
  }).spawn();
  let bytes = 0, text = "", drawn: number | undefined, last = 0;
  const decoder = new TextDecoder(), pieces: Piece[] = [], isComplete = () => text.length >= TEXT && text.includes(shows);
  const read = (async () => {
    for await (const part of child.stdout) {
      bytes += part.length;
      last = performance.now();
      pieces.push({ at: last, bytes: part });
      if (!isComplete()) text = (text + decoder.decode(part, { stream: true })).replaceAll(NO_TEXT, "");
      if (text.length >= ROW_OF_TEXT) drawn ??= last;
    }
  })();
  const writer = child.stdin.getWriter();
  const press = (key: string) => writer.write(new TextEncoder().encode(key));
  try {
    while (!isComplete() || performance.now() - last < PAUSE) {
      if (performance.now() - began > PATIENCE) throw new Error(`${name}: no first screen in ${PATIENCE / 1000} s`);
      await sleep(5);
    }
    const first = { drawn: (drawn! - began) / 1000, first: (last - began) / 1000, bytes };
    const process = Number(await Deno.readTextFile(identity));
    return { ...first, ...await work({ process, pieces, columns, rows, press }) };
  } finally {
    // All of them quit with q; script waits until its output is read.
    await press("q");
    await read;
    await writer.abort().catch(() => {});
    await child.status;
    await Deno.remove(identity);
  }
}

/** Only the first screen is measured. */
function noWork(): Promise<object> {
  return Promise.resolve({});
}

/** Measures a program at work; one with a machine also while that is paused. */
async function atWork(program: Running, pauseKey?: string): Promise<Work> {
  await sleep(SETTLED);
  const from = program.pieces.length, since = performance.now(), cpu = await cpuShare(program.process);
  const written = program.pieces.slice(from).reduce((sum, { bytes }) => sum + bytes.length, 0);
  const rate = written / ((performance.now() - since) / 1000), keys = await keyTimes(program);
  if (pauseKey === undefined) return { rate, cpu, keys, paused: undefined };
  await program.press(pauseKey);
  await sleep(SETTLED);
  return { rate, cpu, keys, paused: await cpuShare(program.process) };
}

/** CPU time of a process in `MEASURED`, as a share of one CPU. */
async function cpuShare(process: number): Promise<number> {
  const used = () => new Map(threadTimes(process).map(({ id, milliseconds }) => [id, milliseconds]));
  const before = used(), since = performance.now();
  await sleep(MEASURED);
  const after = used(), took = performance.now() - since;
  return [...after].reduce((sum, [id, time]) => sum + time - (before.get(id) ?? 0), 0) / took;
}

/**
 * Moves the selection to and fro. A terminal's emulator takes the output in afterwards, piece by
 * piece: the piece with which two rows have changed their background is the last of the answer, and
 * what the program draws by itself is none.
 */
async function keyTimes({ pieces, columns, rows, press }: Running): Promise<number[]> {
  const pressed: number[] = [];
  const begun = pieces.map(({ bytes }) => new TextDecoder().decode(bytes)).join("");
  const lead = begun.includes(APPLICATION_KEYS) ? "\x1bO" : "\x1b[";
  // The first key selects the first row, where none is selected before.
  for (let key = 0; key <= KEYS; key++) {
    await sleep(BETWEEN_KEYS + key * ODD_KEYS % ODD_SPAN);
    pressed.push(performance.now());
    await press(lead + (key > 0 && key % 2 === 0 ? UP : DOWN));
  }
  await sleep(BETWEEN_KEYS + ODD_SPAN);
  const terminal = new Terminal({ cols: columns, rows, scrollback: 0, allowProposedApi: true, convertEol: false, logLevel: "off" });
  const background = (x: number, y: number) => {
    const cell = terminal.buffer.active.getLine(y)!.getCell(x)!;
    return cell.isInverse() ? `inverse ${cell.getFgColor()}` : cell.isBgDefault() ? "default" : `${cell.isBgRGB()} ${cell.getBgColor()}`;
  };
  const screen = () => Array.from({ length: rows }, (_, y) => Array.from({ length: columns }, (_, x) => background(x, y)));
  const changedRows = (before: readonly (readonly string[])[]) =>
    screen().filter((cells, y) => cells.filter((cell, x) => cell !== before[y][x]).length >= SELECTED_CELLS).length;
  const times: number[] = [];
  let next = 0;
  for (let key = 0; key <= KEYS; key++) {
    const take = () => new Promise<void>((resolve) => terminal.write(pieces[next++].bytes, resolve));
    while (next < pieces.length && pieces[next].at <= pressed[key]) await take();
    const before = screen(), until = pressed[key + 1] ?? Infinity;
    let answered: number | undefined;
    while (answered === undefined && next < pieces.length && pieces[next].at < until) {
      const { at } = pieces[next];
      await take();
      if (changedRows(before) >= 2) answered = at - pressed[key];
    }
    if (key === 0) continue;
    if (answered === undefined) throw new Error(`no row was selected after key ${key}`);
    times.push(answered / 1000);
  }
  return times;
}

/** For `--ab`: el2's own first screen. */
export const screensContest: Contest = () =>
  Promise.resolve(async () => {
    const figures = new Map<string, number>();
    for (const [columns, rows] of SIZES) {
      const { drawn, first, bytes } = await measure(demo(), columns, rows, preferredTree(), noWork);
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
  const programs = [demo()];
  for (const peer of PEERS) programs.push({ name: peer, command: `'${await peerProgram(peer)}'` });
  // The first read from disk is not a warm start.
  for (const program of programs) await measure(program, 80, 24, tree, noWork);
  const seen = new Map<string, Screen[]>();
  for (let round = 0; round < rounds; round++) {
    for (const [columns, rows] of SIZES) {
      for (const program of programs) {
        const key = `${program.name} ${columns}x${rows}`;
        const work = (running: Running) =>
          atWork(running, program.pauseKey).catch((error) => {
            throw new Error(`${key}: ${error.message}`);
          });
        seen.set(key, [...seen.get(key) ?? [], await measure(program, columns, rows, tree, work)]);
      }
    }
  }
  const values = (key: string, figure: "drawn" | "first" | "bytes" | "rate" | "cpu") => seen.get(key)!.map((screen) => screen[figure]);
  if (json) {
    const table: Figure[] = programs.map(({ name }) => {
      const drawn = SIZES.flatMap(([columns, rows]) => values(`${name} ${columns}x${rows}`, "drawn"));
      return { what: `first frame of ${name === "el2" ? "the demo" : name}`, unit: "s", values: drawn };
    });
    return printDocument({ schema: "el2.bench.screens/1", table, rounds, screens: Object.fromEntries(seen) });
  }
  console.log(
    `${"".padEnd(14)}  first frame, s  whole screen (least to most), s    bytes  bytes per second  key, ms (worst)  CPU, % (paused)`,
  );
  const percent = (shares: readonly number[]) => (median(shares) * 100).toFixed(1);
  for (const [key, screens] of seen) {
    const firsts = values(key, "first"), seconds = [median(firsts), Math.min(...firsts), Math.max(...firsts)].map((one) => one.toFixed(3));
    const [bytes, rate] = [median(values(key, "bytes")), median(values(key, "rate"))].map((one) => one.toFixed(0));
    const keys = screens.flatMap((screen) => screen.keys),
      [typical, worst] = [median(keys), Math.max(...keys)].map((one) => (one * 1000).toFixed(1));
    const paused = screens.flatMap((screen) => screen.paused ?? []);
    console.log(
      `${key.padEnd(14)}  ${median(values(key, "drawn")).toFixed(3).padEnd(14)}  ` +
        `${`${seconds[0]} (${seconds[1]} to ${seconds[2]})`.padEnd(31)} ${bytes.padStart(8)} ${rate.padStart(17)}  ` +
        `${`${typical} (${worst})`.padEnd(15)}  ${percent(values(key, "cpu"))}${paused.length ? ` (${percent(paused)})` : ""}`,
    );
  }
}
