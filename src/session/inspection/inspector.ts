// Answers queries: reads the machine's state, filters the rows and says when they were true.
// Looking changes nothing in the machine.

import { KERNEL_KINDS, type TraceEvent, type TraceKind } from "../../machine/abi/trace.ts";
import { SWITCHES } from "./trace/event-log.ts";
import { BUSY_KINDS } from "../../machine/abi/trace.ts";
import { type RegisterWrites, registerWrites } from "../../cpu/core/interface.ts";
import type { Vcpu } from "../../machine/hypervisor/inspect.ts";
import { answered, Filters, type FoundRows, inPieces, type MaybeInPieces } from "./answered.ts";
import { act } from "./rules/act.ts";
import { needGunyah } from "./rules/other-hypervisor.ts";
import { formatId } from "../../model/queries/ids.ts";
import type { Action } from "../../model/commands/actions.ts";
import type { Filter } from "../../model/queries/filters/filter.ts";
import { isTemporal, kindsForFilter, parseEventFilter, timeOf } from "../../model/queries/filters/temporal-filter.ts";
import { type Inspected, Looks, QueryError, View } from "./readers/inspected.ts";
import {
  type Answer,
  isAboutPast,
  isStreamQuery,
  type Query,
  type QueryOf,
  queryOf,
  rowsOf,
  type StreamTable,
  type TableArguments,
} from "../../model/queries/query.ts";
import { readDiagnoses, readVms } from "./verdicts/read-diagnosis.ts";
import { readDevicetreeOf } from "./readers/guest/read-devicetree.ts";
import { readInjections, readStops } from "./readers/read-rules.ts";
import { readCaps, readObjects } from "./readers/objects/read-caps.ts";
import { readIrqFindings, readIrqs } from "./readers/objects/read-irqs.ts";
import { physical, readBytes, readMemory, readOwner, readViolations } from "./readers/objects/read-memory.ts";
import { readLimits, readParcels } from "./readers/objects/read-parcels.ts";
import { readMessages, readQueues } from "./readers/objects/read-queues.ts";
import { readDensity } from "./readers/objects/read-density.ts";
import { guestExitRows, handledExitRows } from "./kernels/read-guest-exits.ts";
import { eventRow, kindsOf, reasonRow, rpcRow, sliceRow } from "./readers/objects/read-trace.ts";
import { type MayChange, type ObjectState, objectState } from "./readers/objects/read-states.ts";
import { readDevices } from "./readers/objects/read-vms.ts";
import { readRegisters, readVcpus, registerReader } from "./readers/objects/read-vcpus.ts";
import { memoryRow } from "../../model/queries/memory-use.ts";
import { readPlaces } from "./readers/read-places.ts";
import { readLines } from "./readers/guest/read-lines.ts";
import { readStack } from "./readers/guest/read-stack.ts";
import { readPageTables } from "./readers/guest/read-page-tables.ts";
import { readTimers } from "./readers/objects/read-timers.ts";
import { readPrinted } from "./expressions/read-print.ts";
import { type WatchedValue, watchedValue } from "./expressions/watched-value.ts";
import { readVariables } from "./expressions/read-variables.ts";
import { addressAt, ramAt, readCode, readFrames, readSymbols, symbolSize } from "./readers/guest/read-symbols.ts";
import { el2Mappings } from "./kernels/el2-guests.ts";
import { KERNEL_READERS } from "./kernels/kernels.ts";
import { isStream, type Row, type RowOf, type Table } from "../../model/queries/table.ts";
import { type REASONS, type TableName, TABLES, VARIABLES } from "../../model/queries/tables.ts";
import { type InPieces, whole } from "../../kit/support/values/work.ts";
import type { Problem } from "../../kit/support/problem.ts";

/** Default limit on the rows of an answer. */
const DEFAULT_LIMIT = 1000;
/** Default limit on the instructions of an answer. */
const DEFAULT_CODE = 16;
/** Virtual time (ns) between two samples of interrupts without queries. */
const IRQ_INTERVAL = 1e9;

type RowsReader<N extends TableName> = (
  view: View,
  args: TableArguments<N>,
  filter: Filter,
) => MaybeInPieces<FoundRows<RowOf<typeof TABLES[N]>>>;

/** Answers queries about one system. */
export class Inspector {
  readonly #looks = new Looks();
  readonly #filters = new Filters();
  /** Virtual time (ns) of the last check of interrupts without a question. */
  #irqsSeen = -Infinity;
  /** The event that a run waited for, once it has come. */
  reached: string | undefined;

  constructor(readonly system: Inspected, readonly instructions: () => number, readonly hashes: () => { id: string; hash: string }[]) {}

  /** The answer to a query; an `error` if it names what does not exist. */
  answer(query: Query): Answer {
    return whole(this.answering(query));
  }

  /** The same in pieces, at all of which the machine has to be as it was at the first. */
  answering(query: Query): InPieces<Answer> {
    const at = { ns: String(Math.round(this.system.hypervisor.now)), insn: String(this.instructions()) };
    return answered(query, at, () => {
      const { filter = "" } = query.args, view = new View(this.system, this.#looks);
      return isStreamQuery(query) && isTemporal(filter)
        ? this.#overTime(query, view)
        : this.#read(query, view, this.#filters.of(query.table, filter));
    });
  }

  /**
   * The physical address of `size` bytes at an address of any kind, as it is mapped now; of a
   * source line, that of each piece of its code.
   * @throws QueryError
   */
  ramAt(place: string, size: number): readonly number[] {
    return ramAt(new View(this.system, this.#looks), place, size);
  }

  /** Bytes of a symbol, `VM:SYMBOL`; undefined for other places. */
  symbolSize(place: string): number | undefined {
    return symbolSize(new View(this.system, this.#looks), place);
  }

  /**
   * A function that reads a register of a vCPU.
   * @throws QueryError
   */
  registerOf(vcpu: string, name: string): (vcpu: Vcpu) => bigint {
    return registerReader(new View(this.system, this.#looks).findVcpu(vcpu), vcpu, name);
  }

  /**
   * How the changes of an object are found: the kinds of events at which it may change, its state
   * now, and whether it may have changed by something.
   * @throws QueryError
   */
  objectState(id: string): Pick<ObjectState, "kinds"> & { readonly read: () => string; readonly mayChange: MayChange } {
    const view = () => new View(this.system, this.#looks), { kinds, read, mayChange } = objectState(id);
    return { kinds, read: () => read(view()), mayChange: mayChange(view()) };
  }

  /** The value of an expression, and where it was read. */
  valueOf(expression: string): WatchedValue {
    return watchedValue(new View(this.system, this.#looks), expression);
  }

  /** How a system register changes; undefined: not by MSR alone. */
  registerWrites(name: string): RegisterWrites | undefined {
    return registerWrites(name);
  }

  /**
   * Whether an expression with variables is other than 0 at a vCPU's place; undefined: it has no
   * value.
   */
  holds(vcpu: string, expression: string): boolean | undefined {
    const answer = this.answer({ table: "vcpu.vars", args: { vcpu, frame: 0, at: `(${expression}) != 0` } });
    return answer.error === undefined ? rowsOf(VARIABLES, answer)[0]?.address === "0x1" : undefined;
  }

  /** Performs an action on the machine; a problem if it cannot. */
  act(action: Action): Problem | undefined {
    try {
      act(new View(this.system, this.#looks), action);
      return undefined;
    } catch (error) {
      if (!(error instanceof QueryError)) throw error;
      return error.problem;
    }
  }

  /** Number of rows of `why` so far that report a failure. */
  get reasons(): number {
    return this.system.hypervisor.trace.reasons.alarms;
  }

  /**
   * Checks each event from now on: `reached` is the first that matches the filter.
   * @throws FilterError
   */
  until(text: string): void {
    const matcher = parseEventFilter(text, TABLES.events).start();
    const stop = this.system.hypervisor.trace.listen(kindsForFilter(text), (event) => {
      if (this.reached !== undefined) return;
      const [row] = matcher.see(eventRow(event));
      if (!row) return;
      this.reached = `${row.id} ${row.vcpu ?? ""} ${row.text}`;
      // The listener may not take itself away while it is called.
      queueMicrotask(stop);
    });
  }

  /** Records these kinds of events from now on, in addition to those that are always recorded. */
  watch(kinds: readonly TraceKind[], budget?: number): void {
    this.system.log.watch(kinds.filter((kind) => BUSY_KINDS.includes(kind)), budget);
  }

  /**
   * A new picture of the machine was made: a budget of events begins anew, and the rates of
   * interrupts are measured now and then.
   */
  renew(): void {
    this.system.log.renew();
    const view = new View(this.system, this.#looks);
    if (view.now - this.#irqsSeen < IRQ_INTERVAL) return;
    this.#irqsSeen = view.now;
    readIrqFindings(view);
  }

  /** Nothing can happen any more: verdicts need not wait whether something does. */
  settle(): void {
    this.#looks.settled = true;
  }

  /**
   * The rows of a stream that match a filter over time. The filter sees all rows that are kept; a
   * match counts if a row after the cursor decides it.
   */
  #overTime({ table, args }: QueryOf<StreamTable>, view: View): FoundRows {
    const everything = this.#filters.of(table, ""), { after, since = 0, limit = DEFAULT_LIMIT, ...others } = args;
    const unlimited = { ...others, limit: Number.MAX_SAFE_INTEGER },
      read = (more: TableArguments<StreamTable>) => whole(this.#read(queryOf(table, more), view, everything));
    const latest = after === undefined ? undefined : read({ ...unlimited, after });
    // A list that is followed is asked for again and again: rows of the whole log take long.
    if (latest?.rows.length === 0) return latest;
    const kept = read(unlimited), fresh = latest ?? kept;
    const ordered = table === "why" ? kept.rows.toReversed() : kept.rows, found = new Set<Row>();
    const streamed: Table = TABLES[table], matcher = parseEventFilter(args.filter ?? "", streamed).start();
    for (const [index, row] of ordered.entries()) {
      for (const one of matcher.see(row)) if (index >= ordered.length - fresh.rows.length) found.add(one);
    }
    // A row that matches because nothing came within a time has no later row that decides it.
    if (after === undefined) { for (const one of matcher.reached(view.now)) found.add(one); }
    const rows = kept.rows.filter((row) => found.has(row) && timeOf(row) >= since);
    return { ...fresh, rows: table === "why" ? rows.slice(0, limit) : rows.slice(-limit) };
  }

  *#read(query: Query, view: View, filter: Filter): InPieces<FoundRows> {
    if (query.table === "hash") return { rows: this.hashes() };
    needGunyah(view, query.table);
    if (isAboutPast(query)) throw new QueryError("this query needs a session, which can repeat its run");
    const result = yield* inPieces(found(query, view, filter));
    if (isStream(TABLES[query.table])) return result;
    const rows = result.rows.filter((row) => filter.matches(row));
    return { ...result, rows: rows.slice(0, query.args.limit ?? Infinity) };
  }
}

/** Tables whose rows are in the machine. */
type ReadTable = Exclude<TableName, "hash" | "who">;

function found<N extends ReadTable>(
  { table, args }: { readonly table: N; readonly args: TableArguments<N> },
  view: View,
  filter: Filter,
): MaybeInPieces<FoundRows> {
  return READERS[table](view, args, filter);
}

/** Readers of streams filter by themselves, because they read no more than they need. */
const READERS: { readonly [N in ReadTable]: RowsReader<N> } = {
  *"vm.ls"(view) {
    return { rows: yield* readVms(view) };
  },
  *diagnose(view) {
    return { rows: yield* readDiagnoses(view) };
  },
  "vm.devices": (view, args) => ({ rows: readDevices(view, view.findSpace(args.vm)) }),
  "vm.dtb": (view, args) => ({ rows: readDevicetreeOf(view, args.vm) }),
  "vcpu.ls": (view) => ({ rows: readVcpus(view) }),
  "vcpu.regs": (view, args) => ({ rows: readRegisters(view, view.findVcpu(args.vcpu)) }),
  "vcpu.stack": (view, args) => ({ rows: readStack(view, view.findVcpu(args.vcpu)) }),
  "vcpu.timers": (view, args) => ({ rows: readTimers(view, view.findVcpu(args.vcpu)) }),
  "vcpu.tables": (view, args) => ({ rows: readPageTables(view, view.findVcpu(args.vcpu), args.at) }),
  "vcpu.vars": (view, args) => ({ rows: readVariables(view, view.findVcpu(args.vcpu), args.frame ?? 0, args.at) }),
  "print": (view, args) => readPrinted(view, args.at),
  "symbols": (view, args) => ({ rows: readSymbols(view, args.vm) }),
  "symbols.frames": (view, args) => ({ rows: readFrames(view, args.vm) }),
  "code": (view, args) => ({ rows: readCode(view, args.at, args.size ?? DEFAULT_CODE) }),
  "code.lines": (view, args) => ({ rows: readLines(view, args.at, args.size ?? 1) }),
  "irq.ls": (view) => ({ rows: readIrqs(view) }),
  "mem.map": (view) => ({ rows: readMemory(view) }),
  "mem.owner": (view, args) => ({ rows: readOwner(view, addressAt(view, args.at).at, el2Mappings) }),
  "mem.parcels": (view) => ({ rows: readParcels(view) }),
  "mem.limits": (view) => ({ rows: readLimits(view) }),
  "mem.read": (view, args) => {
    const { at, size } = addressAt(view, args.at, args.size, args.size ?? 64);
    physical(view, at);
    return { rows: readBytes(view, at, size) };
  },
  "mem.check": (view) => ({ rows: readViolations(view) }),
  "caps.ls": (view) => ({ rows: readCaps(view) }),
  "obj.ls": (view) => ({ rows: readObjects(view) }),
  "queue.ls": (view) => ({ rows: readQueues(view) }),
  "queue.ring": (view, args) => ({ rows: readMessages(view, args.queue) }),
  "inject.ls": (view) => ({ rows: readInjections(view) }),
  "stop.ls": (view) => ({ rows: readStops(view) }),
  "time.ls": (view) => ({ rows: readPlaces(view) }),
  "events": (view, args, filter) => {
    const nameOf = (vm: string, address: bigint) => view.system.symbols.nameOf(vm, address), kinds = kindsOf(args.kinds);
    const gaps = KERNEL_KINDS.some((kind) => kinds.has(kind)) ? view.system.kernelEvents.gaps : [];
    return {
      ...fromLog(view, args, filter, kinds, (event) => eventRow(event, nameOf)),
      gaps,
      unrecorded: view.system.log.unrecorded(kinds),
    };
  },
  "density": (view, { kinds, limit = DEFAULT_LIMIT, ...places }, filter) => {
    const { log } = view.system, rows = readDensity(log, kindsOf(kinds), places).filter((row) => filter.matches(row));
    return { rows: rows.slice(-limit), dropped: log.lostSince(places.after ?? "0.0"), cursor: log.cursor };
  },
  ...KERNEL_READERS,
  "session.memory": (view) => ({ rows: view.system.memory().map(memoryRow) }),
  "trace.stats": (view) => {
    const { traceBuffer } = view.system;
    return {
      rows: traceBuffer.counts().map(({ kind, recorded, events }) => ({
        id: formatId({ kind: "trace", name: kind }),
        recorded,
        events,
        lost: traceBuffer.dropped,
      })),
    };
  },
  "trace.events": (view, args, filter) => {
    const { events, end, dropped } = view.system.traceBuffer.page(Number(args.after ?? 0), args.limit ?? DEFAULT_LIMIT);
    const nameOf = (vm: string, address: bigint) => view.system.symbols.nameOf(vm, address);
    const rows = events.map((event) => eventRow(event, nameOf)).filter((row) => filter.matches(row));
    return { rows, dropped, cursor: String(end) };
  },
  "rpc.ls": (view, args, filter) => fromLog(view, args, filter, new Set<TraceKind>(["rpc"]), (event) => rpcRow(view, event)),
  "sched.ls": (view, args, filter) => {
    return fromLog(view, args, filter, new Set<TraceKind>(["sched"]), (event) => SWITCHES.has(event.name) ? sliceRow(event) : undefined);
  },
  "why": (view, args, filter) => {
    const { hypervisor: { trace: { reasons } }, system: { log, symbols } } = view;
    const [after = "0", afterExit] = args.after?.split(":") ?? [], limit = args.limit ?? DEFAULT_LIMIT;
    const fresh = reasons.list(Number(after));
    const rows: RowOf<typeof REASONS>[] = fresh.map((reason) => reasonRow(view, reason)).reverse().filter((row) => filter.matches(row));
    const dropped = Math.max(0, reasons.count - Number(after) - fresh.length);
    if (!symbols.core.cpu.features.has("FEAT_EL2")) return { rows: rows.slice(0, limit), dropped, cursor: String(reasons.count) };
    // Exits of guests are in the log; a cursor of reasons alone is about none.
    if (args.after === undefined || afterExit !== undefined) {
      for (const row of guestExitRows(log, afterExit)) {
        if (filter.matches(row) && rows.push(row) >= fresh.length + limit) break;
      }
      // The registers have no new reason for readers who follow the list.
      if (args.after === undefined) { for (const row of handledExitRows(view)) if (filter.matches(row)) rows.push(row); }
      rows.sort((a, b) => Number(b.t) - Number(a.t));
    }
    return { rows: rows.slice(0, limit), dropped, cursor: `${reasons.count}:${log.cursor}` };
  },
};

/** The newest events that a filter lets through, oldest first. */
function fromLog<R extends Row>(
  view: View,
  args: TableArguments<"rpc.ls" | "sched.ls" | "events">,
  filter: Filter,
  kinds: ReadonlySet<TraceKind>,
  make: (event: TraceEvent) => R | undefined,
): { rows: R[]; dropped: number; cursor: string } {
  const rows: R[] = [];
  const limit = args.limit ?? DEFAULT_LIMIT;
  for (const event of view.system.log.newest(kinds, args.after)) {
    if (args.since !== undefined && event.end < args.since) break;
    const row = make(event);
    if (row && filter.matches(row)) rows.push(row);
    if (rows.length >= limit) break;
  }
  return { rows: rows.reverse(), dropped: view.system.log.lostSince(args.after ?? "0.0"), cursor: view.system.log.cursor };
}
