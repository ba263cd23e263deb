// Plans for arguments of users: a configuration, an image, a guest of the catalog.

import { Failure } from "../../common/failure.ts";
import { diskGuestTable, hasDiskGuest } from "../../../catalog/boot.ts";
import { changed, type Table } from "../../../configuration/config.ts";
import { planOf, type PlanReader, planRun, type RunResult, vmNameOf, vmTable } from "../../../configuration/plan-run.ts";
import { problemOf, problemOfAll, problemText, UserError } from "../../../../kit/support/problem.ts";
import { sayOnStderr } from "../../../../kit/support/warn.ts";
import type { FileUi } from "../../../configuration/schema.ts";
import { sourceFile } from "../../../../model/plans/host-resources.ts";
import type { SessionPlan } from "../../../../model/plans/plan.ts";

/**
 * The plan for an argument of `el2 up`, as for `run`. Nothing is written yet.
 * @throws Failure with all errors
 */
export async function plannedOf(what: string, reader: PlanReader, changes: readonly string[] = []): Promise<PlannedRun> {
  return checked(await planRun(what, reader, changes));
}

/**
 * The plan of a table with a configuration's keys, which the user has typed unless a reader is
 * given.
 */
export async function plannedTable(table: Table, reader?: PlanReader): Promise<PlannedRun> {
  return checked(await planOf(table, reader));
}

/** Devices that options ask for, and the first of these options. */
export interface MoreDevices {
  readonly devices: readonly Readonly<Record<string, unknown>>[];
  readonly option: string;
}

/**
 * A guest with more devices: a Debian with a disk, which is the primary VM, else the VM of a Debian
 * or of an image.
 * @throws Failure for a configuration, which lists its devices itself
 */
export async function withDevices(what: string, { devices, option }: MoreDevices, changes: readonly string[]): Promise<PlannedRun> {
  if (what.endsWith(".toml") || what === "demo") {
    throw new Failure(`${option}: ${what} lists the devices of its VMs`, "add yours to devices of its [vm.NAME]");
  }
  return await plannedTable(changed(await tableWithDevices(what, devices), changes));
}

async function tableWithDevices(what: string, devices: MoreDevices["devices"]): Promise<Table> {
  const guest = diskGuestTable(what);
  if (guest !== undefined && await hasDiskGuest(what)) {
    return { ...guest, host: { ...guest.host, devices: joined(guest.host.devices, devices) } };
  }
  const one = await vmTable(what, devices);
  if ("what" in one) throw new Failure(one);
  return one;
}

/**
 * A VM for each image, named after its file.
 * @throws Failure for anything but images
 */
export async function withImages(images: readonly string[], changes: readonly string[]): Promise<PlannedRun> {
  const table: { vm: Record<string, Table> } = { vm: {} };
  for (const image of images) {
    const one = image.endsWith(".toml") || image === "demo" ? { what: `${image} is a configuration` } : await vmTable(image);
    if ("what" in one) throw new Failure(problemText(one), "several arguments are images, one VM each");
    const [vm] = Object.values(one.vm);
    table.vm[vmNameOf(image, Object.keys(table.vm))] = { ...vm, on_exit: "stop" };
  }
  return await plannedTable(changed(table, changes));
}

/**
 * The plan of another program's command line or file; its configuration goes to stderr, with all
 * that is absent.
 * @throws Failure that names the option or the file
 */
export async function plannedLine(line: string, reader: PlanReader, changes: readonly string[]): Promise<PlannedRun> {
  const { machineOfLine } = await import("../../../configuration/from/command-line.ts");
  try {
    const machine = machineOfLine(line), table = machine.table(), text = machine.text(table), { source } = machine;
    // Somebody else may have written the file.
    const judged = source === undefined ? undefined : { ...reader, source: sourceFile("configuration", source, () => text) };
    sayOnStderr(text.trimEnd());
    return await plannedTable(changed(table, changes), judged);
  } catch (error) {
    if (!(error instanceof UserError) || error instanceof Failure) throw error;
    throw new Failure(problemOf(error, "--from"));
  }
}

/** The devices of a guest, and then others; a network card among them replaces the guest's. */
export function joined<D extends Readonly<Record<string, unknown>>>(own: readonly D[], more: readonly D[]): D[] {
  const hasNet = more.some(({ kind }) => kind === "net");
  return [...own.filter(({ kind }) => !hasNet || kind !== "net"), ...more];
}

/** A machine, and its configuration's settings of the screens and of a recording. */
export interface PlannedRun {
  readonly plan: SessionPlan;
  readonly ui: FileUi;
  /** File that the run is to be recorded to, by `recorded` once the plan is complete. */
  readonly record: string | undefined;
}

export function checked(result: RunResult): PlannedRun {
  if (!result.ok) throw new Failure(problemOfAll(result.problems));
  const { ui, recordTo: record, ...plan } = result.run;
  return { plan, ui, record };
}
