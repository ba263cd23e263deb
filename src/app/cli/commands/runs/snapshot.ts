// `el2 snapshot save|load|info|verify|vmcore`: the whole state of a machine as a file.

import type { Command } from "@commander-js/extra-typings";
import { resolve } from "node:path";
import { addVmcore } from "./snapshot-vmcore.ts";
import { jsonOption } from "../../common/common-options.ts";
import { type CommandContext, examplesText } from "../../common/command.ts";
import { ExitCode, Failure, unsaved } from "../../common/failure.ts";
import { checkNamedFile } from "../../common/named-file.ts";
import { output } from "../../common/print.ts";
import { openSession, withSessionOptions } from "../../common/session.ts";
import { parseDuration } from "../../common/values.ts";
import { Progress } from "../../common/progress.ts";
import { runJob } from "../../../jobs/run-job.ts";
import { seedOption } from "../../options/behavior.ts";
import { anywayOption, hostOption } from "../../options/host.ts";
import { keepGoingOption, logOption } from "../../options/look.ts";
import {
  headlessOption,
  recordOption,
  stdioOption,
  timeoutOption,
  turboOption,
  withCoreOptions,
  withSavedOptions,
} from "../../options/start.ts";
import { recorded } from "../../start/plans/recorded.ts";
import { displayed, type DisplayOptions, showSession } from "../../start/show.ts";
import { hostConsent } from "../../start/plans/consent.ts";
import { namedSnapshot, planOfSnapshot, readNamedSnapshot } from "../../start/plans/snapshots.ts";
import { PRIMARY_CONSOLE, type SessionPlan } from "../../../../model/plans/plan.ts";
import { documentText, SNAPSHOT, SNAPSHOT_SAVED, SNAPSHOT_VERIFIED } from "../../../../model/queries/documents.ts";
import { readSnapshotHeader, type SnapshotHeader } from "../../../../session/snapshots/file.ts";
import { makerOf, makerText } from "../../../../kit/support/files/maker.ts";
import { MiB } from "../../../../kit/support/values/sizes.ts";
import { within } from "../../../../kit/support/problem.ts";
import { type Exits, exitsText, withExits } from "../../common/command-tree.ts";

const EXITS: Exits = {
  remark: "those of run",
  codes: { 2: "the snapshot cannot be loaded" },
};

export function registerSnapshot(program: Command, context: CommandContext): void {
  const { entry, exit } = context;
  const group = program.command("snapshot").description("save and load the whole state of a machine");
  withSessionOptions(group.command("save").description("save the machine of a session, while it runs"))
    .argument("<file>", "snapshot to write")
    .addHelpText("after", "\nExamples:\n  el2 snapshot save before.snap\n  el2 snapshot load before.snap")
    .action(async (file, options) => exit(await save(file, options)));
  const load = withExits(group.command("load"), EXITS).description("continue the machine of a snapshot, exactly where it was")
    .argument("<file>", "snapshot")
    .optionsGroup("Run:")
    .addOption(stdioOption)
    .addOption(headlessOption)
    .option("--for <time>", "end after this much more virtual time", parseDuration)
    .addOption(turboOption)
    .addOption(seedOption)
    .addOption(recordOption)
    .addOption(keepGoingOption)
    .addOption(logOption)
    .addOption(timeoutOption);
  withCoreOptions(withSavedOptions(load))
    .addHelpText(
      "after",
      `
${exitsText(EXITS)}

Examples:
  el2 snapshot load before.snap
  el2 snapshot load before.snap --stdio --tier interp
  el2 snapshot load before.snap --seed 2`,
    )
    .action(async (file, options) => exit(await continued(entry, file, options)));
  group.command("info").description("print the header of a snapshot")
    .argument("<file>", "snapshot")
    .addOption(jsonOption)
    .addHelpText("after", examplesText(["snapshot info before.snap"]))
    .action(async (file, { json }) => {
      const header = await namedSnapshot(file, readSnapshotHeader);
      const { schema: _schema, released: _released, engine = null, commit = null, ...fields } = header;
      output(`${json ? documentText(SNAPSHOT, { ...fields, engine, commit }) : describe(header)}\n`);
      exit(ExitCode.Done);
    });
  group.command("verify").description("load a snapshot and check its invariants; exits with 1 if one is broken")
    .argument("<file>", "snapshot")
    .addOption(hostOption())
    .addOption(anywayOption)
    .addOption(jsonOption)
    .addHelpText("after", examplesText(["snapshot verify before.snap"]))
    .action(async (file, { json, allowHost, anyway }) => {
      const snapshot = await readNamedSnapshot(file, hostConsent(allowHost), { anyway, code: ExitCode.Failed });
      // The check loads it into a separate machine.
      const { plan, bytes } = snapshot;
      using progress = new Progress(`checking ${file}`, "pages");
      const wrong = await progress.during(runJob(entry, {
        name: "verify",
        input: { path: file, bytes, plan },
        plans: [plan],
        hear: ({ done, all }) => progress.at(done, all),
      }));
      if (json) output(`${documentText(SNAPSHOT_VERIFIED, { good: wrong === undefined, rule: wrong ?? null })}\n`);
      else output(`${wrong === undefined ? `${file} is whole: ${describe(snapshot.header)}` : `${file}: ${wrong}`}\n`);
      exit(wrong === undefined ? ExitCode.Done : ExitCode.Failed);
    });
  addVmcore(group as unknown as Command, context);
}

function describe({ title, ns, insn, cpus, memory, pages, ...maker }: SnapshotHeader): string {
  const time = (Number(ns) / 1e9).toFixed(6);
  return `${title} at t=${time}, ${insn} instructions; ${cpus} CPUs, ${memory / MiB} MiB, ${pages} pages in use; ${
    makerText(makerOf(maker))
  }`;
}

interface LoadOptions extends DisplayOptions, Partial<Pick<SessionPlan, "turbo" | "tier" | "memoryBudget" | "diskBudget">> {
  readonly for?: number;
  readonly headless?: boolean;
  readonly allowHost?: readonly string[];
  readonly anyway?: boolean;
  readonly seed?: number;
  readonly record?: string;
}

async function continued(entry: URL, file: string, options: LoadOptions): Promise<number> {
  const { for: more, turbo, tier, memoryBudget, diskBudget, headless, allowHost, anyway, record, seed } = options;
  const { header, plan } = await planOfSnapshot(file, hostConsent(allowHost), { seed, anyway });
  const loaded: SessionPlan = {
    ...plan,
    turbo: turbo ?? plan.turbo,
    ...tier && { tier },
    ...memoryBudget && { memoryBudget },
    diskBudget,
    duration: more === undefined ? undefined : Number(header.ns) + more,
  };
  return await showSession(entry, await recorded(loaded, record), {
    ...displayed(options),
    title: header.title,
    names: plan.what.kind !== "boot",
    headless,
    console: plan.what.kind === "boot" ? PRIMARY_CONSOLE : plan.what.host.vms.find((vm) => vm.console)?.name,
  });
}

async function save(file: string, options: { session?: string; json?: boolean }): Promise<number> {
  using open = await openSession(options);
  const cancel = new AbortController(), command = `snapshot save ${file}`;
  checkNamedFile(file, "snapshot save", { onlyFile: true });
  // The session gives it up, and says so; a second Ctrl-C does not wait for that.
  using progress = new Progress(`saving ${file}`, "pages", () => {
    if (cancel.signal.aborted) Deno.exit(ExitCode.Interrupted);
    cancel.abort();
  });
  const hear = (done: number, all: number) => progress.at(done, all);
  const error = await open.asker.snapshot(resolve(file), open.session.info.what, hear, { cancel: cancel.signal });
  if (error !== undefined && cancel.signal.aborted) throw new Failure(within(command, error), undefined, ExitCode.Interrupted);
  if (error !== undefined) throw unsaved(command, error);
  const { size } = await Deno.stat(file);
  output(`${options.json ? documentText(SNAPSHOT_SAVED, { file, bytes: size }) : `${file}: ${size} bytes`}\n`);
  return ExitCode.Done;
}
