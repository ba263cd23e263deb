// Interrupts whose state may be another one since they were cleared, for searches of a run.

import { irqKey } from "../services/object-changes.ts";
import type { Vic } from "./vic.ts";

/** Their names. */
export function changedIrqs(vics: Iterable<Vic>): Set<string> {
  const keys = new Set<string>();
  for (const { serial, gic } of vics) {
    const add = (changed: Uint8Array, cpu?: number) => {
      for (let intid = changed.indexOf(1); intid >= 0; intid = changed.indexOf(1, intid + 1)) keys.add(irqKey(serial, cpu, intid));
    };
    add(gic.shared.changed);
    for (const { index, bank } of gic.cpus) add(bank.changed, index);
  }
  return keys;
}

export function clearChangedIrqs(vics: Iterable<Vic>): void {
  for (const { gic } of vics) {
    gic.shared.changed.fill(0);
    for (const { bank } of gic.cpus) bank.changed.fill(0);
  }
}
