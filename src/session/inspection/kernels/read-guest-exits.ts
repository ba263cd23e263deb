// Why instructions of the guests of a VM's EL2 went there, and how that answered: rows of reasons,
// from the recorded exits and entries, and from the registers of vCPUs that are in EL2 now; not
// calls, waits and interrupts.

import type { TraceEvent, TraceKind } from "../../../machine/abi/trace.ts";
import { eventName } from "../../../machine/abi/trace.ts";
import { allOf, isExactly } from "../../../model/queries/filters/filter.ts";
import { evId, formatId, vcpuId, vmId, vmOfName } from "../../../model/queries/ids.ts";
import type { RowOf } from "../../../model/queries/table.ts";
import type { REASONS } from "../../../model/queries/tables.ts";
import { hex } from "../../../kit/support/text/number-text.ts";
import { type Hint, hint, hintText, hintValues } from "../../../kit/support/text/hint.ts";
import type { EventLog } from "../trace/event-log.ts";
import { EXIT_ANSWERS, isExitAnswer } from "../trace/event-sentence.ts";
import { wordAt } from "../../../machine/hypervisor/inspect.ts";
import { handledExit } from "./guest-exits.ts";
import { entriesAt, inSpace } from "../readers/guest/stage2.ts";
import type { View } from "../readers/inspected.ts";
import { plain } from "../readers/objects/read-trace.ts";

const TRAPS: ReadonlySet<TraceKind> = new Set(["trap"]);
/** Exits that a guest asks for, as calls and waits, and those of interrupts. */
const OTHERS: ReadonlySet<string> = new Set(["HVC", "WFI", "WFE", "IRQ", "FIQ", "SError"]);
/** Nobody has seen EL2 enter the guest again. */
const LEFT = "not entered since";
/** EL2 is at it now. */
const HANDLED = "EL2 handles it now";
const INFERRED = "an interrupt after it would have left ESR_EL2 as it is";

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
    if (!OTHERS.has(name) && (entry || after === undefined)) yield answeredRow(event, entry);
  }
}

/** The exits that vCPUs are in now, by their registers, where nobody has recorded them. */
export function* handledExitRows(view: View): Generator<RowOf<typeof REASONS>> {
  const { symbols: { core }, log } = view.system, { ram } = view.hypervisor.machine;
  for (const vcpu of view.vcpus()) {
    const { registers, addressSpace, native, index } = vcpu, name = view.vcpuName(vcpu);
    if (native || !addressSpace || !registers.hasEl2) continue;
    const memory = () => ({ read: entriesAt(inSpace(addressSpace), ram), features: core.cpu.features });
    const exit = handledExit(registers, view.now, (address) => wordAt(core, ram, vcpu, address, "EL1&0"), memory);
    if (!exit || OTHERS.has(exit.name)) continue;
    const seen = log.newest(TRAPS).find((event) => event.vcpu === name && event.fields.guest !== undefined);
    if (seen && seen.name !== "ERET" && seen.fields.pc === exit.fields.pc) continue;
    const row = exitRow({ ...exit, vcpu: name }, formatId({ kind: "reg", vm: view.vmNameOf(addressSpace), index, name: "esr_el2" }));
    // Going back to it records it.
    const command = hint("back", { event: allOf(["kind=trap", "name!=ERET", "text~VMID", isExactly("vcpu", row.asked_by)]) });
    yield { ...row, ...commandOf(command), err: HANDLED, rule: `${row.rule}; by the registers: ${INFERRED}` };
  }
}

/** An exit with what EL2 did after it. */
function answeredRow(exit: TraceEvent, entry: TraceEvent | undefined): RowOf<typeof REASONS> {
  const id = evId(eventName(exit)), row = exitRow(exit, id), { answer, exception } = entry?.fields ?? {};
  const err = !entry ? LEFT : answer === "exception" ? String(exception) : isExitAnswer(answer) ? EXIT_ANSWERS[answer] : "entered";
  return {
    ...row,
    err,
    failed: answer === "exception",
    chain: [exit, entry].filter((step) => step !== undefined).map((step, depth) => ({
      id: evId(eventName(step)),
      kind: step.kind,
      name: step.name,
      args: plain({ pc: step.fields.pc, ...depth === 1 && { value: step.fields.value, esr_el1: step.fields.esr_el1 } }),
      result: { code: 0, name: depth === 1 ? err : entry ? "to EL2" : LEFT },
    })),
  };
}

function exitRow({ time, vcpu, name, fields }: Pick<TraceEvent, "time" | "vcpu" | "name" | "fields">, id: string): RowOf<typeof REASONS> {
  const { guest, guest_vcpu: own, pc, access, fault, ipa, by } = fields;
  return {
    id,
    t: String(Math.round(time)),
    kind: "trapped",
    asked_by: vcpuId(vcpu),
    pc: typeof pc === "bigint" ? hex(pc, 16) : null,
    symbol: null,
    source: null,
    vm: vmId(vmOfName(vcpu)),
    call: [access, name].filter((part) => part !== undefined).join(" "),
    err: LEFT,
    failed: false,
    section: isFault(fault) ? "stage 2 of EL2" : "controls of EL2",
    rule: ruleOf(by, fault, ipa),
    object: `VMID ${guest} vCPU ${own}`,
    ended: null,
    values: plain(isFault(fault) ? { ipa, ...fault.descriptor } : ipa === undefined ? {} : { ipa }),
    chain: [],
    shared_errno: null,
    way_out: null,
    ...commandOf(hint("events", { kinds: "trap" })),
  };
}

const commandOf = (command: Hint) => ({ command: hintText(command), hint: hintValues(command) });

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
