// Why instructions of the guests of a VM's EL2 went there, and how that answered: rows of reasons,
// from the recorded exits and entries; not calls and interrupts.

import type { TraceEvent, TraceKind } from "../../../../machine/abi/trace.ts";
import { eventName } from "../../../../machine/abi/trace.ts";
import { evId, vcpuId, vmId, vmOfName } from "../../../../model/queries/ids.ts";
import type { RowOf } from "../../../../model/queries/table.ts";
import type { REASONS } from "../../../../model/queries/tables.ts";
import { hex } from "../../../../kit/support/text/number-text.ts";
import { hint, hintText, hintValues } from "../../../../kit/support/text/hint.ts";
import type { EventLog } from "../../trace/event-log.ts";
import { EXIT_ANSWERS, isExitAnswer } from "../../trace/event-sentence.ts";
import { plain } from "./read-trace.ts";

const TRAPS: ReadonlySet<TraceKind> = new Set(["trap"]);
/** Exits that a guest asks for, and those of interrupts. */
const OTHERS: ReadonlySet<string> = new Set(["HVC", "IRQ", "FIQ", "SError"]);
/** Nobody has seen EL2 enter the guest again. */
const LEFT = "not entered since";

/**
 * Exits with their answers, newest first.
 * @param after a cursor of the log: only those after it that are answered
 */
export function* guestExitRows(log: EventLog, after: string | undefined): Generator<RowOf<typeof REASONS>> {
  const entries = new Map<string, TraceEvent>();
  for (const event of log.newest(TRAPS, after)) {
    const { name, vcpu, fields: { guest, guest_vcpu: own } } = event;
    if (guest === undefined) continue;
    const key = `${vmOfName(vcpu)} ${guest} ${own}`;
    if (name === "ERET") {
      entries.set(key, event);
      continue;
    }
    const entry = entries.get(key);
    entries.delete(key);
    if (!OTHERS.has(name) && (entry || after === undefined)) yield exitRow(event, entry);
  }
}

function exitRow(exit: TraceEvent, entry: TraceEvent | undefined): RowOf<typeof REASONS> {
  const { time, vcpu, name, fields } = exit, { guest, guest_vcpu: own, pc, access, fault, ipa, by } = fields;
  const { answer, exception } = entry?.fields ?? {};
  const err = !entry ? LEFT : answer === "exception" ? String(exception) : isExitAnswer(answer) ? EXIT_ANSWERS[answer] : "entered";
  const command = hint("events", { kinds: "trap" });
  return {
    id: evId(eventName(exit)),
    t: String(Math.round(time)),
    kind: "trapped",
    asked_by: vcpuId(vcpu),
    pc: typeof pc === "bigint" ? hex(pc, 16) : null,
    symbol: null,
    source: null,
    vm: vmId(vmOfName(vcpu)),
    call: [access, name].filter((part) => part !== undefined).join(" "),
    err,
    failed: answer === "exception",
    section: isFault(fault) ? "stage 2 of EL2" : "controls of EL2",
    rule: ruleOf(by, fault, ipa),
    object: `VMID ${guest} vCPU ${own}`,
    ended: null,
    values: plain(isFault(fault) ? { ipa, ...fault.descriptor } : ipa === undefined ? {} : { ipa }),
    chain: [exit, entry].filter((step) => step !== undefined).map((step, depth) => ({
      id: evId(eventName(step)),
      kind: step.kind,
      name: step.name,
      args: plain({ pc: step.fields.pc, ...depth === 1 && { value: step.fields.value, esr_el1: step.fields.esr_el1 } }),
      result: { code: 0, name: depth === 1 ? err : entry ? "to EL2" : LEFT },
    })),
    shared_errno: null,
    way_out: null,
    command: hintText(command),
    hint: hintValues(command),
  };
}

/** A fault of stage 2 as an exit has it. */
interface ReadFault {
  readonly because: string;
  readonly descriptor?: Readonly<Record<string, unknown>>;
}

const isFault = (value: unknown): value is ReadFault => typeof value === "object" && value !== null && "because" in value;

/** The control that sent it, or the descriptor that did not permit it. */
function ruleOf(by: unknown, fault: unknown, ipa: unknown): string {
  if (isFault(fault)) return `stage 2 is on, and for ${ipa} ${fault.because}`;
  return by === undefined ? "more than one control may have sent it to EL2" : `${by} sends it to EL2`;
}
