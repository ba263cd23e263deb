// The table of a configuration for a file that keeps a plan: with its defaults, without what is not
// of the machine, and with the places of what the machine opens.

import * as v from "valibot";
import { isTable, type Table } from "./config.ts";
import { type Files, inFolder, type TakenFiles } from "./files.ts";
import { DEVICE_KEYS } from "./keys/devices.ts";
import { PARTITION } from "./keys/disks.ts";
import { HOST, IMAGE_HOST, NATIVE_HOST } from "./keys/host.ts";
import { textsOf } from "./keys/host-paths.ts";
import { type Keys, ofKind } from "./keys/key.ts";
import { LINK_KEYS } from "./keys/links.ts";
import { MACHINE, RM_KIND } from "./keys/machine.ts";
import { VM } from "./keys/vm.ts";
import { Schema } from "./schema.ts";

/** Keys of a machine that a later plan must not have: a phone's profile has set the others. */
const NOT_SAVED: readonly string[] = ["phone", "record", "log", "symbols"];

/**
 * The keys of a checked table, of the machine alone.
 * @param raw the table, with the keys of its phone
 */
export function savedKeys(raw: Table, files: Files, { disks }: TakenFiles): Table {
  const part = (name: string) => isTable(raw[name]) ? raw[name] : {};
  const each = (name: string, one: (table: Table) => Table) =>
    Object.fromEntries(Object.entries(part(name)).flatMap(([name, table]) => isTable(table) ? [[name, one(table)]] : []));
  const host = part("host"), hostKeys = { ...HOST, ...host.kind === "image" ? IMAGE_HOST : NATIVE_HOST };
  const saved: Table = {
    machine: filled(MACHINE, part("machine")),
    host: withDevices(filled(hostKeys, host)),
    rm: filled(RM_KIND, part("rm")),
    vm: each("vm", (table) => withDevices(filled(VM, table))),
    link: each("link", (table) => filled(ofKind(LINK_KEYS, table.kind), table)),
  };
  for (const { keys, use, value, table } of textsOf(Schema, saved)) {
    if (use === undefined || use.kind === "file" || typeof value !== "string" || value === use.none) continue;
    // The tables are copies.
    Object.assign(table, { [String(keys.at(-1))]: disks.get(value) ?? inFolder(value, files) });
  }
  return saved;
}

/** A table with the defaults of its keys. */
function filled(keys: Keys = {}, table: Table): Table {
  const defaults = Object.entries(keys).flatMap(([name, { type }]): [string, unknown][] => {
    const value = v.getDefault(type);
    return value === undefined ? [] : [[name, value]];
  });
  const own = Object.entries({ ...Object.fromEntries(defaults), ...table });
  return Object.fromEntries(own.filter(([name]) => !NOT_SAVED.includes(name)));
}

function withDevices(table: Table): Table {
  const { devices } = table;
  if (!Array.isArray(devices)) return table;
  return { ...table, devices: devices.map((device: Table) => withPartitions(filled(ofKind(DEVICE_KEYS, device.kind), device))) };
}

/** Each partition has its mode, the disk none. */
function withPartitions(device: Table): Table {
  const { partitions, mode: _mode, ...rest } = device;
  return Array.isArray(partitions) ? { ...rest, partitions: partitions.map((one: Table) => filled(PARTITION, one)) } : device;
}
