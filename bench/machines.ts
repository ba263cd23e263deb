// The two machines that benches compare, as command lines, and a stopwatch for what they print.

import { nativeProgram } from "../scripts/native-tools.ts";

/** A machine to measure. */
export const MACHINES = ["el2", "qemu"] as const;

/** One of `MACHINES`. */
export type Machine = typeof MACHINES[number];

/** What to boot. */
export interface Guest {
  /** arm64 ELF or Image. */
  kernel: string;
  initrd?: string;
  /** Kernel command line. */
  append?: string;
  /** RAM in MiB. */
  memory: number;
}

const PROGRAM = new URL("../main.ts", import.meta.url).pathname;
const CONFIGURATION = new URL("../deno.json", import.meta.url).pathname;

/** The command that runs `guest` with one CPU and its console on standard output. */
async function commandLine(machine: Machine, guest: Guest): Promise<string[]> {
  const initrd = guest.initrd ? ["initrd", guest.initrd] : [];
  const append = guest.append ? ["append", guest.append] : [];
  if (machine === "el2") {
    const options = [...initrd, ...append].map((word, index) => index % 2 === 0 ? `--${word}` : word);
    // The permissions of the task `el2`, but for what a boot never needs.
    const deno = [Deno.execPath(), "run", "--config", CONFIGURATION, "--allow-read", "--allow-write", "--allow-env"];
    return [...deno, PROGRAM, "boot", guest.kernel, ...options, "--memory", `${guest.memory}MiB`, "--stdio"];
  }
  const options = [...initrd, ...append].map((word, index) => index % 2 === 0 ? `-${word}` : word);
  const platform = [
    "-M",
    "virt,gic-version=3",
    "-cpu",
    "cortex-a57",
    "-accel",
    "tcg,thread=single",
    "-smp",
    "1",
    "-m",
    String(guest.memory),
  ];
  return [
    await nativeProgram("qemu-system-aarch64"),
    ...platform,
    "-kernel",
    guest.kernel,
    ...options,
    "-nographic",
    "-nic",
    "none",
    "-no-reboot",
  ];
}

/** A line of the console and when it was complete. */
export interface StampedLine {
  text: string;
  /** Milliseconds since the process was started. */
  at: number;
}

/** What a run gave. */
export interface Run {
  lines: StampedLine[];
  /** Peak resident memory in MiB, where the run was cut off by `until`. */
  peakMemory: number | undefined;
}

/**
 * Runs `guest` until a line matches `until`, or the machine ends by itself where there is no `until`.
 * @throws Error with the end of the console when the line does not come within `timeout` seconds.
 */
export async function stopwatch(machine: Machine, guest: Guest, timeout: number, until?: RegExp): Promise<Run> {
  const [program, ...args] = await commandLine(machine, guest);
  const started = performance.now();
  const child = new Deno.Command(program, { args, stdin: "null", stdout: "piped", stderr: "piped" }).spawn();
  const complaint = new Response(child.stderr).text();
  const lines: StampedLine[] = [];
  let found = until === undefined;
  const timer = setTimeout(() => child.kill("SIGKILL"), timeout * 1000);
  let rest = "";
  for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) {
    const at = performance.now() - started;
    const parts = (rest + text).split("\n");
    rest = parts.pop() ?? "";
    for (const part of parts) lines.push({ text: part.replace(/\r$/, ""), at });
    if (until && lines.some((line) => until.test(line.text))) {
      found = true;
      break;
    }
  }
  const peakMemory = until && found ? await residentPeak(child.pid) : undefined;
  if (until && found) child.kill("SIGKILL");
  const { success } = await child.status;
  clearTimeout(timer);
  if (!found || (!until && !success)) {
    const end = [...lines.slice(-10).map((line) => line.text), rest, (await complaint).trim()].join("\n");
    throw new Error(`${machine} did not get there within ${timeout} s:\n${end}`);
  }
  await complaint;
  return { lines, peakMemory };
}

/** VmHWM of a process in MiB. Deno reads /proc only with all permissions, so that another program has to. */
async function residentPeak(pid: number): Promise<number> {
  const { stdout } = await new Deno.Command("grep", { args: ["VmHWM", `/proc/${pid}/status`] }).output();
  const match = /^VmHWM:\s+(\d+) kB$/m.exec(new TextDecoder().decode(stdout));
  if (!match) throw new Error(`process ${pid} ended before its memory could be read`);
  return Number(match[1]) / 1024;
}
