// Tiny guests for tests of the command line: an arm64 Image around a few instruction words.

import { el2Command } from "../../support/el2.ts";
import { inProcess, runsInProcess } from "./in-process.ts";

const HEADER_SIZE = 64;
const IMAGE_MAGIC = 0x644d5241;

/** An Image that runs `words` at its start; needs no memory beyond itself. */
export function imageOf(words: readonly number[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(HEADER_SIZE + words.length * 4);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, 0x14000000 | HEADER_SIZE / 4, true); // b over the header
  view.setUint32(16, 0x10000, true); // image_size
  view.setUint32(56, IMAGE_MAGIC, true);
  words.forEach((word, i) => view.setUint32(HEADER_SIZE + i * 4, word, true));
  return bytes;
}

/** Result of a command. */
export interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs `el2 ARGS` with nothing on stdin, in this process where the command allows that. */
export async function el2(...args: string[]): Promise<Outcome> {
  return await el2With({}, ...args);
}

/** The same with another environment. */
export async function el2With(env: Readonly<Record<string, string>>, ...args: string[]): Promise<Outcome> {
  return await el2In(undefined, env, ...args);
}

/** The same in a folder. */
export async function el2In(cwd: string | undefined, env: Readonly<Record<string, string>>, ...args: string[]): Promise<Outcome> {
  return runsInProcess(args) ? await inProcess(args, { NO_COLOR: "1", ...env }, cwd) : await el2Process(args, env, cwd);
}

/** Runs `el2 ARGS` in a process, with nothing on stdin; in this folder, where one is given. */
export async function el2Process(args: readonly string[], env: Readonly<Record<string, string>> = {}, cwd?: string): Promise<Outcome> {
  const [program, ...rest] = el2Command(...args);
  const command = new Deno.Command(program, { args: rest, stdin: "null", env: { NO_COLOR: "1", ...env }, cwd });
  const { code, stdout, stderr } = await command.output();
  const text = new TextDecoder();
  return { code, stdout: text.decode(stdout), stderr: text.decode(stderr) };
}

/** Runs a command line that prints help, or is refused before it starts anything. */
export async function el2Refused(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Outcome> {
  return Deno.env.get("EL2_PROGRAM") ? await el2Process(args, env) : await inProcess(args, { NO_COLOR: "1", ...env });
}

/** Output of `el2 ARGS` on a terminal, which is a pty of util-linux's script. */
export async function onTerminal(env: Record<string, string>, ...args: string[]): Promise<string> {
  const quoted = el2Command(...args).map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(" ");
  const file = await Deno.makeTempFile();
  await new Deno.Command("script", {
    args: ["-qec", `${quoted} </dev/null`, file],
    env: { NO_COLOR: "1", ...env },
    stdin: "null",
    stdout: "null",
  })
    .output();
  const text = await Deno.readTextFile(file);
  await Deno.remove(file);
  // script's own first and last line.
  return text.replace(/^Script started.*\n/, "").replace(/\nScript done.*\n$/, "");
}

/** Boots an Image, or one of these words, and runs it to its end. */
export async function boot(program: readonly number[] | Uint8Array, ...options: string[]): Promise<Outcome> {
  const file = await Deno.makeTempFile({ suffix: ".bin" });
  try {
    await Deno.writeFile(file, program instanceof Uint8Array ? program : imageOf(program));
    return await el2("boot", file, "--memory", "64MiB", "--turbo", ...options);
  } finally {
    await Deno.remove(file);
  }
}

/** A64 words, as an assembler would give them. */
export const A64 = {
  /** `movz w0, #imm16, lsl #16; movk w0, #low` */
  loadW0: (value: number): number[] => [0x52a00000 | (value >>> 16) << 5, 0x72800000 | (value & 0xffff) << 5],
  /** `movz x1, #imm16, lsl #16` */
  loadX1High: (high: number): number => 0xd2a00001 | high << 5,
  /** `movz w2, #imm16` */
  loadW2: (value: number): number => 0x52800002 | value << 5,
  /** `strb w2, [x1]` */
  storeByte: 0x39000022,
  hvc: 0xd4000002,
  wfi: 0xd503207f,
  /** `b .+offset` in words */
  branch: (words: number): number => (0x14000000 | words & 0x3ffffff) >>> 0,
  /** `br x1` */
  branchX1: 0xd61f0020,
} as const;

/** PSCI SYSTEM_OFF and SYSTEM_RESET. */
export const SYSTEM_OFF = 0x84000008;
export const SYSTEM_RESET = 0x84000009;
