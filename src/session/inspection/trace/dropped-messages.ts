// Messages that the Resource Manager has thrown away, from the log of events since the last
// inspection: the last one of each VM, until a request of that VM is answered.

import { eventName, type TraceEvent } from "../../../machine/abi/trace.ts";
import { formatId } from "../../../model/queries/ids.ts";
import type { EventLog } from "./event-log.ts";

const KINDS = new Set(["rpc"] as const);

/** A packet of a VM, or a message to it. */
export interface DroppedMessage {
  /** `rpc:37`. */
  readonly event: string;
  readonly way: "from" | "to";
  readonly rule: string;
}

export class DroppedMessages {
  readonly #last = new Map<number, DroppedMessage>();
  #cursor = "0.0";

  /** By VMID. */
  read(log: EventLog): ReadonlyMap<number, DroppedMessage> {
    for (const event of [...log.newest(KINDS, this.#cursor)].reverse()) this.#follow(event);
    this.#cursor = log.cursor;
    return this.#last;
  }

  #follow(event: TraceEvent): void {
    const { result, fields } = event, way = fields.from === undefined ? "to" : "from", vmid = Number(fields[way]);
    if (fields.dropped !== undefined) {
      this.#last.set(vmid, { event: formatId({ kind: "rpc", event: eventName(event) }), way, rule: String(fields.dropped) });
    } else if (result) this.#last.delete(vmid);
  }
}
