// Runs a scenario in the caller's thread and in virtual time alone: the same scenario with the same
// seed is the same run, step by step.

import { node } from "../../kit/support/node-modules.ts";
import { waitingText } from "../../model/queries/facts/wait.ts";
import { assemble } from "../../session/assembly/assemble.ts";
import type { GuestSystem } from "../../session/assembly/system/guest-system.ts";
import { letIn } from "../../session/recordings/past/input.ts";
import type { EndState, Input, RecordedInput } from "../../model/plans/recorded-run.ts";
import type { PastRun } from "../../session/recordings/file/recording-writer.ts";
import { alone, type SessionPlan } from "../../model/plans/plan.ts";
import { INJECT_ADD, INJECT_REMOVE } from "../../model/commands/faults.ts";
import { nameOf, withKind, withoutKind } from "../../model/queries/ids.ts";
import { diagnosisLines, timedOutLines } from "../../model/queries/texts/diagnosis-text.ts";
import { isExactly } from "../../model/queries/filters/filter.ts";
import { listQuery, rowsOf } from "../../model/queries/query.ts";
import { reasonLines, ruleLine } from "../../model/queries/texts/reason-text.ts";
import { DIAGNOSES, REASONS } from "../../model/queries/tables.ts";
import { consolesOf, type PlannedScenario } from "./plan-scenario.ts";
import { describeStep, type Scenario, type Step } from "./scenario.ts";
import { type KtapCase, KtapReader } from "./ktap.ts";
import { type Delivery, TAKES } from "./delivery.ts";
import { type ConsoleBytes, type ScenarioOptions, type ScenarioResult, type StepResult, Undelivered } from "./run-terms.ts";
import { checkedCases, StepFailure } from "./step-failure.ts";
import { inShellApart, isPrompt, type ShellCommand, ShellOutput, SKIPPED, typedLine } from "./shell-run.ts";
import { LinearRegex } from "../../kit/support/text/linear-regex.ts";
import { consoleLines, WatchedConsoles, WatchedEvents, WatchedValue } from "./watched.ts";
import { problemText } from "../../kit/support/problem.ts";

/** Turns of the physical CPUs between two checks of an expectation. */
const TURNS = 8;
/** Virtual time (ns) between two checks of rows. */
const ROWS_INTERVAL = 1e6;
/** The same at verdicts, which take longer. */
const VERDICT_INTERVAL = 10e6;
/** Wall time (ms) between two chances for others on this thread. */
const BREATH = 100;
/** Reasons that a failure shows, the newest. */
const REASONS_TOLD = 3;
/** Lines of a console that a failure shows. */
const TAIL = 8;
/** Virtual time (ns) in which a machine comes to its prompt. */
const PREPARED_WITHIN = 120e9;
/** Virtual time (ns) in which a guest takes the files that have changed. */
const DELIVERED_WITHIN = 60e9;
/** Virtual time (ns) for which a prompt has to stay. */
const PROMPT_STAYS = 10e6;

function endedText({ code, message }: { readonly code: number; readonly message: string }): string {
  return `the machine has ended with ${code}: ${message}`;
}

export class ScenarioRun {
  readonly scenario: Scenario;
  readonly plan: SessionPlan;
  readonly #delivery: Delivery | undefined;
  /** The machine, which the caller may inspect at the end. */
  readonly system: GuestSystem;
  readonly #consoles = new WatchedConsoles();
  #events: WatchedEvents | undefined;
  /** Whether it is on its way to a state for others. */
  #keeps: boolean;
  /** All that consoles have shown on that way. */
  readonly #shown: ConsoleBytes[] = [];
  readonly #inputs: RecordedInput[] = [];
  readonly #hash = node.crypto.createHash("sha256");
  readonly #started = performance.now();
  #breath = performance.now();
  /** Virtual time (ns) of the next look for kernels. */
  #kernelsDue = 0;
  #told = performance.now();
  /** The newest reason that an expectation has met. */
  #reason = 0;

  /** @param planned from `planScenario` */
  constructor({ scenario, plan, delivery }: PlannedScenario, readonly options: ScenarioOptions = {}) {
    this.scenario = scenario;
    this.plan = plan;
    this.#delivery = delivery;
    // A machine without sockets, as that of a replay: nothing enters but what the scenario says.
    const { prepared } = options, begun = prepared?.begin(alone(plan));
    this.#keeps = prepared !== undefined && !begun;
    this.system = begun?.system ?? assemble(alone(plan));
    for (const shown of begun?.shown ?? []) this.#show(shown);
    // A prepared machine is watched from its prompt on, whichever scenario has brought it there.
    if (prepared === undefined) this.#watch();
  }

  /** Does the steps, until one fails. @throws Undelivered */
  async run(): Promise<ScenarioResult> {
    const steps: StepResult[] = [];
    let failed = false;
    for (const [index, step] of this.scenario.steps.entries()) {
      const text = describeStep(step);
      if (failed) {
        steps.push({ step, text, result: "skipped", at: this.#now });
        continue;
      }
      try {
        const cases = await this.#perform(step, index);
        steps.push({ step, text, result: "ok", at: this.#now, ...cases && { cases } });
      } catch (failure) {
        if (!(failure instanceof StepFailure)) throw failure;
        failed = true;
        steps.push({
          step,
          text,
          result: "failed",
          at: this.#now,
          ...this.#explained(failure),
          ...failure.cases && { cases: failure.cases },
        });
      }
      this.#events?.reached(index + 1);
    }
    const last = steps.at(-1), broken = failed ? undefined : this.#unexpected();
    if (last && broken) {
      failed = true;
      steps[steps.length - 1] = { ...last, result: "failed", ...this.#explained(broken) };
    }
    return { scenario: this.scenario, seed: this.plan.seed, steps, ok: !failed, elapsed: performance.now() - this.#started };
  }

  /** The run so far, for a recording that ends as the scenario did. */
  past(message: string): PastRun {
    this.#takeOutput();
    const system = this.system;
    const own = system.ended();
    const end: EndState = {
      instructions: system.instructions(),
      registers: system.hashes.registers(),
      memory: system.hashes.memory(),
      console: this.#hash.copy().digest("hex"),
      code: own?.code ?? 1,
      message: own?.message ?? message,
      own: own !== undefined,
    };
    return { inputs: this.#inputs, at: system.machine.boundary, end };
  }

  get #now(): number {
    return this.system.machine.boundary;
  }

  /** A failure with what is wrong with VMs, and why. */
  #explained({ message, details }: StepFailure): Required<Pick<StepResult, "message" | "details" | "verdicts">> {
    const sick = rowsOf(DIAGNOSES, this.system.inspector.answer({ table: "diagnose", args: { filter: "healthy=no" } }));
    const reasons = rowsOf(REASONS, this.system.inspector.answer({ table: "why", args: { filter: "failed=yes", limit: REASONS_TOLD } }));
    const why = reasons.toReversed().flatMap((row) => reasonLines(row, true).map(({ text }) => text));
    const [first] = sick.map((row) => diagnosisLines(row)[0]);
    return {
      message: first === undefined ? message : `${first}; ${message}`,
      details: [...sick.flatMap(diagnosisLines), ...why, ...details],
      verdicts: sick.map(({ id, verdict, text, way_out, fact, because }) => ({ id, verdict, text, way_out, fact, because })),
    };
  }

  /** Wall time is over: what makes no progress is explained as for any failure, the rest here. */
  #timedOut(timeout: number): StepFailure {
    const healthy = rowsOf(DIAGNOSES, this.system.inspector.answer({ table: "diagnose", args: { filter: "healthy=yes" } }));
    return new StepFailure(`--timeout: ${timeout / 1000} s of wall time passed`, timedOutLines(healthy));
  }

  /** VMs that have failed, where no step expects such a thing. */
  #unexpected(): StepFailure | undefined {
    const { steps } = this.scenario;
    if (steps.some(({ kind }) => kind === "expect_why" || kind === "expect_end")) return undefined;
    const expected = new Set(
      steps.flatMap((step) => step.kind === "expect_vm_end" || step.kind === "expect_diagnosis" ? [withoutKind("vm", step.of)] : []),
    );
    const [first] = this.system.broken().filter((text) => !expected.has(text.split(": ")[0]));
    return first === undefined ? undefined : new StepFailure("every step passed, but none expects that this VM fails", [first]);
  }

  /** Does a step. Returns the tests of the report that it has read. */
  async #perform(step: Step, index: number): Promise<readonly KtapCase[] | undefined> {
    if (step.kind === "expect_ktap") return await this.#expectKtap(step);
    if (step.kind === "run") return await this.#run(step, index);
    if (step.kind === "boot") return void await this.#boot(step);
    return void await this.#take(step, index);
  }

  #watch(): void {
    this.#events = new WatchedEvents(this.scenario.steps, this.system.hypervisor.trace);
  }

  /** The machine is made already. The first of those that share a state runs to its prompt. */
  async #boot(step: Step): Promise<void> {
    const { prepared } = this.options;
    if (prepared === undefined) return;
    const [console] = consolesOf(this.plan);
    if (this.#keeps) {
      if (!await this.#untilPrompt(step, console, PREPARED_WITHIN)) {
        throw this.#missed("prompt", PREPARED_WITHIN, this.#consoles.last(console, TAIL));
      }
      const problem = prepared.keep(this.system, this.#shown.splice(0));
      this.#keeps = false;
      if (problem) throw new StepFailure(`its state cannot be kept: ${problemText(problem)}`);
    }
    if (this.#delivery) await this.#deliver(step, console, this.#delivery);
    this.#watch();
  }

  /** @throws Undelivered */
  async #deliver(step: Step, console: string, { command, input }: Delivery): Promise<void> {
    const end = this.#now + DELIVERED_WITHIN, lines: string[] = [], pieces = input.values();
    const isReady = await this.#untilPrompt(step, console, end);
    const status = isReady
      ? await this.#command(step, { console, command, number: 0, end }, (line) => lines.push(line.trimEnd()), () => {
        // A guest that is idle has read what was typed.
        const piece = lines.includes(TAKES) ? pieces.next().value : undefined;
        if (piece !== undefined) this.#type(console, piece);
      })
      : undefined;
    if (status !== 0) throw new Undelivered([status === undefined ? "no end" : `exit status ${status}`, ...lines.slice(-TAIL)].join("; "));
  }

  async #take(step: Exclude<Step, { kind: "boot" | "expect_ktap" | "run" }>, index: number): Promise<void> {
    switch (step.kind) {
      case "at":
        return void await this.#until(step, step.at, () => false);
      case "send":
        this.#console(step.to);
        return this.#type(step.to, step.send);
      case "inject":
        return this.#act(INJECT_ADD.of({ rule: step.inject }));
      case "remove":
        return this.#act(INJECT_REMOVE.of({ rule: step.remove }));
      case "expect_console": {
        const pattern = new LinearRegex(step.expect_console, "m");
        this.#console(step.of);
        if (await this.#until(step, this.#now + step.within, () => this.#consoles.meet(step.of, pattern))) return;
        throw this.#missed("line", step.within, this.#consoles.last(step.of, TAIL));
      }
      case "expect_event":
        if (await this.#until(step, this.#now + step.within, () => this.#events?.met(index) === true)) return;
        throw this.#missed("event", step.within, this.#newest("events").map((row) => `${row.id} ${row.text}`));
      case "expect_why":
        if (await this.#until(step, this.#now + step.within, () => this.#hasReason(step.expect_why))) return;
        throw this.#missed("reason", step.within, this.#reasons());
      case "expect_rows":
        return await this.#expectRows(step);
      case "expect_print":
        return await this.#expectPrint(step);
      case "expect_no_console": {
        const pattern = new LinearRegex(step.expect_no_console, "m");
        this.#console(step.of);
        if (!await this.#until(step, this.#now + step.within, () => this.#consoles.meet(step.of, pattern), true)) return;
        throw new StepFailure(`the console shows it at ${this.#now / 1e9} s of virtual time`);
      }
      case "expect_no_why":
        if (!await this.#until(step, this.#now + step.within, () => this.#hasReason(step.expect_no_why), true)) return;
        throw new StepFailure("there is such a reason", this.#reasons());
      case "expect_diagnosis":
        return await this.#expectDiagnosis(step);
      case "expect_vm_end":
        return await this.#expectVmEnd(step);
      case "expect_end":
        return await this.#expectEnd(step);
    }
  }

  /** Waits for the end of a report. Returns its tests. */
  async #expectKtap(step: Extract<Step, { kind: "expect_ktap" }>): Promise<readonly KtapCase[]> {
    const console = step.expect_ktap, reader = new KtapReader();
    this.#console(console);
    const look = () => {
      for (let line: string | undefined; !reader.complete && (line = this.#consoles.takeLine(console)) !== undefined;) reader.add(line);
      return reader.complete;
    };
    const isWhole = await this.#until(step, this.#now + step.within, look, true), end = this.system.ended();
    // A machine that has ended shows no more of its last line.
    if (!isWhole && end) this.#consoles.tail(console, 1).forEach((line) => reader.add(line));
    if (!reader.begun) {
      const last = this.#consoles.last(console, TAIL);
      throw end ? new StepFailure(`there is no report: ${endedText(end)}`, last) : this.#missed("report", step.within, last);
    }
    return checkedCases(reader.cases(), isWhole ? undefined : this.#unfinished("report", step.within));
  }

  /** Runs a command at the prompt of a shell. Returns the tests that it reports. */
  async #run(step: Extract<Step, { kind: "run" }>, index: number): Promise<readonly KtapCase[] | undefined> {
    const { of: console, run: command, within } = step, end = this.#now + within;
    if (typeof command !== "string") throw new Error("a step that planScenario has not planned");
    this.#console(console);
    if (!await this.#untilPrompt(step, console, end)) throw this.#missed("prompt", within, this.#consoles.last(console, TAIL));
    const reader = new KtapReader(), tail: string[] = [];
    const status = await this.#command(step, { console, command: inShellApart(command), number: index, end }, (line) => {
      reader.add(line);
      tail.push(line.trimEnd());
      if (tail.length > TAIL) tail.shift();
    });
    const isWhole = status !== undefined;
    const cases = reader.begun ? reader.cases() : undefined;
    const broken = !isWhole
      ? this.#unfinished("command", within)
      : status === 0 || status === SKIPPED
      ? undefined
      : `exit status ${status}`;
    if (cases) return checkedCases(cases, broken);
    if (broken !== undefined) {
      throw new StepFailure(broken, [...consoleLines(console, tail), ...isWhole ? [] : this.#consoles.last(console, TAIL)].slice(-TAIL));
    }
    return status === SKIPPED ? [{ path: [command], result: "skipped", message: `exit status ${SKIPPED}` }] : undefined;
  }

  /**
   * Runs a command at a prompt. Returns its exit status; undefined if there is none in time.
   * @param hear gets each line of its output
   * @param idle called when all CPUs wait
   */
  async #command(
    step: Step,
    { console, command, number, end }: ShellCommand,
    hear: (line: string) => void,
    idle: () => void = () => {},
  ): Promise<number | undefined> {
    const output = new ShellOutput(number);
    this.#type(console, typedLine(command, number));
    await this.#until(step, end, (isIdle) => {
      for (let line: string | undefined; output.status === undefined && (line = this.#consoles.takeLine(console)) !== undefined;) {
        if (output.take(line)) hear(line);
      }
      if (isIdle) idle();
      return output.status !== undefined;
    }, true);
    return output.status;
  }

  /** Waits for a prompt that stays, as a line of output may end like one. */
  async #untilPrompt(step: Step, console: string, end: number): Promise<boolean> {
    let since = Infinity;
    return await this.#until(step, end, () => {
      if (!isPrompt(this.#consoles.end(console))) since = Infinity;
      else since = Math.min(since, this.#now);
      return this.#now - since >= PROMPT_STAYS;
    }, true);
  }

  /** Why a report or a command did not come to its end. */
  #unfinished(what: "report" | "command", within: number): string {
    const end = this.system.ended();
    return end ? `${endedText(end)} before the end of the ${what}` : `the ${what} did not end within ${within / 1e9} s of virtual time`;
  }

  /** As `#until` within a step's time, with costly looks, which are so far apart. */
  async #answers(step: Step & { readonly within: number }, interval: number, met: () => boolean, ends: boolean): Promise<boolean> {
    let looked = -Infinity;
    const look = () => {
      if (this.#now - looked < interval) return false;
      looked = this.#now;
      return met();
    };
    // The last look may have been a while ago.
    return await this.#until(step, this.#now + step.within, look, ends) || met();
  }

  async #expectRows(step: Extract<Step, { kind: "expect_rows" }>): Promise<void> {
    const rows = () => this.system.inspector.answer(listQuery(step.expect_rows, { filter: step.filter })).rows.length;
    const met = () => step.count === undefined ? rows() > 0 : rows() === step.count;
    if (await this.#answers(step, ROWS_INTERVAL, met, false)) return;
    throw new StepFailure(`${rows()} rows match, not ${step.count ?? "one or more"}`);
  }

  async #expectPrint(step: Extract<Step, { kind: "expect_print" }>): Promise<void> {
    const value = new WatchedValue((query) => this.system.inspector.answer(query), step.expect_print);
    if (!await this.#answers(step, VERDICT_INTERVAL, () => value.is(step.is), true)) throw value.failure(step.is);
  }

  async #expectDiagnosis(step: Extract<Step, { kind: "expect_diagnosis" }>): Promise<void> {
    const row = () => {
      return this.system.inspector.answer({ table: "diagnose", args: { filter: isExactly("id", withKind("vm", step.of)) } })
        .rows[0];
    };
    if (await this.#answers(step, VERDICT_INTERVAL, () => row()?.verdict === step.expect_diagnosis, true)) return;
    const last = row();
    throw new StepFailure(last ? `the diagnosis is ${last.verdict}: ${last.text}` : `there is no diagnosis of ${JSON.stringify(step.of)}`);
  }

  async #expectVmEnd(step: Extract<Step, { kind: "expect_vm_end" }>): Promise<void> {
    const vm = withoutKind("vm", step.of);
    const pattern = new LinearRegex(step.expect_vm_end, "m");
    const end = () => this.system.hypervisor.trace.reasons.endOf(vm);
    await this.#until(step, this.#now + step.within, () => end() !== undefined, true);
    const reason = end();
    if (!reason) throw this.#missed("end", step.within, this.system.waits().map(waitingText));
    const found = `${reason.result ?? reason.chain[0]?.result.name ?? ""}: ${reason.rule}`;
    if (!pattern.test(found)) throw new StepFailure(`it ended with another reason: ${found}`);
  }

  async #expectEnd(step: Extract<Step, { kind: "expect_end" }>): Promise<void> {
    await this.#until(step, this.#now + step.within, () => false, true);
    const end = this.system.ended();
    if (!end) throw this.#missed("end", step.within, this.system.waits().map(waitingText));
    if (end.code !== step.expect_end) throw new StepFailure(`it ended with ${end.code}: ${end.message}`);
    if (step.message !== undefined && !new LinearRegex(step.message, "m").test(end.message)) {
      throw new StepFailure(`it ended with another message: ${end.message}`);
    }
  }

  /**
   * Lets the machine run until `met`, for which it looks between turns, or to a virtual time (ns).
   * True when it was met.
   * @param ends whether the machine may end meanwhile
   * @throws StepFailure if it cannot continue
   */
  async #until(step: Step, time: number, met: (isIdle: boolean) => boolean, ends = false): Promise<boolean> {
    const { machine } = this.system;
    for (let isIdle = false;;) {
      this.#takeOutput();
      if (met(isIdle)) return true;
      const end = this.system.ended();
      if (end && ends) return false;
      if (end) throw new StepFailure(endedText(end));
      if (machine.boundary >= time) return false;
      await this.#breathe(step);
      this.#followKernels();
      const result = machine.run(time, TURNS);
      isIdle = result.kind === "idle";
      if (result.kind === "idle") machine.skipTo(Math.min(result.next, time));
    }
  }

  /** Kernels that have begun to boot are observed, if a step expects their events. */
  #followKernels(): void {
    const { kernelEvents, machine } = this.system;
    if (!kernelEvents.wanted || machine.boundary < this.#kernelsDue) return;
    kernelEvents.follow();
    this.#kernelsDue = machine.boundary + ROWS_INTERVAL;
  }

  /** Lets other work of this thread run, and checks the wall clock. */
  async #breathe(step: Step): Promise<void> {
    const now = performance.now();
    if (now - this.#breath < BREATH) return;
    await new Promise((resolve) => setTimeout(resolve, 0));
    this.#breath = performance.now();
    const { timeout = Infinity, onProgress } = this.options;
    if (now - this.#started > timeout) throw this.#timedOut(timeout);
    if (now - this.#told < 1000) return;
    this.#told = now;
    onProgress?.(step, this.#now);
  }

  #takeOutput(): void {
    for (const shown of this.system.consoles.drain()) this.#show(shown);
    // No other reader takes them.
    this.system.events.drain();
  }

  #show(shown: ConsoleBytes): void {
    this.#hash.update(shown.bytes);
    this.#consoles.add(shown.console, shown.bytes);
    if (this.#keeps) this.#shown.push(shown);
  }

  #type(console: string, text: string): void {
    this.#enter({ kind: "console", console, bytes: new TextEncoder().encode(text) });
  }

  #enter(input: Input): void {
    const { machine } = this.system;
    const place = { at: machine.boundary, settled: machine.settled };
    this.#inputs.push({ ...place, input });
    const error = letIn(this.system, input);
    if (error !== undefined) throw new StepFailure(problemText(error));
  }

  #act(action: Extract<Input, { kind: "act" }>["action"]): void {
    this.#enter({ kind: "act", action });
  }

  #console(name: string): void {
    const names = consolesOf(this.plan);
    if (!names.includes(name)) throw new StepFailure(`no console ${JSON.stringify(name)}; there are ${names.join(", ")}`);
  }

  #hasReason(filter: string): boolean {
    const { reasons } = this.system.hypervisor.trace;
    if (reasons.count === this.#reason) return false;
    const { rows } = this.system.inspector.answer({ table: "why", args: { filter, after: String(this.#reason) } });
    const first = rows.at(-1);
    if (!first) return false;
    this.#reason = Number(nameOf(String(first.id)));
    return true;
  }

  #newest(table: "events" | "why") {
    return this.system.inspector.answer({ table, args: { limit: TAIL } }).rows;
  }

  /** The newest reasons, each with its section and rule. */
  #reasons(): string[] {
    return rowsOf(REASONS, { table: "why", rows: this.#newest("why") }).map((row) => `${row.id} ${ruleLine(row)}`);
  }

  #missed(what: "line" | "prompt" | "report" | "event" | "reason" | "end", within: number, details: readonly string[]): StepFailure {
    return new StepFailure(`no such ${what} within ${within / 1e9} s of virtual time`, details);
  }
}
