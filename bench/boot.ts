// `deno task bench boot`: a Debian kernel on el2 and on QEMU in turn, from the start of the process to the first line of user space.

import { catalogEntry } from "../src/workstation/catalog.ts";
import { type Machine, MACHINES, stopwatch } from "./machines.ts";
import { trustedRounds } from "./rounds.ts";
import { median, withSpread } from "./statistics.ts";

/** First line of the initramfs's init. */
const READY = /^EL2-READY/;
/** Seconds. */
const TIMEOUT = 300;
/** MiB. */
const MEMORY = 512;

/** Runs the bench for catalogue guest `name` and prints it, as text or as one JSON object. */
export async function benchBoot(name: string, rounds: number, json: boolean): Promise<void> {
  const { folder, manifest } = await catalogEntry(name);
  const guest = { kernel: `${folder}/Image`, initrd: `${folder}/initrd`, append: "console=ttyAMA0", memory: MEMORY };
  const seconds: Record<Machine, number[]> = { el2: [], qemu: [] };
  let peakMemory = 0;
  const { results, repeated, doubtful } = await trustedRounds(rounds, async () => {
    const times: Record<Machine, number> = { el2: NaN, qemu: NaN };
    for (const machine of MACHINES) {
      const run = await stopwatch(machine, guest, TIMEOUT, READY);
      times[machine] = run.lines.find(({ text }) => READY.test(text))!.at / 1000;
      if (machine === "el2") peakMemory = Math.max(peakMemory, run.peakMemory ?? 0);
    }
    return times;
  });
  for (const times of results) for (const machine of MACHINES) seconds[machine].push(times[machine]);
  const ratios = seconds.qemu.map((qemu, round) => qemu / seconds.el2[round]);
  if (json) {
    console.log(
      JSON.stringify({
        schema: "el2.bench.boot/1",
        guest: manifest.name,
        rounds,
        repeated,
        doubtful,
        seconds,
        ratios,
        peak_memory_mib: Math.round(peakMemory),
      }),
    );
    return;
  }
  console.log(`${manifest.about}, ${MEMORY} MiB, 1 CPU; process start to EL2-READY, median (least-greatest) of ${rounds}`);
  console.log(`el2    ${withSpread(seconds.el2)} s, peak ${peakMemory.toFixed(0)} MiB`);
  console.log(`QEMU   ${withSpread(seconds.qemu)} s`);
  console.log(`QEMU time / el2 time  ${withSpread(ratios)}; of the medians ${(median(seconds.qemu) / median(seconds.el2)).toFixed(2)}`);
}
