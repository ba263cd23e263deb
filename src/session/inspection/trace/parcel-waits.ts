// VMs that wait for what others do with their memory parcels, from the log of events since the last
// inspection: the last request of such a VM announced a parcel, recalled one or was refused to
// reclaim one.

import { RmError } from "../../../machine/abi/rpc/errors.ts";
import { ParcelMessage } from "../../../machine/abi/rpc/messages/all.ts";
import { NotifyFlags } from "../../../machine/abi/rpc/messages/memory.ts";
import type { TraceEvent, TraceFields } from "../../../machine/abi/trace.ts";
import type { EventLog } from "./event-log.ts";

/** The wait of an owner. */
export interface ParcelWait {
  readonly handle: number;
  readonly until: "accept" | "release";
  /** VMs that have not answered; undefined: all that hold the parcel. */
  readonly of: ReadonlySet<number> | undefined;
  /** Name of the request. */
  readonly request: string;
}

const KINDS = new Set(["rpc"] as const);

/** The waits by the owner's VMID. */
export class ParcelWaits {
  readonly #waits = new Map<number, ParcelWait>();
  #cursor = "0.0";

  /** The waits now. */
  read(log: EventLog): ReadonlyMap<number, ParcelWait> {
    for (const event of [...log.newest(KINDS, this.#cursor)].reverse()) this.#follow(event);
    this.#cursor = log.cursor;
    return this.#waits;
  }

  #follow({ name, result, fields }: TraceEvent): void {
    const handle = Number(fields.handle);
    if (!result) {
      const to = Number(fields.to), wait = this.#waits.get(to);
      const answers = name === ParcelMessage.Accepted || name === ParcelMessage.Released;
      if (!answers || wait?.handle !== handle || !wait.of) return;
      const of = new Set(wait.of);
      of.delete(Number(fields.vmid));
      this.#waits.set(to, { ...wait, of });
      return;
    }
    const from = Number(fields.from), flags = Number(fields.flags);
    const asks = name === ParcelMessage.Notify && result.code === RmError.OK &&
      (flags === NotifyFlags.Shared || flags === NotifyFlags.Recall);
    if (asks) {
      const until = flags === NotifyFlags.Shared ? "accept" : "release";
      this.#waits.set(from, { handle, until, of: new Set(vmidsOf(fields)), request: name });
    } else if (name === ParcelMessage.Reclaim && result.code === RmError.MEM_INUSE) {
      this.#waits.set(from, { handle, until: "release", of: undefined, request: name });
    } else this.#waits.delete(from);
  }
}

function vmidsOf({ vmids }: TraceFields): number[] {
  return Array.isArray(vmids) ? vmids.map((entry) => Number((entry as TraceFields).vmid)) : [];
}
