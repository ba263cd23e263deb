// `el2 record F -- WHAT`, `el2 replay F`: a run with everything that enters it, and the same run again.

import { type Command, Option } from "@commander-js/extra-typings";
import { ExitCode, Failure } from "./failure.ts";
import { asciiOption, noColorOption } from "./look-options.ts";
import { showSession } from "./show.ts";
import { parseDuration } from "./values.ts";
import { DIFF, documentText } from "../workstation/inspect/documents.ts";
import { PRIMARY_CONSOLE, type SessionPlan, TIERS, writtenDisk } from "../workstation/plan.ts";
import { readRecording, RecordingError, recordingHeader } from "../workstation/record/recording.ts";

/** `--record FILE`, of commands that run a machine. */
export const recordOption = new Option(
  "--record <file>",
  "record everything that enters the machine; el2 replay FILE is the same run again",
);

/**
 * The plan, recorded to `path`.
 * @throws Failure where a run cannot be recorded: its state is not all inside.
 */
export async function recorded(plan: SessionPlan, path: string | undefined): Promise<SessionPlan> {
  if (path === undefined) return plan;
  if (plan.debug !== undefined) throw new Failure("--record with --gdb: what a debugger does is not recorded; leave one out");
  const disk = writtenDisk(plan);
  if (disk !== undefined) {
    const overlay = plan.what.kind === "boot" ? `--disk ${disk},overlay` : 'mode = "overlay"';
    throw new Failure(`--record: disk ${disk} is written to, and would be another one at the replay; use ${overlay}`);
  }
  const { from } = plan;
  // The snapshot goes into the recording, as whoever runs that again has no other.
  const whole = from && !from.bytes
    ? { ...plan, from: { ...from, path: from.path.split("/").at(-1)!, bytes: await Deno.readFile(from.path) } }
    : plan;
  const header = await recordingHeader(whole);
  try {
    // The worker opens it again; what is wrong with the path is said here.
    Deno.openSync(path, { write: true, create: true }).close();
  } catch (error) {
    throw new Failure(`--record ${path}: ${error instanceof Error ? error.message : error}`);
  }
  return { ...whole, record: { path, header } };
}

/** Adds the commands. `again` runs another command line. */
export function registerRecord(program: Command, entry: URL, exit: (code: number) => void, again: (args: string[]) => Promise<void>): void {
  program.command("record")
    .description("run WHAT and record everything that enters it (run --record, boot --record)")
    .argument("<file>", "recording to write")
    .argument("<what...>", "behind --: what el2 run takes, or a whole command: boot IMAGE .., snapshot load FILE ..")
    .addHelpText(
      "after",
      `
Examples:
  el2 record bug.rec -- phone.toml --for 10s
  el2 record bug.rec -- boot Image --initrd initrd --stdio
  el2 record bug.rec -- snapshot load before.snap --stdio
  el2 replay bug.rec --verify`,
    )
    .action(async (file, what) => {
      const command = ["run", "boot", "snapshot"].includes(what[0]) ? what : ["run", ...what];
      await again([...command, "--record", file]);
    });

  program.command("replay")
    .description("run a recording again: the same run, instruction for instruction")
    .argument("<file>", "recording")
    .option("--verify", "compare with what was recorded, every 10,000,000 instructions and at the end; exit code 1 at the first difference")
    .option("--to <time>", "stop at this virtual time", parseDuration)
    .option("--tui", "show it on the screen, also without --verify; otherwise consoles as text")
    .option("--tier <tier>", `what executes instructions (${TIERS.join(", ")}); recordings know no difference`)
    .addOption(noColorOption)
    .addOption(asciiOption)
    .option("--timeout <time>", "wall time after which the replay ends with exit code 4", parseDuration)
    .addHelpText(
      "after",
      `
Exit codes: that of the recorded run; 1 the runs differ (--verify), or the recording was cut off; 2 it cannot be read.

Examples:
  el2 replay bug.rec --verify
  el2 replay bug.rec --to 12.5s --tui`,
    )
    .action(async (file, options) => {
      const tier = TIERS.find((one) => one === options.tier);
      if (options.tier !== undefined && tier === undefined) throw new Failure(`--tier ${options.tier}: there are ${TIERS.join(", ")}`);
      const { plan, ...recording } = await readNamedRecording(file);
      const replayed: SessionPlan = {
        ...plan,
        ...tier && { tier },
        replay: { recording, verify: options.verify ?? false, to: options.to },
      };
      exit(
        await showSession(entry, replayed, {
          title: `replay ${file.split("/").at(-1)}`,
          stdio: false,
          log: undefined,
          timeout: options.timeout === undefined ? undefined : options.timeout / 1e6,
          names: plan.what.kind === "run",
          headless: !options.tui,
          look: options,
          console: plan.what.kind === "boot" ? PRIMARY_CONSOLE : undefined,
        }),
      );
    });
}

/** Wall time (ms) between two lines of progress. */
const PROGRESS = 1000;

/** Adds `el2 diff`. */
export function registerDiff(program: Command, exit: (code: number) => void): void {
  program.command("diff")
    .description("run two recordings side by side and name the first instruction after which they differ")
    .argument("<a>", "recording")
    .argument("<b>", "recording")
    .option("--json", "the answer as JSON")
    .addHelpText(
      "after",
      "\nExit codes: 0 the runs are equal; 1 they differ; 2 a recording cannot be read.\n\nExamples:\n  el2 diff good.rec bad.rec",
    )
    .action(async (a, b, options) => {
      const [first, second] = [await readNamedRecording(a), await readNamedRecording(b)];
      let told = performance.now();
      // Two machines in this thread: what they are made of is loaded by who needs it.
      const { diffRecordings } = await import("../workstation/record/diff.ts");
      const { compared, difference } = diffRecordings(first, second, (instructions) => {
        if (performance.now() - told < PROGRESS) return;
        told = performance.now();
        console.error(`el2: compared ${instructions} instructions`);
      });
      if (options.json) {
        const places = difference && { insn: String(difference.instructions), ns: difference.times.map(String), vcpus: difference.vcpus };
        console.log(documentText(DIFF, { compared: String(compared), difference: places ?? null }));
      } else if (difference) {
        const [t1, t2] = difference.times.map((ns) => (ns / 1e9).toFixed(6));
        console.log(`the runs differ after ${difference.instructions} instructions, t=${t1}${t1 === t2 ? "" : ` and t=${t2}`}`);
        for (const { id, first, second } of difference.vcpus) console.log(` ${id}  ${first}  |  ${second}`);
      } else {
        console.log(`the runs are equal: ${compared} instructions`);
      }
      exit(difference ? ExitCode.Failed : ExitCode.Done);
    });
}

/** A recording that a person names. @throws Failure where it is none */
export async function readNamedRecording(file: string) {
  try {
    return await readRecording(file);
  } catch (error) {
    if (error instanceof RecordingError) throw new Failure(error.message);
    if (error instanceof Deno.errors.NotFound) throw new Failure(`recording ${file}: no such file`);
    throw error;
  }
}
