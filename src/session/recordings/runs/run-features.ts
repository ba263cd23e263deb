// Everything that occurs in a recorded run, as events and functions that other runs of the plan may
// have or lack, each with the time when it occurs first (`el2 compare-runs`).

import type { TraceEvent } from "../../../machine/abi/trace.ts";
import type { System } from "../../assembly/system/system.ts";
import { kindOf, vmId, vmOfName } from "../../../model/queries/ids.ts";
import { EVERY_VM } from "../../../model/queries/debugged-vms.ts";
import type { Json, RowOf } from "../../../model/queries/table.ts";
import type { EVENTS } from "../../../model/queries/tables.ts";
import { beginAgain } from "./replay.ts";
import type { Recording } from "../file/recording.ts";

/** Something that occurs in a run. */
export interface RunFeature {
  /** `order`: one event directly after another of the same VM. */
  readonly kind: "event" | "function" | "order";
  readonly vm: string | null;
  readonly text: string;
  /** Virtual time (ns) when it occurs first; of a function, the end of that part of the run. */
  readonly time: number;
}

/** The features of one run, and the virtual time (ns) of its end. */
export interface RunFeatures {
  readonly features: readonly RunFeature[];
  readonly end: number;
}

/** Parts of a run after which the functions that were executed are looked up. */
const PARTS = 32;
/** Features that are kept of a run: an id or a name may be different each time. */
const MOST = 100_000;

/** The row of an event in lists. */
type EventRowOf = (event: TraceEvent) => RowOf<typeof EVENTS>;

/** Collects them while the run is repeated. @param progress gets the virtual time (ns) */
export function featuresOf(recording: Recording, rowOf: EventRowOf, progress: (time: number) => void): RunFeatures {
  const past = beginAgain(recording, true), { system, end } = past, features = new Features(rowOf);
  const control = system.debugger.give(EVERY_VM, false);
  control.stopAtEvents((event) => features.event(event));
  for (let part = 1; part <= PARTS; part++) {
    const to = part === PARTS ? Infinity : { time: end * part / PARTS };
    while (!past.advance(to, Infinity));
    features.functions(system);
    progress(system.machine.time);
  }
  return { features: features.all, end: system.machine.time };
}

class Features {
  readonly #found = new Map<string, RunFeature>();
  /** The latest event of each VM. */
  readonly #last = new Map<string | null, string>();

  constructor(readonly rowOf: EventRowOf) {}

  get all(): RunFeature[] {
    return [...this.#found.values()];
  }

  #add(kind: RunFeature["kind"], vm: string | null, text: string, time: number): void {
    const key = `${kind} ${vm} ${text}`;
    if (!this.#found.has(key) && this.#found.size < MOST) this.#found.set(key, { kind, vm, text, time });
  }

  /** The machine does not stop for it. */
  event(event: TraceEvent): undefined {
    const { vm, kind, name, res, fields, results, refused } = this.rowOf(event);
    const objects = [...idsIn(fields), ...idsIn(results)];
    const text = [kind, name, ...objects, ...res === null ? [] : ["->", res], ...refused && res === null ? ["refused"] : []].join(" ");
    this.#add("event", vm, text, event.end);
    const last = this.#last.get(vm);
    if (last !== undefined) this.#add("order", vm, `${last}, then ${text}`, event.end);
    this.#last.set(vm, text);
  }

  functions({ core, symbols, machine: { time } }: System): void {
    for (const { vm, address, counts } of core.counters.executedPages()) {
      for (const [index, count] of counts.entries()) {
        if (count === 0) continue;
        const name = symbols.nameOf(vm, address + BigInt(4 * index))?.replace(/\+0x[0-9a-f]+$/, "");
        if (name !== undefined) this.#add("function", vmId(vmOfName(vm)), name, time);
      }
    }
  }
}

/** The ids of objects in decoded fields. */
function idsIn(fields: Json): string[] {
  if (fields === null || typeof fields !== "object" || Array.isArray(fields)) return [];
  return Object.values(fields).filter((value) => typeof value === "string" && kindOf(value) !== undefined).map(String);
}
