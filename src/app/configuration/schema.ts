// A whole el2.toml, from the entries of its keys in `keys/` (docs/design/workstation.md §3).
// `config.ts` puts position, key and value before a message.

import * as v from "valibot";
import { wrong } from "../../model/plans/config-fact.ts";
import { DEVICE_KEYS } from "./keys/devices.ts";
import { PARTITION } from "./keys/disks.ts";
import { HOST, IMAGE_HOST, NATIVE_HOST } from "./keys/host.ts";
import { entriesOf, keysIn, keysOf, ofKind } from "./keys/key.ts";
import { link, LINK_KEYS } from "./keys/links.ts";
import { IMAGE_RM, MACHINE, NATIVE_RM, RM_KIND } from "./keys/machine.ts";
import { HISTORY, type ownTheme, UI } from "./keys/ui.ts";
import { mustBe, table } from "./keys/values.ts";
import { VM } from "./keys/vm.ts";

/** Characters of a value in a message. */
const SHOWN_MAX = 80;

/**
 * A value as a message shows it: as JSON, which puts text in quotes; addresses in hexadecimal;
 * nothing for lists and tables.
 */
export function shown(key: string | number | undefined, value: unknown): string {
  if (typeof value === "object") return "";
  if (key === "base" && typeof value === "number") return `0x${value.toString(16)}`;
  const text = JSON.stringify(value);
  return typeof value === "string" && text.length > SHOWN_MAX ? `${text.slice(0, SHOWN_MAX)}…"` : text;
}

/** Keys of `[host]` that only one of its kinds has, by that kind. */
export const HOST_KEYS = { native: Object.keys(NATIVE_HOST), image: Object.keys(IMAGE_HOST) } as const;
/** Those of `[rm]`. */
export const RM_KEYS = { native: Object.keys(NATIVE_RM), image: Object.keys(IMAGE_RM) } as const;

const vm = v.object(entriesOf(VM), table);
const host = v.object({ ...entriesOf(HOST), ...entriesOf(NATIVE_HOST), ...entriesOf(IMAGE_HOST) }, table);
const rm = v.object({ ...entriesOf(RM_KIND), ...entriesOf(IMAGE_RM), ...entriesOf(NATIVE_RM) }, table);
const machine = v.object(entriesOf(MACHINE), table);
const history = v.object(entriesOf(HISTORY), table);
/** `[ui]`: configurations and the user's own file have it. */
export const ui = v.object(entriesOf(UI), table);

const ROOT = keysOf({
  el2: { type: v.literal(1, wrong("is not a version that this el2 reads", "use 1")), doc: "version of this format: 1" },
  machine: { type: v.optional(machine, {}), doc: "the machine" },
  host: { type: v.optional(host, {}), doc: "the primary VM" },
  rm: { type: v.optional(rm, {}), doc: "the Resource Manager, in the root VM" },
  vm: { type: v.record(v.string(), vm, mustBe("a table of VMs")), doc: "the VMs by name" },
  link: { type: v.optional(v.record(v.string(), link, table), {}), doc: "what VMs share, by name" },
  history: { type: v.optional(history, {}), doc: "what going back may take" },
  ui: { type: v.optional(ui, {}), doc: "the screens" },
});

/** A whole file. Unknown keys are looked for apart (`KNOWN_KEYS`), so that all are reported. */
export const Schema = v.object(entriesOf(ROOT));

/** A validated file. */
export type File = v.InferOutput<typeof Schema>;
/** `[rm]`. */
export type FileRm = v.InferOutput<typeof rm>;
/** `[host]`. */
export type FileHost = v.InferOutput<typeof host>;
/** `[ui]`. */
export type FileUi = v.InferOutput<typeof ui>;
/** `[ui.themes.NAME]`. */
export type FileTheme = v.InferOutput<typeof ownTheme>;
/** `[ui]` of a file without that table. */
export const DEFAULT_UI: FileUi = v.parse(ui, {});
/** One `[vm.NAME]`. */
export type FileVm = v.InferOutput<typeof vm>;
export type FileLink = File["link"][string];
export type FileDevice = NonNullable<FileVm["devices"]>[number];

/** Known keys of each kind of table. `link` is by the link's own kind. */
export const KNOWN_KEYS = {
  root: Object.keys(ROOT),
  machine: Object.keys(MACHINE),
  host: [...Object.keys(HOST), ...HOST_KEYS.native, ...HOST_KEYS.image],
  rm: [...Object.keys(RM_KIND), ...RM_KEYS.image, ...RM_KEYS.native],
  history: Object.keys(HISTORY),
  ui: Object.keys(UI),
  vm: Object.keys(VM),
  partition: Object.keys(PARTITION),
  "msgqueue-pair": Object.keys(LINK_KEYS["msgqueue-pair"]),
  doorbell: Object.keys(LINK_KEYS.doorbell),
  shm: Object.keys(LINK_KEYS.shm),
} as const satisfies Record<string, readonly string[]>;

/** Known keys of a device of this kind; undefined for an unknown kind. */
export function deviceKeys(kind: unknown): readonly string[] | undefined {
  const found = ofKind(DEVICE_KEYS, kind);
  return found && Object.keys(found);
}

/** Keys of a VM that only `schedule = "own"` gives a meaning. */
export const OWN_SCHEDULE_KEYS = keysIn(VM, "schedule");
