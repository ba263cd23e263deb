// Parcels that could not be reclaimed because a VM still holds them, from the log of events since
// the last inspection.

import { RmError } from "../../../machine/abi/rpc/errors.ts";
import { ParcelMessage } from "../../../machine/abi/rpc/messages/all.ts";
import type { TraceEvent } from "../../../machine/abi/trace.ts";
import type { EventLog } from "./event-log.ts";
import { withoutKind } from "../../../model/queries/ids.ts";

const KINDS = new Set(["rpc"] as const);

/** Handles of parcels whose owner was refused to reclaim them. */
export class RefusedReclaims {
  readonly #handles = new Set<number>();
  #cursor = "0.0";

  /** The handles, with those that were refused since the last look. */
  read(log: EventLog): ReadonlySet<number> {
    for (const event of log.newest(KINDS, this.#cursor)) {
      const handle = handleRefused(event);
      if (handle !== undefined) this.#handles.add(handle);
    }
    this.#cursor = log.cursor;
    return this.#handles;
  }
}

function handleRefused({ name, result, fields }: TraceEvent): number | undefined {
  if (name !== ParcelMessage.Reclaim || result?.code !== RmError.MEM_INUSE) return undefined;
  const handle = fields.handle ?? fields.mem_handle;
  if (typeof handle === "number") return handle;
  return typeof handle === "string" ? Number(withoutKind("parcel", handle)) : undefined;
}
