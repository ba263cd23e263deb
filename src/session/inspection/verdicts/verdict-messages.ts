// Verdicts on messages that nobody will receive: the devicetree of a VM names a peer that does not
// exist, or the peer has failed.

import type { Vdevice } from "../../../machine/resource-manager/interface.ts";
import { Msgqueue } from "../../../machine/hypervisor/inspect.ts";
import type { View } from "../readers/inspected.ts";
import type { VmFacts } from "../readers/objects/read-vms.ts";
import type { Evidence } from "../../../model/queries/facts/evidence.ts";
import type { OfCode } from "../../../model/queries/facts/fact.ts";
import type { Absence } from "../../../model/queries/facts/verdict.ts";
import { evidenceRule, type Verdict, verdictRule } from "./verdict.ts";
import { nameOf } from "../../../model/queries/ids.ts";
import { namedPeer } from "../readers/objects/absent-peers.ts";
import { hint } from "../../../kit/support/text/hint.ts";

/** The defect of the VM at the other end of a vdevice; undefined if it is or may come. */
function absence(view: View, device: Vdevice, hasFailed: (vm: string) => boolean): Absence | undefined {
  const peer = namedPeer(device);
  if (peer === undefined || view.system.vms.plans.size === 0) return undefined;
  if (hasFailed(peer)) return { peer, failed: true };
  return view.system.vms.plans.has(nameOf(peer)) ? undefined : { peer: String(device.config.peer), failed: false };
}

const vdevicesOf = (view: View, vm: VmFacts) => view.system.manager.state.vms.find(({ vmid }) => vmid === Number(vm.vmid))?.vdevices ?? [];

const labelOf = ({ config }: Vdevice) => `${config.path.split("/").at(-1)}, label ${config.label}`;

/** Messages of a VM that wait in a queue and have no receiver. */
function undelivered(view: View, vm: VmFacts, hasFailed: (vm: string) => boolean): Verdict<"undelivered"> | undefined {
  for (const device of vdevicesOf(view, vm)) {
    if (device.config.type !== "message-queue-pair" || device.objects.length === 0) continue;
    const queue = view.rootObject(device.objects[0].cap), whom = absence(view, device, hasFailed);
    if (!(queue instanceof Msgqueue) || queue.count === 0 || whom === undefined) continue;
    const id = view.object(queue);
    return {
      fact: { code: "undelivered", queue: id, messages: queue.count, label: labelOf(device), peer: whom },
      evidence: [{ code: "named-peer", node: device.config.path, peer: String(device.config.peer) }],
      next: hint("queue ring", id),
    };
  }
  return undefined;
}

/** Vdevices of a VM whose peer does not exist, as evidence. */
function peerless(view: View, vm: VmFacts): OfCode<Evidence, "absent-peer">[] {
  return vdevicesOf(view, vm).flatMap((device): OfCode<Evidence, "absent-peer">[] => {
    const whom = absence(view, device, () => false);
    return whom === undefined ? [] : [{ code: "absent-peer", node: device.config.path, label: device.config.label, peer: whom }];
  });
}

export const MESSAGE_RULES = [
  verdictRule({ codes: ["undelivered"], of: "vm", judge: ({ view, vm, others }) => undelivered(view, vm, others.isDead) }),
];

export const MESSAGE_EVIDENCE = [evidenceRule({ codes: ["absent-peer"], read: ({ view, vm }) => peerless(view, vm) })];
