// Looking at events, which do not stop the machine.

import type { TraceEvent } from "../../../machine/abi/trace.ts";
import { EVERY_VM } from "../../../model/queries/debugged-vms.ts";
import type { System } from "../../assembly/system/system.ts";
import type { Looking, PastAccess, Watched } from "./looking.ts";

export function lookAtEvents(system: System, { kinds, isTemporal, start }: Extract<Watched, { kind: "event" }>): Looking {
  const matching = start(), accesses: PastAccess[] = [];
  const accessOf = (event: TraceEvent): PastAccess => ({
    at: Math.max(0, system.instructions() - 1),
    time: system.machine.time,
    event,
    before: "",
    after: "",
  });
  // A filter over time may decide about an event later.
  const places = new WeakMap<TraceEvent, PastAccess>();
  const found = (event: TraceEvent) => void accesses.push(places.get(event) ?? accessOf(event));
  system.debugger.give(EVERY_VM, false).stopAtEvents((event) => {
    if (isTemporal) places.set(event, accessOf(event));
    matching.see(event).forEach(found);
    return undefined;
  }, kinds);
  return {
    begin: () => void (accesses.length = 0),
    end() {
      matching.reached(system.machine.time).forEach(found);
      return { accesses: isTemporal ? accesses.toSorted((one, other) => one.at - other.at) : accesses, first: "" };
    },
  };
}
