// Rooms of src/, and the levels whose faces are counted.

/** The room of a file, whose path is below src/: the folder on its floor. */
export function roomOf(path: string): string {
  return path.split("/")[1];
}

/** The rooms that people and agents touch. */
export const APP: ReadonlySet<string> = new Set(["tui", "cli", "configuration", "catalog", "library", "scenarios", "jobs"]);

/** The rooms that run a machine in a session. */
export const SESSION: ReadonlySet<string> = new Set([
  ...["state", "outside", "inspection", "assembly", "snapshots", "recordings", "engine", "worker", "batch", "control"],
  ...["debug", "export"],
]);

/** The machine and what it is made of. */
export const MACHINE: ReadonlySet<string> = new Set([
  ...["isa", "core", "hardware", "abi", "devices", "devicetree", "hypervisor", "resource-manager", "virtio", "host", "platform"],
]);
