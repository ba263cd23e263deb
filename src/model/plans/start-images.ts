// Images of disks as they were at the start of a run, beside a recording of it: with them, another
// machine repeats a run whose guests write to the disks.

import type { DevicePlan } from "../../machine/virtio/plan.ts";
import { plannedDevices, type SessionPlan } from "./plan.ts";

/** The image of the disk with this number, of those that guests write. */
export const startImage = (recording: string, number: number) => `${recording}.${number}.qcow2`;

/** Whether a path is such an image. */
export function isStartImage(path: string, recording: string): boolean {
  return path.startsWith(recording) && /^\.\d{1,4}\.qcow2$/.test(path.slice(recording.length));
}

/** A plan whose guests find these images instead of the disks that they write, and change them in memory. */
export function withStartImages(plan: SessionPlan, recording: string): SessionPlan {
  const written = plannedDevices(plan).flatMap((device) => device.kind === "block" && device.mode === "rw" ? [device.image] : []);
  const other = (image: unknown) => ({ image: startImage(recording, written.indexOf(image as string)), mode: "overlay" }) as const;
  const changed = (device: DevicePlan) => device.kind === "block" && device.mode === "rw" ? { ...device, ...other(device.image) } : device;
  const keysOf = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(keysOf);
    if (typeof value !== "object" || value === null) return value;
    const keys = Object.fromEntries(Object.entries(value).map(([name, part]) => [name, keysOf(part)]));
    return keys.kind === "block" && (keys.mode ?? "rw") === "rw" ? { ...keys, ...other(keys.image) } : keys;
  };
  const { what, table } = plan;
  const with_ = what.kind === "boot" ? { ...what, ...what.devices && { devices: what.devices.map(changed) } } : {
    ...what,
    host: {
      ...what.host,
      vms: what.host.vms.map((vm) => vm.devices ? { ...vm, devices: vm.devices.map((one) => ({ ...one, ...changed(one) })) } : vm),
    },
  };
  return {
    ...plan,
    what: with_ as SessionPlan["what"],
    ...table && { table: { ...table, keys: keysOf(table.keys) as typeof table.keys } },
  };
}
