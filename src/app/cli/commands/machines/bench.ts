// `el2 bench`: how fast guests run on this machine, and with --against qemu also on QEMU. One loop
// of integer code; `deno task bench` of the sources has kernels, boots and programs.

import { type Command, Option } from "@commander-js/extra-typings";
import { jsonOption } from "../../common/common-options.ts";
import type { CommandContext } from "../../common/command.ts";
import { ExitCode, failed, Failure } from "../../common/failure.ts";
import { output } from "../../common/print.ts";
import { planOf } from "../../../configuration/plan-run.ts";
import { type Tier, TIERS } from "../../../../model/plans/plan.ts";
import { BENCH, documentText } from "../../../../model/queries/documents.ts";
import { connectEmbedded } from "../../../../session/worker/client.ts";
import { MiB } from "../../../../kit/support/values/sizes.ts";
import { median } from "../../../../kit/support/values/in-order.ts";
import { formatSize } from "../../../../kit/support/text/units.ts";
import { problemOfAll, UserError } from "../../../../kit/support/problem.ts";

const MEMORY = 64 * MiB;
/** Rounds of the loop, and instructions of one. */
const ROUNDS = 50_000_000, INSTRUCTIONS = 8;
/** Output of the guest before and after the loop. */
const BEGIN = "[", END = "]";
const QEMU = "qemu-system-aarch64";

/**
 * An arm64 Image: a header whose first word branches over it, then the program. PL011 and PSCI are
 * where QEMU's `virt` has them, too.
 */
function guest(): Uint8Array<ArrayBuffer> {
  const words = [
    0xd2a12001, // mov x1, #0x09000000 (PL011)
    0x52800002 | BEGIN.charCodeAt(0) << 5, // mov w2, #BEGIN
    0x39000022, // strb w2, [x1]
    0xd2800000 | (ROUNDS & 0xffff) << 5, // mov x0, #ROUNDS, low half
    0xf2a00000 | (ROUNDS >>> 16) << 5, // movk x0, #ROUNDS, high half, lsl #16
    0x101ffd66, // adr x6, image + 256 KiB: aligned, in a page without code
    0xf94000c3, // ldr x3, [x6]
    0x91000463, // add x3, x3, #1
    0xf90000c3, // str x3, [x6]
    0xca030084, // eor x4, x4, x3
    0xd343fc85, // lsr x5, x4, #3
    0x8b050084, // add x4, x4, x5
    0xf1000400, // subs x0, x0, #1
    0x54ffff21, // b.ne to the ldr
    0x52800002 | END.charCodeAt(0) << 5, // mov w2, #END
    0x39000022, // strb w2, [x1]
    0x52b08000, // mov w0, #0x84000000
    0x72800100, // movk w0, #8 (PSCI SYSTEM_OFF)
    0xd4000002, // hvc #0
  ];
  const header = 64;
  const image = new Uint8Array(4096);
  const view = new DataView(image.buffer);
  view.setUint32(0, 0x14000000 | header / 4, true); // b over the header
  view.setUint32(16, image.length, true); // image_size
  view.setUint32(56, 0x644d5241, true); // ARM\x64
  words.forEach((word, index) => view.setUint32(header + index * 4, word >>> 0, true));
  return image;
}

/** Wall time (ms) between the marks that a guest prints. */
class Stopwatch {
  #begin = NaN;
  #end = NaN;

  hear(bytes: Uint8Array): void {
    const now = performance.now();
    const text = new TextDecoder().decode(bytes);
    if (text.includes(BEGIN)) this.#begin = now;
    if (text.includes(END)) this.#end = now;
  }

  /**
   * Millions of instructions per second.
   * @throws Failure if the guest did not finish
   */
  mips(machine: string): number {
    if (!(this.#end > this.#begin)) throw failed(`bench: the guest did not finish on ${machine}`);
    return ROUNDS * INSTRUCTIONS / (this.#end - this.#begin) / 1000;
  }
}

async function onEl2(entry: URL, tier: Tier): Promise<number> {
  const client = connectEmbedded(entry);
  const watch = new Stopwatch();
  const ended = Promise.withResolvers<void>();
  client.onEvent = (event) => {
    if (event.kind === "console") {
      watch.hear(event.bytes);
      client.send({ kind: "taken", bytes: event.bytes.length });
    } else if (event.kind === "failed") ended.reject(new Error(event.message));
    else if (event.kind === "ended") ended.resolve();
  };
  const table = { machine: { cpus: 1, memory: formatSize(MEMORY), turbo: true }, host: { kind: "image", kernel: "loop" } };
  const planned = await planOf(table, undefined, { folder: ".", given: { loop: guest() } });
  if (!planned.ok) throw new UserError(problemOfAll(planned.problems));
  const { ui: _, recordTo: _recordTo, ...plan } = planned.run;
  client.send({ kind: "start", plan: { ...plan, tier } });
  try {
    await ended.promise;
  } finally {
    client.close();
  }
  return watch.mips("el2");
}

async function onQemu(): Promise<number> {
  const image = await Deno.makeTempFile({ prefix: "el2-bench-" });
  try {
    await Deno.writeFile(image, guest());
    const platform = ["-M", "virt,gic-version=3", "-cpu", "cortex-a57", "-accel", "tcg,thread=single", "-m", `${MEMORY / MiB}`];
    const args = [...platform, "-nographic", "-nic", "none", "-no-reboot", "-kernel", image];
    const child = new Deno.Command(QEMU, { args, stdin: "null", stdout: "piped", stderr: "piped" }).spawn();
    const watch = new Stopwatch();
    const complaint = new Response(child.stderr).text();
    for await (const bytes of child.stdout) watch.hear(bytes);
    await child.status;
    return watch.mips(["QEMU", (await complaint).trim()].filter(Boolean).join(": "));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) {
      throw new Failure(`bench: ${QEMU} is not installed`, "on Debian it is in the package qemu-system-arm");
    }
    throw error;
  } finally {
    await Deno.remove(image);
  }
}

/** Measurements, of which the median is printed. */
const MEASUREMENTS = 3;

export function registerBench(program: Command, { entry, exit }: CommandContext): void {
  program.command("bench")
    .description("measure how fast guests run on this computer: a loop of integer code, in millions of instructions per second")
    .addOption(new Option("--against <machine>", "measure another emulator alternately, and print the ratio").choices(["qemu"] as const))
    .addOption(new Option("--tier <tier>", "how instructions are executed (results are identical)").choices(TIERS).default("auto" as const))
    .addOption(jsonOption)
    .addHelpText("after", "\nExamples:\n  el2 bench\n  el2 bench --against qemu")
    .action(async ({ against, tier, json }) => {
      const el2: number[] = [], qemu: number[] = [];
      for (let round = 0; round < MEASUREMENTS; round++) {
        el2.push(await onEl2(entry, tier));
        if (against) qemu.push(await onQemu());
      }
      const rows = [{ machine: `el2 ${tier}`, mips: median(el2) }, ...against ? [{ machine: against, mips: median(qemu) }] : []];
      const ratio = against && median(el2.map((mips, round) => mips / qemu[round]));
      if (json) output(`${documentText(BENCH, { rounds: MEASUREMENTS, rows, ratio: ratio ?? null })}\n`);
      else {
        output(rows.map(({ machine, mips }) => `${machine.padEnd(12)}${mips.toFixed(0).padStart(8)} MIPS\n`).join(""));
        if (ratio !== undefined) output(`${"ratio".padEnd(12)}${ratio.toFixed(2).padStart(8)}\n`);
      }
      exit(ExitCode.Done);
    });
}
