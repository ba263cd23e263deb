// `el2 record F -- WHAT`, `el2 replay F`: a run with everything that enters it, and the same run
// again.

import { report } from "./print.ts";
import { type Command, Option } from "@commander-js/extra-typings";
import { resolve } from "node:path";
import { ExitCode, Failure } from "./failure.ts";
import { asciiOption, logLevelOption, logOption, noColorOption } from "./look-options.ts";
import { openSession } from "./session.ts";
import { showSession } from "./show.ts";
import { parseDuration } from "./values.ts";
import { PRIMARY_CONSOLE, type SessionPlan, TIERS, writtenDisk } from "../plans/plan.ts";
import { cannotRead, cannotWrite } from "../support/named-file.ts";
import { readRecording, RecordingError, recordingHeader } from "../recordings/recording.ts";

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
    throw new Failure(`--record ${path}: ${cannotWrite(error)}`);
  }
  return { ...whole, record: { path, header } };
}

/** Adds the commands. `again` runs another command line. */
export function registerRecord(program: Command, entry: URL, exit: (code: number) => void, again: (args: string[]) => Promise<void>): void {
  program.command("record")
    .description("run WHAT and record everything that enters it (run --record, boot --record); without WHAT the run of a session until now")
    .argument("<file>", "recording to write")
    .argument("[what...]", "behind --: what el2 run takes, or a whole command: boot IMAGE .., snapshot load FILE ..")
    .option("--socket <session>", "the session whose run it is: its name, or the path of its socket")
    .addHelpText(
      "after",
      `
Examples:
  el2 record bug.rec -- phone.toml --for 10s
  el2 record bug.rec -- boot Image --initrd initrd --stdio
  el2 record bug.rec -- snapshot load before.snap --stdio
  el2 record bug.rec --socket phone
  el2 replay bug.rec --verify`,
    )
    .action(async (file, what, { socket }) => {
      if (what.length === 0) return exit(await saveRun(file, socket));
      if (socket !== undefined) throw new Failure("record: --socket is for the run of a session, which has no WHAT; leave one out");
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
    .addOption(logOption)
    .addOption(logLevelOption)
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
          log: options.log,
          logLevel: options.logLevel,
          timeout: options.timeout === undefined ? undefined : options.timeout / 1e6,
          names: plan.what.kind === "run",
          headless: !options.tui,
          look: options,
          console: plan.what.kind === "boot" ? PRIMARY_CONSOLE : undefined,
        }),
      );
    });
}

/** Writes the run of a session until now to a file. */
async function saveRun(file: string, socket: string | undefined): Promise<number> {
  using open = await openSession({ socket });
  const error = await open.asker.saveRecording(resolve(file));
  if (error !== undefined) throw new Failure(`record ${file}: ${error}`, ExitCode.Failed);
  report(`el2: ${file}: the run until now; el2 replay ${file} goes through it again`);
  return ExitCode.Done;
}

/** A recording that a person names. @throws Failure where it is none */
export async function readNamedRecording(file: string) {
  try {
    return await readRecording(file);
  } catch (error) {
    if (error instanceof RecordingError) throw new Failure(error.message);
    throw new Failure(`recording ${file}: ${cannotRead(error)}`);
  }
}
