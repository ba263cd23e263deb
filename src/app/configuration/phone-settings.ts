// Keys of a configuration that a profile of a phone sets, where the file leaves them out. Values
// that el2 does not model are shown only.

import type { Behaviour } from "../../machine/hypervisor/options.ts";
import { NATIVE_HOST } from "./keys/host.ts";
import { type Keys, planned } from "./keys/key.ts";
import { MACHINE, NATIVE_RM } from "./keys/machine.ts";
import { PHONE_NAMES, type PhoneName } from "./keys/names.ts";
import { ownValue, PHONE_KEY_NAMES, PHONE_KEYS, type PhoneKey, type PhoneKeyName, phoneValue } from "./phones.ts";
import type { PhoneLintRules } from "./vm-lint.ts";

/** The tables whose keys a profile sets. */
const TABLES: readonly (readonly [TableName, Keys])[] = [["machine", MACHINE], ["host", NATIVE_HOST], ["rm", NATIVE_RM]];
type TableName = "machine" | "host" | "rm";
/** A key of one of them. */
type Setting = readonly [table: TableName, key: string];

/** The keys by the values of phones that they are. */
const SETTINGS: ReadonlyMap<string, Setting> = new Map(
  TABLES.flatMap(([table, keys]) =>
    Object.entries(keys).flatMap(([name, { phone }]): [string, Setting][] => phone === undefined ? [] : [[phone, [table, name]]])
  ),
);

/** The key of a configuration that a value sets; undefined if el2 does not model it. */
export function phoneSetting(key: PhoneKeyName): Setting | undefined {
  return SETTINGS.get(key);
}

/**
 * How el2 has a value: by the key of a configuration that the profile sets; in every machine; or
 * not at all, where it is shown only.
 */
export function phoneModel(name: PhoneName, key: PhoneKeyName): "key" | "always" | "none" {
  const { always, generic }: PhoneKey = PHONE_KEYS[key];
  if (phoneSetting(key) !== undefined) return "key";
  return always && phoneValue(name, key).value === generic ? "always" : "none";
}

/** Sets the keys that a profile knows and the file does not set. */
export function applyPhone(raw: Record<string, unknown>): void {
  const name = tableOf(raw, "machine")?.phone;
  if (typeof name !== "string" || !isPhone(name)) return;
  for (const key of PHONE_KEY_NAMES) {
    const setting = phoneSetting(key), own = ownValue(name, key);
    if (setting === undefined || own === undefined) continue;
    const [table, setKey] = setting;
    // Images bring their own driver or Resource Manager.
    if (table !== "machine" && tableOf(raw, table)?.kind === "image") continue;
    raw[table] ??= {};
    const values = tableOf(raw, table);
    if (values !== undefined) values[setKey] ??= own.value;
  }
}

function tableOf(raw: Record<string, unknown>, name: string): Record<string, unknown> | undefined {
  const table = raw[name];
  return typeof table === "object" && table !== null && !Array.isArray(table) ? table as Record<string, unknown> : undefined;
}

function isPhone(name: string): name is PhoneName {
  return PHONE_NAMES.some((each) => each === name);
}

/** The rules of `el2 vm lint`: drivers that give pages on demand get memory below the RAM. */
export function phoneLintRules(name: PhoneName): PhoneLintRules {
  const onDemand = ["ack-6.6", "ack-6.12"].includes(String(phoneValue(name, "kernel").value));
  return { ...phoneBehaviour(name), onDemand };
}

/** The behavior that a profile sets on a machine whose primary VM is an image. */
export function phoneBehaviour(name: PhoneName): Partial<Behaviour> {
  const raw: Record<string, unknown> = { machine: { phone: name } };
  applyPhone(raw);
  const machine = tableOf(raw, "machine") ?? {}, rm = tableOf(raw, "rm") ?? {};
  const set = { ...planned(MACHINE, "behaviour", machine), ...planned(NATIVE_RM, "behaviour", rm) };
  // A profile's values are those of a file, which these keys take as they are.
  return set as Partial<Behaviour>;
}
