// `deno task bench calls`: what a hypercall, a trapped register read and an exit to the VMM cost,
// relative to what an HVC costs on plain QEMU (PSCI_VERSION), in the same run. Guests print a mark
// before and after 1,000,000 of each and of an empty loop; the host takes the time. Fewer would be
// over within a few of el2's slices, at whose ends it prints.

import { fileURLToPath } from "node:url";
import { type Figure, printDocument } from "./documents.ts";
import { nativeProgram } from "../scripts/native-tools.ts";
import type { Contest } from "./ab.ts";
import { type Guest, type Machine, stopwatch } from "./machines.ts";
import { buildRootGuest } from "./root-guests.ts";
import { median, withSpread } from "./statistics.ts";

/** Operations between two marks. */
const COUNT = 1_000_000;
/** Seconds that one machine may take. */
const TIMEOUT = 300;
/** MiB. */
const MEMORY = 64;
const CONTROL = "psci";

/** Measured operations, with the maximum of their cost relative to the control, and the goal. */
const OPERATIONS = [
  { name: "identify", what: "hypervisor_identify", limit: 3, aim: 1 },
  { name: "receive", what: "msgqueue_receive of an empty queue", limit: 5, aim: 1.5 },
  { name: "gicd", what: "read of GICD_CTLR", limit: 3, aim: 1.2 },
  { name: "vmmio", what: "VMMIO read through vcpu_run, there and back", limit: 50, aim: 14 },
] as const;

/** The guest of the control: bench/guest/control.c, for QEMU. */
async function buildControl(folder: string): Promise<string> {
  const sources = fileURLToPath(new URL("guest", import.meta.url));
  const elf = `${folder}/control.elf`;
  const options = ["-std=gnu17", "-O2", "-Wall", "-Wextra", "-Werror", "-ffreestanding", "-fno-pic", "-fno-pie", "-mgeneral-regs-only"];
  const link = ["-nostdlib", "-static", "-no-pie", "-Wl,--build-id=none,--no-warn-rwx-segments", "-T", "link.ld"];
  const args = [...options, ...link, "start.S", "control.c", "-o", elf];
  const { success, stderr } = await new Deno.Command(await nativeProgram("aarch64-linux-gnu-gcc"), { args, cwd: sources }).output();
  if (!success) throw new Error(`building the control failed:\n${new TextDecoder().decode(stderr)}`);
  return elf;
}

/**
 * Nanoseconds an operation, by name, a value for each round of the guest; the empty loop's are
 * taken off.
 */
async function measure(machine: Machine, guest: Guest): Promise<Map<string, number[]>> {
  // QEMU's guest switches the machine off at its end, the root VM waits for ever.
  const { lines } = await stopwatch(machine, guest, TIMEOUT, machine === "el2" ? /^(finished|FAILED)/ : undefined);
  const failed = lines.find(({ text }) => text.startsWith("FAILED"));
  if (failed) throw new Error(`${machine}: ${failed.text}`);
  const begun = new Map<string, number>();
  const spent = new Map<string, number[]>();
  for (const { text, at } of lines) {
    const [word, name] = text.split(" ");
    const start = begun.get(name);
    if (word === "begin") begun.set(name, at);
    if (word !== "end" || start === undefined) continue;
    const list = spent.get(name);
    const nanoseconds = (at - start) * 1e6 / COUNT;
    if (list) list.push(nanoseconds);
    else spent.set(name, [nanoseconds]);
  }
  const loop = median(spent.get("loop") ?? [0]);
  spent.delete("loop");
  return new Map([...spent].map(([name, list]) => [name, list.map((value) => value - loop)]));
}

/** For `--ab`: nanoseconds of each operation. */
export const callsContest: Contest = async (folder) => {
  const root = await buildRootGuest("calls", folder);
  return async () => new Map([...await measure("el2", { root, memory: MEMORY })].map(([name, list]) => [name, median(list)]));
};

/** Runs the bench and prints it, as text or as one JSON object. */
export async function benchCalls(rounds: number, json: boolean): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "el2-calls-" });
  try {
    const root = await buildRootGuest("calls", folder);
    const control = await buildControl(folder);
    const spent = new Map<string, number[]>();
    for (let round = 0; round < rounds; round++) {
      for (const [machine, guest] of [["qemu", { kernel: control, memory: MEMORY }], ["el2", { root, memory: MEMORY }]] as const) {
        for (const [name, list] of await measure(machine, guest)) spent.set(name, [...spent.get(name) ?? [], ...list]);
      }
    }
    report(spent, rounds, json);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

function report(spent: ReadonlyMap<string, number[]>, rounds: number, json: boolean): void {
  const unit = median(spent.get(CONTROL)!);
  const results = OPERATIONS.map((operation) => {
    const nanoseconds = spent.get(operation.name)!;
    const ratio = median(nanoseconds) / unit;
    return { ...operation, nanoseconds: median(nanoseconds), spread: withSpread(nanoseconds, 0), ratio, met: ratio <= operation.limit };
  });
  if (json) {
    const table = results.map(({ what, aim, nanoseconds }): Figure => ({
      what: `${what}, in HVCs of QEMU`,
      unit: "times",
      values: [nanoseconds / unit],
      most: aim,
    }));
    const rows = results.map(({ name, nanoseconds, ratio, limit, aim, met }) => ({ name, nanoseconds, ratio, limit, aim, met }));
    printDocument({ schema: "el2.bench.calls/1", rounds, count: COUNT, control_nanoseconds: unit, table, rows });
    return;
  }
  console.log(`control: HVC on QEMU (PSCI_VERSION), ns: ${withSpread(spent.get(CONTROL)!, 0)}`);
  for (const { what, spread, ratio, limit, aim, met } of results) {
    console.log(
      `${what.padEnd(46)} ${spread.padStart(24)} ns  ${ratio.toFixed(1).padStart(6)} x  limit ${limit}, aim ${aim}  ${met ? "" : "MISSED"}`,
    );
  }
}
