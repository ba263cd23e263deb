// The input of a scenario's expectations: the output of consoles, past events, and values.

import type { TraceEvent, TraceKind } from "../../machine/abi/trace.ts";
import type { TraceHub } from "../../machine/hypervisor/inspect.ts";
import { type EventMatcher, kindsForFilter, parseEventFilter } from "../../model/queries/filters/temporal-filter.ts";
import type { RowOf } from "../../model/queries/table.ts";
import { eventRow } from "../../session/inspection/readers/objects/read-trace.ts";
import { type Answer, type Query, rowsOf } from "../../model/queries/query.ts";
import { EVENTS, PRINTED } from "../../model/queries/tables.ts";
import type { LinearRegex } from "../../kit/support/text/linear-regex.ts";
import { RecentText } from "../../kit/support/text/recent-text.ts";
import { ShownText } from "../../kit/support/text/shown-text.ts";
import type { Step } from "./scenario.ts";
import { StepFailure } from "./step-failure.ts";

/** Characters of a console that are kept for an expectation. */
const KEPT = 1 << 20;

/** Characters of a console's end: a prompt, and lines of the kernel after it. */
const END = 2048;

/** Lines of a console, for a failure. */
export const consoleLines = (console: string, lines: readonly string[]): string[] => lines.map((line) => `${console}| ${line}`);

/** The consoles, as text that no expectation has met yet. */
export class WatchedConsoles {
  readonly #texts = new Map<string, { readonly text: RecentText; missed: LinearRegex | undefined; readonly seen: ShownText }>();

  /** A console has shown bytes. */
  add(console: string, bytes: Uint8Array): void {
    const one = this.#texts.get(console) ?? { text: new RecentText(KEPT), missed: undefined, seen: new ShownText() };
    this.#texts.set(console, one);
    one.missed = undefined;
    one.text.add(one.seen.of(bytes));
  }

  /** Whether a console has shown this; what came up to its end is met then. */
  meet(console: string, pattern: LinearRegex): boolean {
    const one = this.#texts.get(console);
    // Expectations look after each turn of the machine, most of which show nothing.
    if (!one || one.missed === pattern) return false;
    const isMet = one.text.take(pattern) !== undefined;
    if (!isMet) one.missed = pattern;
    return isMet;
  }

  /** The first line that no expectation has met, without its end, which is met then. */
  takeLine(console: string): string | undefined {
    return this.#texts.get(console)?.text.takeLine();
  }

  /** The last characters that no expectation has met. */
  end(console: string): string {
    return this.#texts.get(console)?.text.tail(END) ?? "";
  }

  /** The last lines that no expectation has met. */
  tail(console: string, lines: number): string[] {
    return (this.#texts.get(console)?.text.tail(KEPT) ?? "").trimEnd().split(/\r*\n/).slice(-lines);
  }

  /** The same for a failure. */
  last(console: string, lines: number): string[] {
    return consoleLines(console, this.tail(console, lines));
  }
}

/**
 * The events of a scenario's expectations. Each is met by the first event after that of the
 * expectation before it, whenever that came. An action of the scenario separates them: an event
 * expected after it must come later.
 */
export class WatchedEvents {
  readonly #steps: readonly { readonly index: number; readonly matcher: EventMatcher<RowOf<typeof EVENTS>>; readonly barrier: number }[];
  #next = 0;
  /** Steps before this one have been done. */
  #done = 0;

  constructor(steps: readonly Step[], trace: TraceHub) {
    let barrier = 0;
    const wanted: { index: number; matcher: EventMatcher<RowOf<typeof EVENTS>>; barrier: number }[] = [];
    const kinds = new Set<TraceKind>();
    steps.forEach((step, index) => {
      if (!step.kind.startsWith("expect_")) barrier = index + 1;
      if (step.kind !== "expect_event") return;
      wanted.push({ index, matcher: parseEventFilter(step.expect_event, EVENTS).start(), barrier });
      for (const kind of kindsForFilter(step.expect_event)) kinds.add(kind);
    });
    this.#steps = wanted;
    if (kinds.size > 0) trace.listen(kinds, (event) => this.#note(event));
  }

  /** Steps before `index` have been done. */
  reached(index: number): void {
    this.#done = index;
  }

  /** Whether the expectation of a step is met. */
  met(index: number): boolean {
    return this.#steps.findIndex((step) => step.index === index) < this.#next;
  }

  #note(event: TraceEvent): void {
    const step = this.#steps[this.#next];
    if (step && step.barrier <= this.#done && step.matcher.see(eventRow(event)).length > 0) this.#next++;
  }
}

/** The value of one expression, as `el2 print` prints it. */
export class WatchedValue {
  constructor(readonly ask: (query: Query) => Answer, readonly expression: string) {}

  #printed() {
    const answer = this.ask({ table: PRINTED.name, args: { at: this.expression } });
    return { rows: rowsOf(PRINTED, answer), error: answer.error };
  }

  /** Whether it is this text, with or without a text's quotes, or this number. */
  is(wanted: string): boolean {
    const { rows: [row, ...more] } = this.#printed();
    return row !== undefined && !more.length && [row.value, row.number].some((one) => one === wanted || one === JSON.stringify(wanted));
  }

  /** Why a step fails that wants something else. */
  failure(wanted: string): StepFailure {
    const { rows: [row, ...more], error } = this.#printed();
    if (more.length) return new StepFailure(`${more.length + 1} values: choose one, as in list(…)[0]`);
    return new StepFailure(`it is ${row?.value ?? `without a value: ${error}`}, not ${wanted}`);
  }
}
