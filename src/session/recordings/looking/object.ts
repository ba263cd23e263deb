// Looking at an object of the hypervisor: its state is compared at the events that may change it.

import type { TraceEvent, TraceKind } from "../../../machine/abi/trace.ts";
import type { DebugStop } from "../../../machine/hypervisor/interface.ts";
import { EVERY_VM } from "../../../model/queries/debugged-vms.ts";
import type { System } from "../../assembly/system/system.ts";
import type { Looking, PastAccess } from "./looking.ts";

/** Accesses to registers, which are reported before they take effect. */
const REGISTER_ACCESSES: ReadonlySet<TraceKind> = new Set(["mmio", "trap"]);

/**
 * Events tell when to look: the state is compared at each that may change it, and after the exit of
 * each that names the object or accesses registers, because some are reported before they take
 * effect.
 */
export function lookAtObject(system: System, id: string): Looking {
  const { kinds, read } = system.inspector.objectState(id);
  const control = system.debugger.give(EVERY_VM, false);
  const first = read(), accesses: PastAccess[] = [];
  let value = first, awaited: TraceEvent | undefined;
  const compare = (event: TraceEvent) => {
    const after = read();
    if (after === value) return;
    accesses.push({ at: Math.max(0, system.instructions() - 1), time: system.machine.time, event, before: value, after });
    value = after;
  };
  control.stopAtEvents((event) => {
    compare(event);
    if (!REGISTER_ACCESSES.has(event.kind) && !isAbout(event, id)) return undefined;
    awaited = event;
    return id;
  }, kinds);
  const stopped = ({ cause }: DebugStop) => {
    if (cause === "event" && awaited) compare(awaited);
    awaited = undefined;
    control.goOn(undefined);
    return false;
  };
  return { stopped, end: () => ({ accesses, first }) };
}

const isAbout = ({ fields, result }: TraceEvent, id: string) =>
  [fields, result?.fields ?? {}].some((all) => Object.values(all).includes(id));
