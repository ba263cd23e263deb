// Job: runs a recording again, and says what its VMs execute, instruction by instruction.

import { type JobPort, made } from "./job.ts";
import { tarmacLine } from "../../kit/formats/tarmac.ts";
import { type TracedVcpu, traceInstructions } from "../recordings/runs/instruction-trace.ts";
import { parseFilter } from "../../model/queries/filters/filter.ts";
import { vmId } from "../../model/queries/ids.ts";
import { INSTRUCTIONS } from "../../model/queries/instruction-fields.ts";
import { beginAgain } from "../recordings/runs/replay.ts";
import type { Recording } from "../recordings/file/recording.ts";
import { hex } from "../../kit/support/text/number-text.ts";
import { KiB } from "../../kit/support/values/sizes.ts";

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
  if (from !== undefined) { while (!past.advance({ time: from }, SLICE)) tell(); }
  const wanted = filter === undefined ? undefined : parseFilter(filter, INSTRUCTIONS);
  let text = "", count = 0;
  traceInstructions(system, {
    follows: (vcpu) => vm === undefined || vcpu.vm === vm,
    has: ({ vcpu, pc, el }) => wanted?.matches({ id: vcpu.id, vm: vmId(vcpu.vm), pc: hex(pc), el }) ?? true,
    record(vcpu, time, record) {
      if (record.kind === "instruction") count++;
      text += tarmacLine(record, time, cpuName(vcpu, vm === undefined), count);
      if (text.length < PIECE) return;
      tell(text);
      text = "";
    },
  });
  const end = to === undefined ? Infinity : { time: to };
  while (!past.advance(end, SLICE)) tell();
  tell(text);
  return count;
}

/** The name of a processor: `cpu0`; where several VMs are traced, `cpu_VM_0`. */
const cpuName = ({ vm, index }: TracedVcpu, isOfSeveral: boolean) => `cpu${isOfSeveral ? `_${vm.replaceAll(/\W/g, "_")}_` : ""}${index}`;
