// Mistakes of guests that do no harm here and may fail on a board: each is reported at its first
// place in a life of its VM.

import * as v from "valibot";
import { type BoardFinding, isSame, QUEUE_PARTS } from "../../../model/queries/facts/board-finding.ts";
import type { OfCode } from "../../../model/queries/facts/fact.ts";
import type { Vcpu } from "../../../machine/hypervisor/inspect.ts";
import { type QueuePlace, uncachedPart } from "../../inspection/boards/uncached-queues.ts";
import { unorderedNotification } from "../../inspection/boards/unordered-notification.ts";
import type { View, VirtioSlot } from "../../inspection/readers/inspected.ts";
import type { SavedPart } from "../../state/parts.ts";

const text = v.string(), number = v.number(), ofQueue = { device: text, queue: number };
const range = v.strictObject({ first: text, last: text, symbol: v.nullable(text), source: v.nullable(text) });

const FORMS = {
  "descriptor-reused": v.strictObject({ code: v.literal("descriptor-reused"), descriptor: number, ...ofQueue }),
  "queue-uncached": v.strictObject({
    code: v.literal("queue-uncached"),
    part: v.picklist(QUEUE_PARTS),
    vcpu: text,
    address: text,
    ipa: text,
    memory: v.picklist(["Normal Non-cacheable", "Device"]),
    ...ofQueue,
  }),
  "notification-unordered": v.strictObject({ code: v.literal("notification-unordered"), vcpu: text, at: range, store: range, ...ofQueue }),
} satisfies { readonly [C in BoardFinding["code"]]: v.GenericSchema<unknown, OfCode<BoardFinding, C>> };

const SAVED = v.array(v.strictObject({ vm: text, finding: v.variant("code", Object.values(FORMS)) }));

/** Requirements on the system. */
interface FindingSystem {
  readonly view: () => View;
  readonly vcpus: (vm: string) => readonly Vcpu[];
  /** A finding is new. */
  readonly tell: (vm: string, finding: BoardFinding) => void;
}

export class BoardFindings implements SavedPart {
  readonly name = "board findings";
  #found: { readonly vm: string; readonly finding: BoardFinding }[] = [];

  constructor(readonly system: FindingSystem) {}

  /** Those of a VM, in the order in which they were found. */
  of(vm: string): readonly BoardFinding[] {
    return this.#found.flatMap((one) => one.vm === vm ? one.finding : []);
  }

  /** A VM begins anew. */
  begins(vm: string): void {
    this.#found = this.#found.filter((one) => one.vm !== vm);
  }

  /** Listens to the driver of a device. */
  listen(slot: VirtioSlot): void {
    const { vm, id, device } = slot;
    device.listener = {
      reused: (queue, descriptor) => this.#add(vm, { code: "descriptor-reused", device: id, queue, descriptor }),
      sampled: (queue, places) => this.#sampled(slot, queue, places),
    };
  }

  save() {
    return v.parse(SAVED, this.#found);
  }

  restore(state: unknown): void {
    this.#found = v.parse(SAVED, state);
  }

  #sampled({ vm, id: device, ipa, size }: VirtioSlot, queue: number, places: readonly QueuePlace[]): void {
    const view = this.system.view(), vcpus = this.system.vcpus(vm);
    const uncached = uncachedPart(view, vcpus, places);
    if (uncached) this.#add(vm, { code: "queue-uncached", ...uncached, device, queue });
    const ring = places.find(({ part }) => part === "driver")?.ipa;
    const unordered = ipa === undefined || ring === undefined ? undefined : unorderedNotification(view, vcpus, { ipa, size }, ring);
    if (unordered) this.#add(vm, { code: "notification-unordered", ...unordered, device, queue });
  }

  #add(vm: string, finding: BoardFinding): void {
    if (this.#found.some((one) => one.vm === vm && isSame(one.finding, finding))) return;
    this.#found.push({ vm, finding });
    this.system.tell(vm, finding);
  }
}
