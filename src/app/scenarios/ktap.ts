// Reads a KTAP or TAP report line by line (`ktap-line.ts` has the lines), as consoles show it: with
// lines of the kernel between and within its own, and with lines that are missing or torn. A test
// of the plan without a result has failed.

import { type Directive, type KtapLine, ktapLine, LINE_MAX, withoutPrintk } from "./ktap-line.ts";

/** Results and reports that are kept. */
const KEPT_MAX = 50_000;
/** Reports within reports that are read. */
const DEPTH_MAX = 32;
/** Lines before a failed result that are kept. */
const DETAILS_MAX = 20;
/** Parts of a plan without results that are listed; those after them are one. */
const GAPS_MAX = 100;

/** A test of a report, without those that have tests themselves. */
export interface KtapCase {
  /** Names of the tests that it is in, from the outermost one, then its own. */
  readonly path: readonly string[];
  readonly result: "ok" | "failed" | "skipped";
  /** Why it failed or was skipped. */
  readonly message?: string;
  /** Lines before the result of a failed test. */
  readonly details?: readonly string[];
}

/** A line with a result, and the reports of its subtests. */
interface Test {
  readonly number: number;
  readonly name: string;
  readonly ok: boolean;
  readonly directive: Directive | undefined;
  readonly reason: string;
  readonly details: string[];
  readonly inner: readonly Report[];
}

/** A report of one level. */
interface Report {
  readonly column: number;
  name: string | undefined;
  plan: number | undefined;
  /** Why none of it was run, if the plan says so. */
  skip: string | undefined;
  bail: string | undefined;
  readonly tests: Test[];
  readonly numbers: Set<number>;
  /** Reports of subtests whose result has not come yet. */
  inner: Report[];
}

export class KtapReader {
  /** Reports that are open, each within the one before. */
  #open: Report[] = [];
  readonly #ended: Report[] = [];
  /** Name that a line gave to the next report. */
  #named: string | undefined;
  #kept = 0;
  /** Results and reports that were not kept. */
  #left = 0;
  /** Lines since the last result that belong to no report. */
  #details: string[] = [];
  /** The last result, to which a block of YAML belongs. */
  #last: Test | undefined;
  /** Column of the block of YAML that has begun. */
  #yaml: number | undefined;
  /** The beginning of a line that the kernel has torn. */
  #torn = "";

  /** Reads a line, without its end. */
  add(line: string): void {
    const { text, torn, isPrintk } = withoutPrintk(line.slice(0, LINE_MAX).trimEnd());
    if (torn) {
      this.#torn += text;
      return;
    }
    const whole = isPrintk ? text : (this.#torn + text).slice(0, LINE_MAX);
    if (!isPrintk) this.#torn = "";
    this.#take(ktapLine(whole));
  }

  /** Whether a report has begun. */
  get begun(): boolean {
    return this.#open.length > 0 || this.#ended.length > 0;
  }

  /** Whether a report has come to its end. */
  get complete(): boolean {
    if (this.#ended.length > 0 || this.#left > 0) return true;
    const [outermost] = this.#open;
    return outermost !== undefined && isComplete(outermost);
  }

  /** The tests, after the last line. */
  cases(): KtapCase[] {
    if (this.#torn !== "") {
      const torn = this.#torn;
      this.#torn = "";
      this.#take(ktapLine(torn));
    }
    // A version alone, after a report, begins the next one.
    if (this.#ended.length > 0 && this.#open.length === 1 && isEmpty(this.#open[0])) this.#open.pop();
    while (this.#open.length > 0) this.#close();
    const cases: KtapCase[] = [];
    for (const report of this.#ended) {
      if (report.plan === undefined && report.bail === undefined) cases.push(failed([], "the report has no plan"));
      reportCases(report, [], cases);
    }
    if (this.#left > 0) {
      cases.push(failed([], `the report is longer than ${KEPT_MAX} results, or deeper than ${DEPTH_MAX} levels: not all of it was read`));
    }
    return cases;
  }

  #take(line: KtapLine): void {
    if (this.#isYaml(line)) return;
    switch (line.kind) {
      case "version":
        this.#closeTo(line.column);
        if (this.#open.at(-1)?.column === line.column) this.#close();
        return void this.#begin(line);
      case "plan":
        return this.#plan(line);
      case "result":
        return this.#result(line);
      case "bail": {
        if (!this.begun) return;
        this.#closeTo(line.column);
        const report = this.#open.at(-1) ?? this.#begin(line);
        if (report) report.bail = line.reason;
        return;
      }
      case "subtest": {
        const report = this.#open.at(-1);
        // KUnit names a report in its own column, TAP 14 in that of the result.
        const isOwn = this.#open.length > 1 && report?.column === line.column && report.tests.length === 0 && report.name === undefined;
        if (isOwn) report.name = line.name;
        else this.#named = line.name;
        return;
      }
      case "yaml":
        return this.#note(line.ends ? "..." : "---");
      case "other":
        return this.#note(line.text);
    }
  }

  /** Whether a line belongs to a block of YAML after a result: it may look like a result itself. */
  #isYaml(line: KtapLine): boolean {
    if (this.#yaml === undefined) {
      const outer = this.#open.at(-1);
      if (line.kind !== "yaml" || line.ends || this.#last === undefined || outer === undefined || line.column <= outer.column) return false;
      this.#yaml = line.column;
      return true;
    }
    const isBlank = line.kind === "other" && line.text === "";
    // A block whose end was lost ends where the report continues.
    if (line.column < this.#yaml && !isBlank) {
      this.#yaml = undefined;
      return false;
    }
    if (line.kind === "yaml" && line.ends && line.column === this.#yaml) this.#yaml = undefined;
    else if (line.kind === "other" && this.#last?.ok === false) keep(this.#last.details, line.text.trim());
    return true;
  }

  #plan(line: Extract<KtapLine, { kind: "plan" }>): void {
    this.#closeTo(line.column);
    const same = this.#open.at(-1);
    // A second plan is that of a report whose version is missing.
    if (same?.column === line.column && same.plan !== undefined) this.#close();
    const last = this.#open.at(-1);
    const report = last?.column === line.column ? last : this.#begin(line);
    if (!report) return;
    report.plan = line.count;
    if (line.count === 0) report.skip = line.skip ?? "";
  }

  #result(line: Extract<KtapLine, { kind: "result" }>): void {
    if (!this.begun) return;
    this.#closeTo(line.column);
    const last = this.#open.at(-1);
    if (last?.column !== line.column && line.number === undefined) return this.#note(line.name);
    const report = last?.column === line.column ? last : this.#begin(line);
    if (!report) return;
    const number = line.number ?? report.tests.length + 1;
    const { name, ok, directive, reason } = line;
    const test = { number, name, ok, directive, reason, details: this.#details, inner: report.inner };
    this.#details = [];
    report.inner = [];
    this.#named = undefined;
    if (!this.#keeps()) return;
    report.numbers.add(number);
    if (isFine(test)) test.details.length = 0;
    report.tests.push(test);
    this.#last = test;
  }

  #note(text: string): void {
    if (this.begun && text.trim() !== "") keep(this.#details, text.trim());
  }

  /** Begins a report; undefined where reports are too deep to be read. */
  #begin({ column }: { readonly column: number }): Report | undefined {
    if (this.#open.length === DEPTH_MAX) {
      this.#left++;
      return undefined;
    }
    if (!this.#keeps()) return undefined;
    const report: Report = {
      column,
      name: this.#named,
      plan: undefined,
      skip: undefined,
      bail: undefined,
      tests: [],
      numbers: new Set(),
      inner: [],
    };
    this.#named = undefined;
    this.#last = undefined;
    // Reports whose outer one was lost are inside this one.
    if (this.#open.length === 0) {
      const outer = this.#ended.findLastIndex((one) => one.column <= column);
      report.inner = this.#ended.splice(outer + 1);
    }
    this.#open.push(report);
    return report;
  }

  /** Whether one more result or report is kept. */
  #keeps(): boolean {
    if (this.#kept < KEPT_MAX) return ++this.#kept > 0;
    this.#left++;
    return false;
  }

  /** Ends the reports of deeper columns. */
  #closeTo(column: number): void {
    while ((this.#open.at(-1)?.column ?? 0) > column) this.#close();
  }

  #close(): void {
    const report = this.#open.pop(), outer = this.#open.at(-1);
    if (!report) return;
    this.#last = undefined;
    this.#yaml = undefined;
    if (outer) outer.inner.push(report);
    else this.#ended.push(report);
  }
}

function keep(details: string[], line: string): void {
  details.push(line);
  if (details.length > DETAILS_MAX) details.shift();
}

function isFine({ ok, directive }: Pick<Test, "ok" | "directive">): boolean {
  return directive === "skip" || directive === "todo" || ok && directive !== "timeout";
}

function isComplete(report: Report): boolean {
  const { plan, numbers, bail, inner } = report;
  return bail !== undefined || plan !== undefined && inner.length === 0 && (numbers.size >= plan || isMisnumbered(report));
}

/**
 * Whether all results of a plan are there, with numbers as programs of kselftest have them that do
 * not count: from 0 on, or one number for all, which differ in their names then.
 */
function isMisnumbered({ plan, tests, numbers }: Report): boolean {
  if (tests.length === 0 || tests.length !== plan) return false;
  if (numbers.size === plan) return tests.every(({ number }) => number < plan);
  return numbers.size === 1 && new Set(tests.map(({ name }) => name)).size === plan;
}

function isEmpty({ tests, plan, inner }: Report): boolean {
  return tests.length === 0 && plan === undefined && inner.length === 0;
}

function failed(path: readonly string[], message: string, details: readonly string[] = []): KtapCase {
  return { path, result: "failed", message, ...details.length > 0 && { details } };
}

/**
 * Adds the cases of a report.
 * @param isSkipped whether its test was skipped: the rest of its plan was not run then, and the
 *   number of the result that says so may be any
 */
function reportCases(report: Report, path: readonly string[], cases: KtapCase[], isSkipped = false): void {
  const { plan, skip, bail, tests } = report;
  const seen = new Set<number>(), isCounted = !isSkipped && !isMisnumbered(report);
  for (const test of tests) {
    testCases(test, path, cases);
    if (!isCounted) continue;
    if (seen.has(test.number)) cases.push(failed([...path, nameOf(test)], `number ${test.number} is there twice`));
    else if (plan !== undefined && test.number > plan) {
      cases.push(failed([...path, nameOf(test)], `number ${test.number} is not in the plan, 1..${plan}`));
    } else if (test.number === 0) cases.push(failed([...path, nameOf(test)], "numbers begin with 1"));
    seen.add(test.number);
  }
  for (const orphan of report.inner) reportCases(orphan, orphan.name === undefined ? path : [...path, orphan.name], cases);
  if (bail !== undefined) cases.push(failed([...path, "Bail out!"], bail === "" ? "the tests were given up" : bail));
  else if (plan === 0 && tests.length === 0) cases.push({ path, result: "skipped", ...skip && { message: skip } });
  else if (isCounted) gapCases(report, path, cases);
}

/** The parts of a plan that have no result. */
function gapCases({ plan, numbers }: Report, path: readonly string[], cases: KtapCase[]): void {
  if (plan === undefined) return;
  let next = 1, gaps = 0;
  for (const number of [...numbers].filter((one) => one <= plan).sort((a, b) => a - b)) {
    if (number > next && ++gaps <= GAPS_MAX) cases.push(gap(next, number - 1, path));
    // The last part of the list covers the rest of the plan.
    if (gaps > GAPS_MAX) return void cases.push(gap(next, plan, path));
    next = number + 1;
  }
  if (next <= plan) cases.push(gap(next, plan, path));
}

function gap(from: number, to: number, path: readonly string[]): KtapCase {
  return failed(
    [...path, from === to ? `test ${from}` : `tests ${from} to ${to}`],
    "no result: the line is missing, or the test did not end",
  );
}

/** Adds a test, or those in it. */
function testCases(test: Test, path: readonly string[], cases: KtapCase[]): void {
  const own = [...path, nameOf(test)], before = cases.length;
  for (const report of test.inner) {
    // A kselftest runs programs, each with a report that has no name but the test's.
    const within = report.name === undefined || report.name === test.name ? own : [...own, report.name];
    reportCases(report, within, cases, test.directive === "skip");
  }
  const hasCases = cases.length > before;
  if (isFine(test)) {
    if (hasCases) return;
    const isSkipped = test.directive === "skip" || test.directive === "todo" && !test.ok;
    const word = test.directive === "todo" ? "expected to fail" : "";
    const message = [word, test.reason].filter((part) => part !== "").join(": ");
    cases.push({ path: own, result: isSkipped ? "skipped" : "ok", ...isSkipped && message !== "" && { message } });
    return;
  }
  // The failure of a subtest explains that of its test, unless the test timed out.
  const isTold = test.directive !== "timeout" && cases.slice(before).some(({ result }) => result === "failed");
  if (!isTold) cases.push(failed(own, messageOf(test), test.details));
}

function nameOf({ name, number }: Test): string {
  return name === "" ? `test ${number}` : name;
}

function messageOf({ directive, reason }: Test): string {
  if (directive === "timeout") return reason === "" ? "timed out" : `timed out: ${reason}`;
  return reason === "" ? "not ok" : `not ok: ${reason}`;
}
