// Rows from the trace: events, requests to the Resource Manager, reasons, and slices of the
// scheduler.

import { INJECTED_SECTION } from "../../../../machine/abi/faults.ts";
import type { BlockCode, Reason, TraceEvent, TraceFields, TraceKind } from "../../../../machine/abi/trace.ts";
import { eventName, TRACE_KINDS } from "../../../../machine/abi/trace.ts";
import { errnoName } from "../../../../machine/abi/ioctl/errno.ts";
import { VM_STATUS } from "../../../../machine/abi/rpc/messages/queries.ts";
import { Vmid } from "../../../../machine/abi/rpc/messages/vm.ts";
import { ErrorCode, errorName } from "../../../../machine/abi/errors.ts";
import { type ErrorName, LOOKUP_SECTION } from "../../../../machine/abi/hypercall-errors.ts";
import { RmError } from "../../../../machine/abi/rpc/errors.ts";
import { messageParts } from "../../../../machine/abi/rpc/text/message-bytes.ts";
import { hypercallErrno, rmErrno } from "../../../../machine/host/interface.ts";
import { UNSEEN } from "../../trace/event-log.ts";
import { eventSentence } from "../../trace/event-sentence.ts";
import type { View } from "../inspected.ts";
import { vmStateWord } from "./read-vms.ts";
import { rpcWords } from "../../trace/rpc-words.ts";
import {
  evId,
  formatId,
  irqId,
  isOf,
  kindOf,
  parcelId,
  pcpuId,
  vcpuId,
  vmId,
  vmOfName,
  whyId,
  withoutKind,
  withoutNumbers,
} from "../../../../model/queries/ids.ts";
import { removalOf } from "../../../../model/queries/facts/injected.ts";
import { CAPABILITY_WAYS_OUT } from "../../../../model/queries/facts/refused-capability.ts";
import { SLICE_REASONS, type SliceReason } from "../../../../model/queries/facts/slice-reason.ts";
import { blocksText } from "../../../../model/queries/facts/wait.ts";
import { resultText } from "../../../../model/queries/message-bytes.ts";
import type { Json, RowOf } from "../../../../model/queries/table.ts";
import { plainText } from "../../../../model/queries/texts/format.ts";
import { hex } from "../../../../kit/support/text/number-text.ts";
import type { EVENTS, REASONS, RPCS, SLICES } from "../../../../model/queries/tables.ts";
import { hintText, hintValues } from "../../../../kit/support/text/hint.ts";
import { hintsOf, mapWayOut, type WayOut, wayOutText } from "../../../../kit/support/text/way-out.ts";

/** Fields that are addresses, however wide they were written. */
const ADDRESSES: ReadonlySet<string> = new Set(["ipa", "pa", "va", "address", "base"]);

/**
 * Plain data of the trace as JSON: addresses and numbers of 64 bits become hexadecimal, bytes
 * become hexadecimal text.
 */
export function plain(value: unknown): Json {
  switch (typeof value) {
    case "bigint":
      return hex(value);
    case "string":
    case "boolean":
      return value;
    case "number":
      return Number.isFinite(value) ? value : String(value);
    case "object":
      if (value === null) return null;
      if (value instanceof Uint8Array) return value.toHex();
      if (Array.isArray(value)) return value.map(plain);
      return Object.fromEntries(
        Object.entries(value).filter(([, field]) => field !== undefined)
          .map(([name, field]) => [name, typeof field === "number" && ADDRESSES.has(name) ? hex(field) : plain(field)]),
      );
    default:
      return null;
  }
}

/**
 * Fields in one line for display: `mq:8 size 24 push`. Ids and flags need no name; absent fields
 * are omitted.
 */
export function fieldsText(fields: TraceFields): string {
  const words: string[] = [];
  for (const [name, value] of Object.entries(fields)) {
    if (value === undefined || value === false || value === "") continue;
    if (value === true) words.push(name);
    else words.push(typeof value === "string" && kindOf(value) && !value.includes(" ") ? value : `${name} ${valueText(value)}`);
  }
  return words.join(" ");
}

function valueText(value: unknown): string {
  if (typeof value === "bigint") return hex(value);
  if (typeof value === "string") return value;
  if (typeof value === "number") return value > 9 ? hex(value) : String(value);
  return Array.isArray(value) ? value.map((one) => plainText(plain(one))).join(", ") || "none" : plainText(plain(value));
}

/** A name without an index belongs to a VM whose vCPU is unknown. */
const vcpuOf = (name: string) => name === "" ? null : name.endsWith("/") ? vmId(vmOfName(name)) : vcpuId(name);
const vmOf = (name: string) => name === "" ? null : vmId(vmOfName(name));
const whyOf = (why: number | undefined) => why === undefined ? null : whyId(why);

/** Returns the symbol of an address of a VM, if known. */
type NameOf = (vm: string, address: bigint) => string | undefined;

/** Whether it was refused, or failed. */
export function isRefused({ fields: { refused }, result }: TraceEvent): boolean {
  return result?.refused ?? refused === true;
}

/** One event. With `nameOf`, a PC is shown with its symbol. */
export function eventRow(event: TraceEvent, nameOf?: NameOf): RowOf<typeof EVENTS> {
  const { time, end, pcpu, vcpu, kind, name, fields, result, parent, why } = event;
  const { refused: _said, ...given } = fields;
  // The VM's symbols do not name the code of a guest of its EL2.
  const symbol = typeof given.pc === "bigint" && given.guest === undefined ? nameOf?.(vmOfName(vcpu), given.pc) : undefined;
  const { blocked } = given;
  const told: TraceFields = isBlocked(blocked) ? { ...given, blocked: blocksText(blocked), waits: blocked } : given;
  const args = symbol === undefined ? told : { ...told, symbol };
  const inWords = (fields: TraceFields) => kind === "rpc" ? rpcWords(name, fields) : fields;
  const words = fieldsText(
    inWords(name === VM_STATUS.name && typeof args.vm_state === "number" ? { ...args, vm_state: stateName(args.vm_state) } : args),
  );
  const results = result?.fields ? fieldsText(inWords(result.fields)) : "";
  const outcome = result ? ` -> ${result.name}${results && ` ${results}`}` : "";
  const sentence = eventSentence(event);
  return {
    id: evId(eventName(event)),
    t: String(Math.round(time)),
    pcpu: pcpu === undefined ? null : pcpuId(pcpu),
    vcpu: vcpuOf(vcpu),
    vm: typeof fields.about === "string" && isOf("vm", fields.about) ? fields.about : vmOf(vcpu),
    kind,
    name,
    task: typeof fields.pid === "number" ? formatId({ kind: "task", vm: vmOfName(vcpu), pid: fields.pid }) : null,
    process: typeof fields.tgid === "number" ? fields.tgid : null,
    comm: typeof fields.comm === "string" ? fields.comm : null,
    text: sentence ?? `${name}${words && ` ${words}`}${outcome}`,
    args: sentence === undefined ? words : null,
    res: result ? result.name : null,
    refused: isRefused(event),
    why: whyOf(why),
    end: String(Math.round(end)),
    parent: parent === undefined ? null : evId(eventName(parent)),
    fields: plain(args),
    results: plain(result?.fields ?? {}),
  };
}

/** The state of a VM as the Resource Manager's documents write it: `INIT_FAILED`. */
const stateName = (state: number) => vmStateWord(state).toUpperCase();

/** Which kinds a list of names means; all where none is named. */
export function kindsOf(names: string | undefined): ReadonlySet<TraceKind> {
  const wanted = names?.split(",");
  return new Set(wanted ? TRACE_KINDS.filter((kind) => wanted.includes(kind)) : TRACE_KINDS);
}

/** Requests and notifications. */
export function rpcRow(view: View, event: TraceEvent): RowOf<typeof RPCS> {
  const { time, end, vcpu, name, fields, result, why } = event;
  // Requests say who they are from, notifications whom they go to.
  const link = fields.from ?? fields.to;
  const seq = fields.sequence;
  return {
    id: formatId({ kind: "rpc", event: eventName(event) }),
    t: String(Math.round(time)),
    vm: typeof link === "number" ? view.vm(link) : vmOf(vcpu) ?? vmId("?"),
    seq: typeof seq === "number" ? hex(seq) : null,
    msg: name,
    // A request for any VMID is about the one that the reply names.
    about: about(view, fields.vmid === 0 && result?.fields ? { ...fields, ...result.fields } : fields),
    latency: String(Math.round(end - time)),
    res: result ? resultText(result.code, result.name) : toldState(name, fields),
    errno: result && result.code !== 0 ? errnoName(rmErrno(result.code, view.system.driver)) : null,
    refused: result?.refused ?? false,
    why: whyOf(why),
    request: plain(fields),
    reply: plain(result?.fields ?? {}),
    calls: event.calls ?? null,
    refused_by: result?.refused ? refusedBy(view, why) : null,
    bytes: plain(Object.fromEntries((event.messages ?? []).map((message) => [WIRE[message.type], messageParts(message)]))),
  };
}

const WIRE = ["continuation", "request", "reply", "notification"] as const;

/** The party that refused a request: the Resource Manager, or the hypervisor a call for it. */
function refusedBy(view: View, why: number | undefined): string {
  const chain = why === undefined ? undefined : view.hypervisor.trace.reasons.get(why)?.chain;
  return chain?.at(-1)?.kind === "hvc" ? "hypervisor" : "rm";
}

/** The state of a VM in a notification. */
function toldState(message: string, { vm_state: state }: TraceFields): string | null {
  return message === VM_STATUS.name && typeof state === "number" ? vmStateWord(state) : null;
}

function about(view: View, fields: TraceFields): string | null {
  if (typeof fields.vmid === "number") return view.vm(fields.vmid);
  const handle = fields.handle ?? fields.mem_handle;
  if (typeof handle === "number") return parcelId(handle);
  if (typeof handle === "string" && handle.includes(":")) return handle;
  // Memory without a handle yet concerns the VM that it is for.
  const acl = Array.isArray(fields.acl) ? fields.acl as readonly { readonly vmid?: unknown }[] : [];
  return acl.length === 1 && typeof acl[0].vmid === "number" ? view.vm(acl[0].vmid) : null;
}

/** The object of the innermost request of a chain that names one; empty without one. */
function aboutChain(view: View, chain: Reason["chain"]): string {
  for (const { kind, fields } of chain.toReversed()) {
    const named = kind === "rpc" ? about(view, fields) : null;
    if (named !== null) return named;
  }
  return "";
}

/**
 * A text of a guest that knows VMs by VMID only, as the Resource Manager: it names them and their
 * interrupts so.
 */
function withIds(view: View, text: string): string {
  return withoutNumbers(text, (kind, number) => kind === "vm" ? view.vm(number) : irqId(view.vmName(Vmid.Hlos), number));
}

/**
 * How many codes of the Resource Manager, or of hypercalls, become the errno that a refused ioctl
 * of a chain gave; null for one or none.
 */
function causesOfErrno(view: View, chain: Reason["chain"]): number | null {
  const refused = (kind: string) => chain.find((step) => step.kind === kind && step.result.refused)?.result;
  const asked = refused("ioctl"), rm = refused("rpc"), hypercall = refused("hvc");
  const cause = rm ?? hypercall;
  if (!asked || !cause) return null;
  const errnoOf = (code: number) => rm ? rmErrno(code, view.system.driver) : hypercallErrno(code);
  // The driver may have had another reason.
  if (errnoOf(cause.code) !== -asked.code) return null;
  const same = Object.values<number>(rm ? RmError : ErrorCode).filter((code) => code !== 0 && errnoOf(code) === -asked.code).length;
  return same > 1 ? same : null;
}

/** The remedy. That of an error is none if a rule injected it. */
export function remedyOf(view: View, reason: Reason): WayOut | undefined {
  const { section, values: { inject }, wayOut } = reason;
  if (section === INJECTED_SECTION && typeof inject === "string") return removalOf(inject);
  return wayOut === undefined ? capabilityRemedy(reason) : mapWayOut(wayOut, (text) => withIds(view, text));
}

/** The way out of a VM's own call that the lookup of a capability refuses. */
function capabilityRemedy({ section, chain: [call, ...inner], askedBy, values: { cap, wanted, needs } }: Reason): WayOut | undefined {
  if (section !== LOOKUP_SECTION || call?.kind !== "hvc" || inner.length > 0 || typeof cap !== "bigint") return undefined;
  const refused = { vm: vmOfName(askedBy), cap, wanted: String(wanted ?? needs) };
  return CAPABILITY_WAYS_OUT[errorName(call.result.code) as ErrorName]?.(refused);
}

export function reasonRow(view: View, reason: Reason): RowOf<typeof REASONS> {
  const { id, time, askedBy, at, chain, section, rule, object, values, settled, ended, result, command } = reason;
  // Operations outside of it may have continued all the same.
  const first = chain.find(({ result }) => result.refused) ?? chain[0];
  const remedy = remedyOf(view, reason), shown = hintsOf(remedy)[0] ?? command;
  // A request that no vCPU is seen to send is its sender's, not the Resource Manager's who took it.
  const [outermost] = chain;
  const sender = outermost?.kind === "rpc" && typeof outermost.fields.from === "number" ? view.vm(outermost.fields.from) : undefined;
  return {
    id: whyId(id),
    t: String(Math.round(time)),
    kind: ended === undefined ? "refused" : "ended",
    asked_by: sender ?? vcpuOf(askedBy) ?? vcpuId("?"),
    pc: at === undefined ? null : hex(at, 16),
    symbol: at === undefined ? null : view.system.symbols.nameOf(vmOfName(askedBy), at) ?? null,
    source: at === undefined ? null : view.system.symbols.sourceOf(vmOfName(askedBy), at) ?? null,
    vm: sender ?? vmOf(askedBy) ?? vmId("?"),
    call: first?.name ?? "end",
    err: first?.result.name ?? result ?? "?",
    failed: !settled,
    section,
    rule,
    object: withIds(view, object) || aboutChain(view, chain),
    ended: ended === undefined ? null : vmId(ended),
    // A borrower's VMID is replaced by its name.
    values: plain(typeof values.borrower === "number" ? { ...values, borrower: view.vm(values.borrower) } : values),
    chain: chain.map((step) => ({
      id: evId(eventName(step)),
      kind: step.kind,
      name: step.name,
      args: plain(step.fields),
      result: { code: step.result.code, name: step.result.name, ...plain(step.result.fields ?? {}) as Record<string, Json> },
    })),
    shared_errno: causesOfErrno(view, chain),
    way_out: wayOutText(remedy) ?? null,
    command: command ? hintText(command) : null,
    hint: shown ? hintValues(shown) : null,
  };
}

/** One change of who runs on a physical CPU. */
export function sliceRow(event: TraceEvent): RowOf<typeof SLICES> {
  const { time, pcpu, name, fields } = event;
  const to = typeof fields.to === "string" ? fields.to : null, fact = sliceReason(event);
  return {
    id: evId(eventName(event)),
    t: String(Math.round(time)),
    pcpu: pcpu ?? 0,
    vcpu: to,
    vm: to === null ? null : vmId(vmOfName(withoutKind("vcpu", to))),
    reason: fact === null ? "" : fact.code === "unseen" ? SLICE_REASONS.text(fact) : `${fact.vcpu} ${SLICE_REASONS.text(fact)}`,
    fact,
    seen: name !== UNSEEN,
  };
}

/** Why the vCPU that ran before stopped; null if none did. */
function sliceReason({ name, fields: { from, blocked } }: TraceEvent): SliceReason | null {
  if (name === UNSEEN) return { code: "unseen" };
  if (typeof from !== "string") return null;
  return isBlocked(blocked) ? { code: "waits", vcpu: from, waits: blocked } : { code: "yields", vcpu: from };
}

const isBlocked = (blocked: unknown): blocked is readonly BlockCode[] => Array.isArray(blocked);
