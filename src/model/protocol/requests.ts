// Requests of a client to a session: one declaration per kind, from which its type, its validation,
// its largest frame and its right follow.

import * as v from "valibot";
import { TRACE_KINDS } from "../../machine/abi/trace.ts";
import type { DebugAccess } from "../../machine/hypervisor/interface.ts";
import { anyAction } from "../commands/actions.ts";
import { bytes, count, listOf, name, text, unsigned } from "../queries/fields.ts";
import { markNote, move } from "../queries/move.ts";
import { query, repeat } from "../queries/query.ts";
import { stopChange } from "../queries/stop-rule.ts";
import { debuggedVms } from "../queries/debugged-vms.ts";

/** Bytes of a frame, where a kind does not say otherwise: a filter and some names. */
const SMALL_FRAME = 64 * 1024;
const KiB = 1024, MiB = 1024 * KiB;

/** Number of a request, for its answer. */
const id = count();
const traceKinds = listOf(v.picklist(TRACE_KINDS), TRACE_KINDS.length);
const address = unsigned(64);
const vcpu = count(0xffff);
const space = v.optional(v.picklist(["va", "el1", "el2", "ipa", "pa"]));
/** Bytes of guest memory in one access of a debugger; the machine refuses more than 16 KiB. */
const ACCESS_MAX = 64 * KiB;

/** Bytes of a condition of gdb's, and conditions of a breakpoint. */
const CONDITION_MAX = 4096, CONDITIONS_MAX = 64;
const condition = v.variant("kind", [
  v.strictObject({ kind: v.literal("agent"), code: bytes(CONDITION_MAX) }),
  v.strictObject({ kind: v.literal("expression"), text: text() }),
]);
const conditions = v.optional(listOf(condition, CONDITIONS_MAX));
const watchpoint = v.strictObject({
  kind: v.picklist(["insert-watchpoint", "remove-watchpoint"]),
  address,
  length: count(),
  watch: v.picklist(["write", "read", "access"]),
  vm: v.optional(name),
});

/** A debugger's request about its VM (`machine/hypervisor/debug/debug-access.ts`). */
const debugAccess = v.variant("kind", [
  v.strictObject({ kind: v.literal("vcpus") }),
  v.strictObject({ kind: v.literal("registers"), vcpu }),
  v.strictObject({ kind: v.literal("write-register"), vcpu, register: count(0xffff), value: unsigned(128) }),
  v.strictObject({ kind: v.literal("read"), vcpu, space, address, size: count(ACCESS_MAX) }),
  v.strictObject({ kind: v.literal("write"), vcpu, space, address, bytes: bytes(ACCESS_MAX) }),
  v.strictObject({ kind: v.literal("insert-breakpoint"), address, vm: v.optional(name), conditions }),
  v.strictObject({ kind: v.literal("remove-breakpoint"), address, vm: v.optional(name) }),
  watchpoint,
  v.strictObject({ kind: v.literal("stop-at-starts") }),
]) satisfies v.GenericSchema<unknown, DebugAccess>;

/**
 * A debugger's request to a session: about its VM, or to stop at events that match a filter; at
 * none without a filter.
 */
const sessionDebugAccess = v.variant("kind", [
  debugAccess,
  v.strictObject({ kind: v.literal("stop-at-events"), filter: v.optional(text()) }),
]);
export type SessionDebugAccess = Readonly<v.InferOutput<typeof sessionDebugAccess>>;

/**
 * Whether a request changes the machine, writes files, or changes what other clients of the session
 * see: read-only clients may not make it.
 */
type Right = "reads" | "changes";

/** Declares a kind of request. */
function request<const K extends string, const E extends v.ObjectEntries>(kind: K, right: Right, entries: E, frame = SMALL_FRAME) {
  return { right, frame, schema: v.strictObject({ kind: v.literal(kind), ...entries }) };
}

/** Every request that a client of the socket may make. */
export const REQUESTS = {
  /** Bytes typed into a guest's console. */
  input: request("input", "changes", { console: name, bytes: bytes(4 * MiB) }, 6 * MiB),
  /**
   * The client has dealt with this many bytes of console output: the machine waits when too many
   * are under way.
   */
  taken: request("taken", "reads", { bytes: count() }),
  /** No more input will come: when all guests wait for nothing else, the run is over. */
  "input-ended": request("input-ended", "changes", {}),
  pause: request("pause", "changes", {}),
  resume: request("resume", "changes", {}),
  /**
   * Shows another place of the run; the machine is paused. One `moved` with the same number
   * follows.
   */
  move: request("move", "changes", { id, to: move }),
  /**
   * Writes a snapshot of the machine that is shown; `snapshotted` events with the same number
   * follow, the last of which is `whole` or has an error. `passing`: the file is temporary, for a
   * client that moves it at once; it is not a place of the run, and no `saved` follows.
   */
  snapshot: request("snapshot", "changes", { id, path: text(), title: text(), passing: v.optional(v.literal(true)) }),
  /**
   * Writes a recording of the run until now; one `acted` with the same number follows. `images`:
   * also images of the disks that guests write, as they were at the start, beside it
   * (`model/plans/start-images.ts`).
   */
  "save-recording": request("save-recording", "changes", { id, path: text(), images: v.optional(v.literal(true)) }),
  /** Stops in order; `ended` follows. */
  stop: request("stop", "changes", {}),
  /**
   * A question about the machine; one `answer` with the same number follows, and as many more as
   * `repeat` says.
   */
  query: request("query", "reads", { id, query, repeat: v.optional(repeat) }),
  /** A question that repeats is not answered any more. */
  forget: request("forget", "reads", { id }),
  /**
   * Events of these kinds are recorded from now on, in addition to those that always are; of busy
   * ones at most `budget` between two samples.
   */
  watch: request("watch", "reads", { kinds: traceKinds, budget: v.optional(count()) }),
  /**
   * Records events of these kinds from now on, to be taken away (`trace.events`); of none: no more.
   * Changes nothing in the machine, but discards the events that another client has recorded.
   */
  trace: request("trace", "changes", { kinds: traceKinds }),
  /**
   * Takes the symbols of an ELF file for a VM; changes nothing in the machine, but all clients see
   * the names. One `acted` with the same number follows.
   */
  symbols: request("symbols", "changes", { id, vm: name, file: bytes() }, 256 * MiB),
  /**
   * Names the place of the run that is shown; changes nothing in the machine, but all clients see
   * the mark, and recordings have it. One `acted` with the same number follows.
   */
  mark: request("mark", "changes", { id, ...markNote.entries }),
  /**
   * Adds a rule by which the machine stops, or removes one. One `acted` with the same number
   * follows.
   */
  "stop-rule": request("stop-rule", "changes", { id, change: stopChange }),
  /** Does something to the machine; one `acted` with the same number follows. */
  act: request("act", "changes", { id, action: anyAction }, 4 * MiB),
  /**
   * Gives VMs to the debugger that asks; one `debug-attached` follows. Nothing stops yet.
   */
  "debug-attach": request("debug-attach", "changes", { vms: debuggedVms }),
  /** A debugger's question about its VM, which is stopped; one `debug-answer` follows each. */
  debug: request("debug", "changes", { access: sessionDebugAccess }, 2 * ACCESS_MAX),
  /** The machine stops for the debugger; `debug-stopped` follows, unless it did already. */
  "debug-stop": request("debug-stop", "changes", {}),
  /**
   * The machine continues; where `step` names a vCPU, until that has executed one instruction, and
   * its PC is not in `range`.
   */
  "debug-continue": request("debug-continue", "changes", {
    step: v.optional(vcpu),
    range: v.optional(v.strictObject({ start: address, end: address })),
  }),
  /**
   * Goes back to the stop before, or where `step` names a vCPU, to before its last instruction;
   * `debug-stopped` follows.
   */
  "debug-back": request("debug-back", "changes", { step: v.optional(vcpu) }),
  /** Removes all breakpoints, and continues the machine. */
  "debug-detach": request("debug-detach", "changes", {}),
  /** As `debug-detach`, and the VM no longer has a debugger. */
  "debug-release": request("debug-release", "changes", {}),
} as const;

type RequestOf<K extends keyof typeof REQUESTS> = v.InferOutput<typeof REQUESTS[K]["schema"]>;

/** A request of a socket's client to the machine. */
export type ClientRequest = { [K in keyof typeof REQUESTS]: RequestOf<K> }[keyof typeof REQUESTS];

export type DebugRequest = RequestOf<Extract<keyof typeof REQUESTS, `debug${string}`>>;
