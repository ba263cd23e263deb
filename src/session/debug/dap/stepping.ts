// Steps over lines, into and out of functions, forward and back, made of the machine's operations:
// run to a breakpoint, execute one instruction or those of a range, go back to a breakpoint.

import { DEBUG_REGISTERS, type StepRange } from "../../../machine/hypervisor/interface.ts";
import { rowsOf } from "../../../model/queries/query.ts";
import { LINES, STACK } from "../../../model/queries/tables.ts";
import { bodyOf, type Breakpoints } from "./breakpoints.ts";
import type { DapStop, DapTarget } from "./target.ts";
import type { Threads } from "./threads.ts";
import { hex } from "../../../kit/support/text/number-text.ts";

const INSTRUCTION = 4n;
/** Bytes of the exception vectors at VBAR_ELx. */
const VECTORS = 0x800n;
/** Limit on the pieces of one step, such as a line with many calls. */
const PIECES_MAX = 10_000;
/** Limit on the lines of a function with breakpoints for a step back. */
const LINES_MAX = 500;
const registerNumber = (name: string) => DEBUG_REGISTERS.findIndex((one) => one.name === name);
const SP = registerNumber("SP"), CPSR = registerNumber("CPSR");
/** Registers of exceptions, by the level that takes them. */
const OF_EL1 = { vbar: registerNumber("VBAR_EL1"), elr: registerNumber("ELR_EL1") };
const OF_EL2 = { vbar: registerNumber("VBAR_EL2"), elr: registerNumber("ELR_EL2") };
/** CPSR.EL of EL2. */
const EL2 = 2n, EL_SHIFT = 2n;

export type StepKind = "over" | "in" | "out" | "instruction";

/** The machine's runs as promises. */
export interface Runner {
  /**
   * Continues, and resolves to the next stop.
   * @param vcpu the one that steps
   */
  run(go: () => void, vcpu?: number): Promise<DapStop>;
  /** Whether a stop at a breakpoint or watchpoint counts for the client: its terms hold. */
  counts(stop: DapStop, isBack: boolean): Promise<boolean>;
  /** Whether the client wants a pause. */
  interrupted(): boolean;
}

/** Where a vCPU is in its calls: the innermost frame of a function, not an inlined one. */
interface Calls {
  /** Inlined calls in that frame. */
  readonly inlined: number;
  readonly cfa: bigint | undefined;
  readonly caller: { readonly pc: bigint; readonly cfa: bigint | undefined } | undefined;
}

/** The code of a source line. */
interface Line extends StepRange {
  readonly line: number;
  readonly file: string;
}

export class Stepping {
  constructor(
    readonly target: DapTarget,
    readonly breakpoints: Breakpoints,
    readonly threads: Threads,
    readonly runner: Runner,
  ) {}

  /** Whether the next instruction of a vCPU has a breakpoint. */
  #isAtBreakpoint({ vcpu, pc }: DapStop): boolean {
    return this.breakpoints.has(this.threads.vmOf(vcpu), pc);
  }

  /** A step that ended at a breakpoint: the breakpoint is the cause of the stop. */
  #atBreakpoint(stop: DapStop): DapStop {
    return stop.cause === "step" && this.#isAtBreakpoint(stop) ? { ...stop, cause: "breakpoint" } : stop;
  }

  /** A stop of a run forward. */
  async #forward(go: () => void, vcpu?: number): Promise<DapStop> {
    this.breakpoints.leave(false);
    return await this.runner.run(go, vcpu);
  }

  /** Whether the client hears of a stop; one at a breakpoint whose terms do not hold is passed. */
  async #counts(stop: DapStop, isBack = false): Promise<boolean> {
    const hasTerms = stop.cause === "breakpoint" || stop.cause === "watchpoint";
    return !hasTerms || this.runner.interrupted() || await this.runner.counts(stop, isBack);
  }

  /** Continues from a stop to the next one that counts. */
  async resume(from: DapStop): Promise<DapStop> {
    for (let at = from;;) {
      at = await this.#next(at);
      if (await this.#counts(at)) return at;
    }
  }

  /** Continues from a stop to the next one: first over the instruction that would stop again. */
  async #next(from: DapStop): Promise<DapStop> {
    const stop = await this.#leave(from);
    return stop ?? await this.#forward(() => this.target.go(undefined));
  }

  /** Executes the instruction that would stop again. Returns a stop that another cause made. */
  async #leave(from: DapStop): Promise<DapStop | undefined> {
    if (from.cause !== "watchpoint" && !this.#isAtBreakpoint(from)) return undefined;
    const stop = await this.#forward(() => this.target.go(from.vcpu), from.vcpu);
    return stop.cause !== "step" || this.runner.interrupted() || this.#isAtBreakpoint(stop) ? this.#atBreakpoint(stop) : undefined;
  }

  /**
   * A step of a vCPU.
   * @param stopped where the machine has stopped, if that is another vCPU
   */
  async step(kind: StepKind, stop: DapStop, stopped?: DapStop): Promise<DapStop> {
    const other = stopped && await this.#leave(stopped);
    if (other && await this.#counts(other)) return other;
    if (kind === "out") return await this.#out(stop, await this.#calls(stop.vcpu));
    const first = kind === "instruction" ? undefined : await this.#line(stop);
    return kind === "instruction" || !first ? await this.#piece(stop, undefined) : await this.#lineStep(kind, stop, first);
  }

  /** To another line, or with "in" to a function. */
  async #lineStep(kind: "over" | "in", stop: DapStop, first: Line): Promise<DapStop> {
    const origin = await this.#calls(stop.vcpu);
    let at = stop, range = first;
    for (let piece = 0; piece < PIECES_MAX; piece++) {
      at = await this.#piece(at, range);
      if (at.cause !== "step" || this.runner.interrupted()) return at;
      if (isIn(range, at)) continue;
      const after = await this.#leftLine(kind, at, origin);
      if (after !== "done") at = after;
      const { cfa, inlined } = await this.#calls(at.vcpu);
      if (at.cause !== "step" || cfa !== origin.cfa) return at;
      if (isIn(range, at)) continue;
      const line = await this.#line(at);
      if (!line) return at;
      const isInlinedCall = kind === "over" && inlined > origin.inlined;
      const isSame = inlined === origin.inlined && line.line === first.line && line.file === first.file;
      if (!isInlinedCall && !isSame && (after === "done" || line.start === at.pc)) return at;
      range = line;
    }
    return at;
  }

  /**
   * A vCPU executes one instruction, or those of a range. At a breakpoint that does not count, it
   * has stepped as well.
   */
  async #piece({ vcpu }: DapStop, range: StepRange | undefined): Promise<DapStop> {
    for (;;) {
      const stop = this.#atBreakpoint(await this.#forward(() => this.target.go(vcpu, range), vcpu));
      if (await this.#counts(stop)) return stop;
      if (stop.vcpu === vcpu) return { ...stop, cause: "step" };
      const other = await this.#leave(stop);
      if (other && await this.#counts(other)) return other;
    }
  }

  /** A vCPU is out of its line: it is in a function, an exception, or another line. */
  async #leftLine(kind: StepKind, at: DapStop, origin: Calls): Promise<DapStop | "done"> {
    const registers = await this.#registers(at.vcpu);
    const taken = (registers[CPSR] >> EL_SHIFT & 3n) === EL2 ? OF_EL2 : OF_EL1, vbar = registers[taken.vbar];
    if (at.pc >= vbar && at.pc < vbar + VECTORS) return await this.#runTo(at, registers[taken.elr], undefined);
    const { cfa, caller } = await this.#calls(at.vcpu);
    const isCall = origin.cfa !== undefined && caller?.cfa === origin.cfa && cfa !== origin.cfa;
    if (!isCall) return "done";
    // A function without lines is not stepped into.
    if (kind === "in" && await this.#line(at)) return await this.#pastPrologue(at);
    return await this.#runTo(at, caller.pc, registers[SP]);
  }

  /** From the start of a function to where its arguments are in place. */
  async #pastPrologue(at: DapStop): Promise<DapStop> {
    const body = await bodyOf(this.target, this.threads.nameOf(at.vcpu), at.pc);
    return body === undefined ? at : await this.#runTo(at, body, undefined);
  }

  /** Until the function, or the inlined one, returns to its caller. */
  async #out(stop: DapStop, { inlined, cfa, caller }: Calls): Promise<DapStop> {
    if (inlined === 0) return caller?.pc ? await this.#runTo(stop, caller.pc, cfa) : await this.resume(stop);
    let at = stop;
    for (let piece = 0; piece < PIECES_MAX; piece++) {
      at = await this.step("over", at);
      if (at.cause !== "step" || this.runner.interrupted()) return at;
      const now = await this.#calls(at.vcpu);
      if (now.cfa !== cfa || now.inlined < inlined) return at;
    }
    return at;
  }

  /**
   * Runs a vCPU to an address.
   * @param floor SP of the call that returns there; with a smaller one, a deeper call of the same
   *   function has returned
   */
  async #runTo(from: DapStop, address: bigint, floor: bigint | undefined): Promise<DapStop> {
    const { target, breakpoints, runner } = this, vm = this.threads.vmOf(from.vcpu), own = !breakpoints.has(vm, address);
    if (own) {
      const set = await target.ask({ kind: "insert-breakpoint", vm, address });
      if (set.kind !== "done") return from;
    }
    try {
      let at = from;
      for (let piece = 0; piece < PIECES_MAX; piece++) {
        at = await this.#next(at.pc === address ? { ...at, cause: "watchpoint" } : at);
        if (runner.interrupted() || await this.#counts(at)) return at;
        const isThere = at.cause === "breakpoint" && at.pc === address && at.vcpu === from.vcpu;
        if (isThere && (floor === undefined || (await this.#registers(at.vcpu))[SP] >= floor)) return { ...at, cause: "step" };
      }
      return at;
    } finally {
      if (own) await target.ask({ kind: "remove-breakpoint", vm, address });
    }
  }

  /** A stop of a run back: to the stop before, or with `step` by an instruction of that vCPU. */
  async #backward(step?: number): Promise<DapStop> {
    this.breakpoints.leave(true);
    return await this.runner.run(() => this.target.back(step));
  }

  /** Goes back to the stop before that counts. */
  async back(): Promise<DapStop> {
    for (;;) {
      const stop = await this.#backward();
      if (await this.#counts(stop, true)) return stop;
    }
  }

  /** Goes back by an instruction, or to the line before in the function or its caller. */
  async stepBack(stop: DapStop, byInstruction: boolean): Promise<DapStop> {
    const { target, threads } = this, name = threads.nameOf(stop.vcpu), vm = threads.vmOf(stop.vcpu);
    const line = byInstruction ? undefined : await this.#line(stop);
    if (!line) {
      const before = this.#atBreakpoint(await this.#backward(stop.vcpu));
      return await this.#counts(before, true) ? before : { ...before, cause: "step" };
    }
    const answer = await target.query({ table: "code.lines", args: { at: `${name}:${hex(stop.pc)}`, size: LINES_MAX } });
    const origin = await this.#calls(stop.vcpu), call = origin.caller?.pc ? origin.caller.pc - INSTRUCTION : undefined;
    // In the middle of a line, its start is nearer than the line before.
    const lines = rowsOf(LINES, answer).filter((one) => stop.pc !== line.start || one.line !== line.line || one.file !== line.file);
    // Steps forward do not stop in a prologue.
    if (lines.length && await bodyOf(target, name, BigInt(lines[0].address)) !== undefined) lines.shift();
    const places = new Set([...lines.map(({ address }) => BigInt(address)), ...call === undefined ? [] : [call]]);
    const set: bigint[] = [];
    try {
      for (const address of places) {
        if (this.breakpoints.has(vm, address)) continue;
        if ((await target.ask({ kind: "insert-breakpoint", vm, address })).kind === "done") set.push(address);
      }
      for (;;) {
        const reached = await this.#backward();
        if (await this.#counts(reached, true)) return reached;
        if (reached.vcpu !== stop.vcpu || !places.has(reached.pc)) continue;
        const { cfa, inlined } = await this.#calls(reached.vcpu);
        const before: DapStop = { ...reached, cause: "step" };
        if (cfa === origin.cfa && inlined <= origin.inlined) return before;
        if (reached.pc !== call || cfa !== origin.caller?.cfa) continue;
        const calling = await this.#line(reached);
        return !calling || calling.start === call ? before : await this.stepBack(before, false);
      }
    } finally {
      for (const address of set) await target.ask({ kind: "remove-breakpoint", vm, address });
    }
  }

  async #registers(vcpu: number): Promise<readonly bigint[]> {
    const answer = await this.target.ask({ kind: "registers", vcpu });
    return answer.kind === "registers" ? answer.values : DEBUG_REGISTERS.map(() => 0n);
  }

  async #calls(vcpu: number): Promise<Calls> {
    const rows = rowsOf(STACK, await this.target.query({ table: "vcpu.stack", args: { vcpu: this.threads.nameOf(vcpu) } }));
    const frames = rows.map(({ pc, cfa }) => ({ pc: BigInt(pc), cfa: cfa === null ? undefined : BigInt(cfa) }));
    const inlined = Math.max(0, rows.findIndex(({ by }) => by !== "inline"));
    return { inlined, cfa: frames[inlined]?.cfa, caller: frames[inlined + 1] };
  }

  /** The code of the line that a vCPU is in. */
  async #line({ vcpu, pc }: DapStop): Promise<Line | undefined> {
    const answer = await this.target.query({ table: "code.lines", args: { at: `${this.threads.nameOf(vcpu)}:${hex(pc)}` } });
    const [row] = rowsOf(LINES, answer);
    return row && { start: BigInt(row.address), end: BigInt(row.end), line: row.line, file: row.file };
  }
}

function isIn({ start, end }: StepRange, { pc }: DapStop): boolean {
  return pc >= start && pc < end;
}
