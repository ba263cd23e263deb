// Job: runs a recording again, and says what its VMs execute, instruction by instruction.

import { type JobPort, made } from "./job.ts";
import { tarmacLine } from "../../formats/tarmac.ts";
import { traceInstructions } from "../../recordings/instruction-trace.ts";
import { parseFilter } from "../../queries/filter.ts";
import { parseAs, vmId } from "../../queries/ids.ts";
import { INSTRUCTIONS } from "../../queries/instruction-fields.ts";
import { beginAgain } from "../../recordings/again.ts";
import type { Recording } from "../../recordings/recording.ts";
import { KiB } from "../../support/sizes.ts";

export interface WantedInstructions {
  readonly recording: Recording;
  /** One VM; undefined: all. */
  readonly vm: string | undefined;
  /** Virtual times (ns). */
  readonly from: number | undefined;
  readonly to: number | undefined;
  /** Of `INSTRUCTIONS`. */
  readonly filter: string | undefined;
}

/** Lines, and how far the run is: virtual time (ns). */
export interface SaidInstructions {
  readonly text: string;
  readonly time: number;
}

/** Characters of lines in a message, and wall time (ms) between two. */
const PIECE = 256 * KiB, SLICE = 100;

/** @returns how many instructions were traced */
export function job({ recording, vm, from, to, filter }: WantedInstructions, port: JobPort<SaidInstructions>): number {
  const past = made(() => beginAgain(recording)), { system } = past, { machine } = system;
  const tell = (text = "") => port.say({ text, time: machine.time });
  if (from !== undefined) { while (!past.advance({ at: from, settled: false }, SLICE)) tell(); }
  const wanted = filter === undefined ? undefined : parseFilter(filter, INSTRUCTIONS), cpuOf = cpuNames(vm);
  let text = "", count = 0;
  traceInstructions(system, {
    follows: (id) => vm === undefined || placeOf(id).vm === vm,
    has: ({ id, pc, el }) => wanted?.matches({ id, vm: vmId(placeOf(id).vm), pc: `0x${pc.toString(16)}`, el }) ?? true,
    take(id, time, record) {
      if (record.kind === "instruction") count++;
      text += tarmacLine(record, time, cpuOf(id), count);
      if (text.length < PIECE) return;
      tell(text);
      text = "";
    },
  });
  const end = to === undefined ? Infinity : { at: to, settled: false };
  while (!past.advance(end, SLICE)) tell();
  tell(text);
  return count;
}

/** Names of processors by vCPU: `cpu0`; where several VMs are traced, `cpu_VM_0`. */
function cpuNames(vm: string | undefined): (id: string) => string {
  const names = new Map<string, string>();
  return (id) => {
    let name = names.get(id);
    if (name === undefined) {
      const place = placeOf(id), of = vm === undefined ? `_${place.vm.replaceAll(/\W/g, "_")}_` : "";
      names.set(id, name = `cpu${of}${place.index}`);
    }
    return name;
  };
}

function placeOf(id: string): { readonly vm: string; readonly index: number } {
  const place = parseAs("vcpu", id);
  if (!place) throw new Error(`${id} is not a vCPU`);
  return place;
}
