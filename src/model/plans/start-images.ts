// Images of disks as they were at the start of a run, beside a recording of it: with them, another
// machine repeats a run whose guests write to the disks.

import { plannedImages, type SessionPlan } from "./plan.ts";

/** The image of the disk with this number, of those that guests write. */
export const startImage = (recording: string, number: number) => `${recording}.${number}.qcow2`;

/** Whether a path is such an image. */
export function isStartImage(path: string, recording: string): boolean {
  return path.startsWith(recording) && /^\.\d{1,4}\.qcow2$/.test(path.slice(recording.length));
}

/**
 * A plan whose table has these images instead of the disks that guests write; they change them in
 * memory.
 */
export function withStartImages(plan: SessionPlan, recording: string): SessionPlan {
  const written = plannedImages(plan).flatMap(({ image, mode }) => mode === "rw" ? [image] : []);
  const changed = (value: unknown, isPartition = false): unknown => {
    if (Array.isArray(value)) return value.map((one) => changed(one, isPartition));
    if (typeof value !== "object" || value === null) return value;
    const { mode = "rw", image, ...rest }: Readonly<Record<string, unknown>> = changedParts(value);
    const isDisk = isPartition || rest.kind === "block";
    const number = isDisk && mode === "rw" && typeof image === "string" ? written.indexOf(image) : -1;
    return number < 0 ? changedParts(value) : { ...rest, mode: "overlay", image: startImage(recording, number) };
  };
  const changedParts = (table: object) =>
    Object.fromEntries(Object.entries(table).map(([name, part]) => [name, changed(part, name === "partitions")]));
  return plan.table ? { ...plan, table: { ...plan.table, keys: changedParts(plan.table.keys) } } : plan;
}
