// The configuration that the options of `el2 boot` stand for: a table of its keys, which is planned
// and run, or printed.

import { stringify } from "smol-toml";
import { joined, plannedTable } from "../start/plans/planned.ts";
import { Failure } from "../common/failure.ts";
import { type DeviceOptions, devicesOf } from "./devices.ts";
import { diskGuestTable, hasDiskGuest } from "../../catalog/boot.ts";
import { SELF } from "../../configuration/keys/files.ts";
import { changed, type Table } from "../../configuration/config.ts";
import { DEBIAN_NAMES } from "../../configuration/plan-run.ts";
import type { SessionPlan } from "../../../model/plans/plan.ts";
import { exists } from "../../../kit/support/files/cache.ts";
import { hint } from "../../../kit/support/text/hint.ts";
import { way } from "../../../kit/support/text/way-out.ts";

/** The options that are keys of a configuration. Files are as they were named. */
export interface BootOptions extends DeviceOptions {
  readonly initrd?: string;
  readonly append?: string;
  readonly firmware?: string;
  /** A file, or `self`. */
  readonly el2?: string;
  readonly el2Args?: string;
  readonly cpus: number;
  readonly cpu?: string;
  readonly memory: string;
  readonly turbo?: boolean;
  /** `KEY=VALUE` each. */
  readonly set?: readonly string[];
}

/** Options for files that a guest of the catalog brings itself. */
const IMAGES = ["initrd", "firmware", "el2"] as const;

/** The CPU of a machine that is entered at EL2, unless another is named: Linux's KVM uses VHE. */
const CPU_AT_EL2 = "v8,+FEAT_VHE";

/**
 * The table of `el2 boot IMAGE`.
 * @throws Failure if the options do not go together
 */
export async function bootTable(image: string | undefined, options: BootOptions): Promise<Table> {
  const { cpus, memory, turbo, initrd, append, firmware, el2, el2Args } = options;
  const cpu = options.cpu ?? (el2 === undefined ? undefined : CPU_AT_EL2);
  const own = changed({}, options.set ?? []);
  if (image === undefined && firmware === undefined && el2 === SELF) {
    throw new Failure("boot: --el2 self enters the image at EL2", "name the image, or use --firmware");
  }
  if (image === undefined && firmware === undefined && el2 === undefined && tableOf(own.rm).kind !== "image") {
    throw new Failure("boot: no image", "name one, or use --firmware, or --set rm.kind=image with rm.runtime and rm.app");
  }
  const more = devicesOf(options), guest = image === undefined ? undefined : await guestOf(image, options, tableOf(own.host).uart);
  const host = guest
    ? { ...guest, cmdline: [guest.cmdline, append].filter((part) => part !== undefined).join(" "), devices: joined(guest.devices, more) }
    : { kind: "image", kernel: image, initrd, cmdline: append, firmware, el2, el2_args: el2Args, devices: more };
  return merged({ el2: 1, machine: { cpus, cpu, memory, turbo }, host }, own);
}

/** The keys of the guest that is named instead of an image; undefined for another name. */
async function guestOf(name: string, options: BootOptions, uart: unknown) {
  const guest = diskGuestTable(name, typeof uart === "string" ? uart : undefined);
  if (guest === undefined) {
    if (!DEBIAN_NAMES.includes(name) || await exists(name)) return undefined;
    throw new Failure(`boot ${name}: this guest has no disk and runs as a secondary VM`, way`use ${hint("run", name)}`);
  }
  if (await exists(name)) return undefined;
  if (!await hasDiskGuest(name)) {
    throw new Failure(
      `boot ${name}: the cache has no guest with a disk called "${name}"`,
      way`make one with ${hint("guests fetch", "debian", { disk: true })}, or run one without: ${hint("run", "debian")}`,
    );
  }
  const extra = IMAGES.find((option) => options[option] !== undefined);
  if (extra) throw new Failure(`boot ${name}: the guest has its own images`, `remove --${extra}`);
  return guest.host;
}

/** A table with the values of another one; its devices follow. */
function merged(table: Table, own: Table): Table {
  const all = Object.entries({ ...table, ...own }).flatMap(([key, value]): [string, unknown][] => {
    const mine = table[key], other = own[key];
    if (key === "devices" && Array.isArray(mine) && Array.isArray(other)) return [[key, [...mine, ...other]]];
    if (isTable(mine)) return [[key, merged(mine, tableOf(other))]];
    return value === undefined ? [] : [[key, value]];
  });
  return Object.fromEntries(all.filter(([key, value]) => key !== "devices" || !Array.isArray(value) || value.length > 0));
}

function isTable(value: unknown): value is Table {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function tableOf(value: unknown): Table {
  return isTable(value) ? value : {};
}

/** The table as a file. */
export function tomlOf(table: Table): string {
  return stringify(table);
}

/**
 * The plan of such a table.
 * @throws Failure with all errors
 */
export async function bootPlan(table: Table): Promise<SessionPlan> {
  return (await plannedTable(table)).plan;
}
