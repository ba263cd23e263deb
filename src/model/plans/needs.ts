// Keys of a VM that mean something only with other keys: which of them a board has, and what else
// they need. The checks of a file, its JSON Schema and the texts of the keys follow from this
// table.

import type { ConfigFact } from "./config-fact.ts";
import { BOARD_RULES, type BoardKey, VM_PLATFORMS } from "../../machine/host/interface.ts";

/** Values that keys of the same VM may have; true: it is given. */
export type Conditions =
  & Readonly<Partial<Record<"platform" | "hypervisor" | "schedule" | "type", readonly string[]>>>
  & {
    readonly [given in "bios" | "kernel" | "firmware"]?: true;
  };

export interface Need {
  readonly key: string;
  /** Only if it has this value; the error is then at the value. */
  readonly value?: string;
  /** Only if these hold. */
  readonly when?: Conditions;
  readonly needs: Conditions;
  /** The end of the error; "remove it" by default. */
  readonly wayOut?: string;
}

/** The platforms whose boards have a key. */
function platformsWith(key: BoardKey): readonly string[] {
  return VM_PLATFORMS.filter((name) => BOARD_RULES[name].keys.includes(key));
}

const IN_FLASH = VM_PLATFORMS.filter((name) => BOARD_RULES[name].bios === "flash");
const GUNYAH = ["gunyah"], PROXY = ["proxy"];

export const NEEDS: readonly Need[] = [
  { key: "bios", needs: { platform: platformsWith("bios") }, wayOut: "use image for bare metal" },
  {
    key: "bios",
    when: { platform: IN_FLASH },
    needs: { hypervisor: GUNYAH },
    wayOut: `GenieZone's VMs have no memory where the flash of ${quoted(IN_FLASH)} is`,
  },
  { key: "bios_vars", needs: { bios: true, platform: platformsWith("bios_vars") } },
  { key: "bios_tree", needs: { bios: true } },
  { key: "initrd", needs: { kernel: true } },
  { key: "type", value: "protected", needs: { firmware: true }, wayOut: 'add it or use "unauthenticated"' },
  {
    key: "type",
    value: "protected",
    needs: { platform: platformsWith("firmware") },
    wayOut: "the others run no firmware for protected VMs",
  },
  { key: "firmware", needs: { type: ["protected"] }, wayOut: "the resource manager starts only protected VMs in it" },
  { key: "swiotlb", needs: { platform: platformsWith("swiotlb") } },
  { key: "cpu_frequencies", needs: { platform: platformsWith("cpu_frequencies") } },
  { key: "without_access_platform", needs: { platform: platformsWith("without_access_platform"), type: ["protected"] } },
  { key: "windows", needs: { platform: platformsWith("windows") }, wayOut: "others have RAM in one piece" },
  { key: "windows", needs: { schedule: PROXY } },
  {
    key: "datamatch_flag",
    needs: { platform: platformsWith("datamatch_flag"), hypervisor: GUNYAH, schedule: PROXY },
    wayOut: "others have no ioeventfds of virtio-mmio; remove it",
  },
  { key: "msi", needs: { platform: platformsWith("msi") } },
  { key: "msi", value: "its", needs: { hypervisor: GUNYAH }, wayOut: 'GenieZone has no ITS; use "gicv2m"' },
  { key: "schedule", value: "own", needs: { hypervisor: GUNYAH }, wayOut: "GenieZone's host runs every vCPU" },
  { key: "schedule", value: "own", needs: { platform: platformsWith("schedule") }, wayOut: "the devices of other boards are their VMM's" },
];

function quoted(values: readonly string[]): string {
  return values.map((value) => `"${value}"`).join(" or ");
}

/** Keys that are given, in words. */
const GIVEN: Readonly<Record<string, string>> = { bios: "a bios", kernel: "a kernel", firmware: "firmware = PATH" };

/** Conditions in words: `platform = "crosvm" and type = "protected"`. */
function conditionsText(conditions: Conditions): string {
  return Object.entries(conditions).map(([key, values]) => values === true ? GIVEN[key] : `${key} = ${quoted(values)}`).join(" and ");
}

/** The error of a key whose need is not met. */
export function needFact({ key, value, needs, wayOut = "remove it" }: Need): ConfigFact {
  return { code: "needs", what: value === undefined ? key : `${key} "${value}"`, needs: conditionsText(needs), wayOut };
}

/** Whether keys of a VM have such values. */
export function meets(vm: object, conditions: Conditions): boolean {
  const keys: Readonly<Record<string, unknown>> = { ...vm };
  return Object.entries(conditions).every(([key, values]) =>
    values === true ? keys[key] !== undefined : values.includes(keys[key] as string)
  );
}

/** The texts of a VM's keys, each with what it always needs. */
export function withNeeds<K extends string>(texts: Readonly<Record<K, string>>): Record<K, string> {
  const entries = Object.entries<string>(texts).map(([key, text]) => {
    const needs = NEEDS.filter((need) => need.key === key && need.value === undefined && need.when === undefined);
    return [key, [text, ...needs.map((need) => `needs ${conditionsText(need.needs)}`)].join("; ")];
  });
  return Object.fromEntries(entries) as Record<K, string>;
}
