// Evidence from the comparison of a VM with its description: what its image, devicetree and
// configuration say and the machine does not have, and what it has and the VM does not use.

import { cellSizes, type DevicetreeNode, readRanges } from "../../../machine/devicetree/tree.ts";
import type { Vcpu } from "../../../machine/hypervisor/inspect.ts";
import type { BootFinding } from "../../../model/queries/facts/boot-finding.ts";
import type { Evidence } from "../../../model/queries/facts/evidence.ts";
import type { OfCode } from "../../../model/queries/facts/fact.ts";
import type { DriverProgress } from "../../../model/queries/facts/source-state.ts";
import { nameOf } from "../../../model/queries/ids.ts";
import { hex } from "../../../kit/support/text/number-text.ts";
import type { View } from "../readers/inspected.ts";
import { devicetreeOf } from "../readers/guest/read-devicetree.ts";
import { driverProgress, statusOf } from "../readers/objects/driver-progress.ts";
import { slotsOf } from "./source-states.ts";
import { saidError } from "../causes/said-errors.ts";
import { evidenceRule, isSick, type Patient, type Verdict, type VerdictCode } from "./verdict.ts";

/** An address or a size has 64 bits at most. */
const CELLS_MAX = 2;

/** Nodes at whose addresses vCPUs of a VM got no answer. */
function misplaced(view: View, vcpus: readonly Vcpu[]): OfCode<Evidence, "misplaced">[] {
  return vcpus.flatMap(({ externalAbort: abort, addressSpace: space }): OfCode<Evidence, "misplaced">[] => {
    const tree = abort && space && devicetreeOf(view, space), found = tree && nodeWith(tree.root, BigInt(abort.ipa));
    return found ? [{ code: "misplaced", ...found, ipa: hex(abort.ipa) }] : [];
  });
}

interface PlacedNode {
  readonly node: string;
  readonly start: string;
  readonly end: string;
}

/** The node whose `reg` has an address. Nodes below one with `reg` are in another space. */
function nodeWith(parent: DevicetreeNode, address: bigint, path = ""): PlacedNode | undefined {
  const { addressCells, sizeCells } = cellSizes(parent);
  if (addressCells > CELLS_MAX || sizeCells > CELLS_MAX) return undefined;
  for (const child of parent.children) {
    const node = `${path}/${child.name}`, ranges = readRanges(child, "reg", addressCells, sizeCells);
    const found = ranges?.find(({ address: start, size }) => address >= start && address < start + size);
    if (found) return { node, start: hex(found.address), end: hex(found.address + found.size - 1n) };
    const below = child.properties.has("reg") ? undefined : nodeWith(child, address, node);
    if (below) return below;
  }
  return undefined;
}

/**
 * Differences between the machine and what the guest reads: all of a silent VM, or a sick one; of
 * others those that leave vCPUs off.
 */
function misread({ view, vm, vcpus }: Patient, verdict: Verdict): BootFinding[] {
  const name = nameOf(vm.id), findings = view.system.vms.findings.get(name) ?? [];
  const all = isSick(verdict) || findings.length > 0 && view.system.consoles.tail(name) === "";
  return findings.filter((finding) => all || vcpus.some((vcpu) => vcpu.life.isPoweredOff) && keepsCpusOff(finding));
}

const keepsCpusOff = (finding: BootFinding) =>
  finding.code === "cpus-not-started" || finding.code === "node-absent" && (finding.node === "psci" || finding.node === "cpu");

export const BOOT_EVIDENCE = [
  evidenceRule({ codes: ["boot"], read: (patient, verdict) => misread(patient, verdict).map((finding) => ({ code: "boot", finding })) }),
];

/** Verdicts that have the console's last line, or whose reason it is. */
const TELLS_ITSELF: ReadonlySet<VerdictCode> = new Set<VerdictCode>(["panicked", "unseen"]);

export const CONSOLE_EVIDENCE = [
  evidenceRule({
    codes: ["said"],
    when: ({ vm }, { fact }) => vm.ended === null && !TELLS_ITSELF.has(fact.code),
    read: ({ view, vm }) => saidError(view, vm.id),
  }),
];

export const ADDRESS_EVIDENCE = [
  evidenceRule({ codes: ["misplaced"], when: (_, verdict) => isSick(verdict), read: ({ view, vcpus }) => misplaced(view, vcpus) }),
];

/**
 * Virtio devices of a VM that sleeps, whose drivers are this far. One that runs may be about to use
 * them.
 */
function devicesAt({ view, vm, others }: Patient, progress: DriverProgress): string[] {
  if (!others.asleep.has(vm.id)) return [];
  return slotsOf(view, nameOf(vm.id)).filter((slot) => driverProgress(statusOf(view, slot)) === progress).map(({ id }) => id);
}

export const DEVICE_EVIDENCE = [
  evidenceRule({
    codes: ["no-driver"],
    read(patient) {
      const devices = devicesAt(patient, "none");
      return devices.length > 0 ? [{ code: "no-driver", devices }] : [];
    },
  }),
  evidenceRule({
    codes: ["driver-failed"],
    read(patient) {
      const devices = devicesAt(patient, "failed");
      return devices.length > 0 ? [{ code: "driver-failed", devices }] : [];
    },
  }),
];
