// Steps over lines, into and out of functions, forward and back, made of the machine's operations:
// run to a breakpoint, execute one instruction or those of a range, go back to a breakpoint.

import { DEBUG_REGISTERS, type StepRange } from "../../hypervisor/interface.ts";
import { rowsOf } from "../../queries/query.ts";
import { LINES, STACK } from "../../queries/tables.ts";
import type { Breakpoints } from "./breakpoints.ts";
import type { DapStop, DapTarget } from "./target.ts";
import type { Threads } from "./threads.ts";

const INSTRUCTION = 4n;
/** Bytes of the exception vectors at VBAR_EL1. */
const VECTORS = 0x800n;
/** Limit on the pieces of one step, such as a line with many calls. */
const PIECES_MAX = 10_000;
/** Limit on the lines of a function with breakpoints for a step back. */
const LINES_MAX = 500;
const registerNumber = (name: string) => DEBUG_REGISTERS.findIndex((one) => one.name === name);
const SP = registerNumber("SP"), VBAR = registerNumber("VBAR_EL1"), ELR = registerNumber("ELR_EL1");

export type StepKind = "over" | "in" | "out" | "instruction";

/** The machine's runs as promises. */
export interface Runner {
  /**
   * Continues, and resolves to the next stop.
   * @param vcpu the one that steps
   */
  run(go: () => void, vcpu?: number): Promise<DapStop>;
  /** Whether the client wants a pause. */
  interrupted(): boolean;
}

/** A call frame. */
interface Frame {
  readonly pc: bigint;
  readonly cfa: bigint | undefined;
  readonly by: string;
}

/** Steps of one machine. */
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

  /** Continues from a stop: first over the instruction that would stop again. */
  async resume(from: DapStop): Promise<DapStop> {
    const stop = await this.#leave(from);
    return stop ?? await this.runner.run(() => this.target.go(undefined));
  }

  /** Executes the instruction that would stop again. Returns a stop that another cause made. */
  async #leave(from: DapStop): Promise<DapStop | undefined> {
    const { target, runner } = this;
    if (from.cause !== "watchpoint" && !this.#isAtBreakpoint(from)) return undefined;
    const stop = await runner.run(() => target.go(from.vcpu), from.vcpu);
    return stop.cause !== "step" || runner.interrupted() || this.#isAtBreakpoint(stop) ? this.#atBreakpoint(stop) : undefined;
  }

  /**
   * A step of a vCPU.
   * @param stopped where the machine has stopped, if that is another vCPU
   */
  async step(kind: StepKind, stop: DapStop, stopped?: DapStop): Promise<DapStop> {
    const other = stopped && await this.#leave(stopped);
    if (other) return other;
    if (kind === "instruction") return await this.#instruction(stop);
    if (kind === "out") return await this.#out(stop, await this.#frames(stop.vcpu));
    const range = await this.#line(stop);
    if (!range) return await this.#instruction(stop);
    const origin = await this.#frames(stop.vcpu);
    let at = stop;
    for (let piece = 0; piece < PIECES_MAX; piece++) {
      at = await this.runner.run(() => this.target.go(at.vcpu, range), at.vcpu);
      if (at.cause !== "step" || at.vcpu !== stop.vcpu || this.runner.interrupted()) return at;
      if (this.#isAtBreakpoint(at)) return this.#atBreakpoint(at);
      if (at.pc >= range.start && at.pc < range.end) continue;
      const after = await this.#leftLine(kind, at, origin);
      if (after === "done") return at;
      if (after.cause !== "step") return after;
      at = after;
      if (at.pc >= range.start && at.pc < range.end) continue;
      const line = await this.#line(at);
      if (!line || line.start === at.pc) return at;
    }
    return at;
  }

  /** A vCPU is out of its line: it is in a function, an exception, or another line. */
  async #leftLine(kind: StepKind, at: DapStop, origin: readonly Frame[]): Promise<DapStop | "done"> {
    const registers = await this.#registers(at.vcpu);
    const vbar = registers[VBAR];
    if (at.pc >= vbar && at.pc < vbar + VECTORS) return await this.#runTo(at, registers[ELR], undefined);
    const frames = await this.#frames(at.vcpu);
    const isCall = origin[0]?.cfa !== undefined && frames[1]?.cfa === origin[0].cfa && frames[0].cfa !== origin[0].cfa;
    if (!isCall) return "done";
    // A function without lines is not stepped into.
    if (kind === "in" && await this.#line(at)) return "done";
    return await this.#runTo(at, frames[1].pc, registers[SP]);
  }

  async #instruction(stop: DapStop): Promise<DapStop> {
    return await this.runner.run(() => this.target.go(stop.vcpu), stop.vcpu);
  }

  /** Until the function returns to its caller. */
  async #out(stop: DapStop, frames: readonly Frame[]): Promise<DapStop> {
    const caller = frames.find(({ by }, index) =>
      index > 0 && by !== "inline" && frames[index - 1].by !== "inline" || index > 0 && by !== "inline"
    );
    if (!caller || caller.pc === 0n) return await this.resume(stop);
    return await this.#runTo(stop, caller.pc, frames[0]?.cfa === undefined ? undefined : frames[0].cfa - 1n);
  }

  /**
   * Runs a vCPU to an address.
   * @param above with SP above this: not in a deeper call of the same function
   */
  async #runTo(from: DapStop, address: bigint, above: bigint | undefined): Promise<DapStop> {
    const { target, breakpoints, runner } = this, vm = this.threads.vmOf(from.vcpu), own = !breakpoints.has(vm, address);
    if (own) {
      const set = await target.ask({ kind: "insert-breakpoint", vm, address });
      if (set.kind !== "done") return from;
    }
    try {
      let at = from;
      for (let piece = 0; piece < PIECES_MAX; piece++) {
        at = await this.resume(at.pc === address ? { ...at, cause: "watchpoint" } : at);
        const isThere = at.pc === address && this.threads.vmOf(at.vcpu) === vm;
        if (at.cause !== "breakpoint" || !isThere || runner.interrupted()) return at;
        const there = at.vcpu === from.vcpu && (above === undefined || (await this.#registers(at.vcpu))[SP] > above);
        if (there) return { ...at, cause: "step" };
        if (!own) return at;
      }
      return at;
    } finally {
      if (own) await target.ask({ kind: "remove-breakpoint", vm, address });
    }
  }

  /** Goes back to the stop before. */
  async back(): Promise<DapStop> {
    return await this.runner.run(() => this.target.back(undefined));
  }

  /** Goes back by an instruction, or to the line before. */
  async stepBack(stop: DapStop, byInstruction: boolean): Promise<DapStop> {
    const { target, runner, threads } = this, name = threads.nameOf(stop.vcpu), vm = threads.vmOf(stop.vcpu);
    const line = byInstruction ? undefined : await this.#line(stop);
    if (!line) return await runner.run(() => target.back(stop.vcpu));
    const answer = await target.query({ table: "code.lines", args: { at: `${name}:0x${stop.pc.toString(16)}`, size: LINES_MAX } });
    const frames = await this.#frames(stop.vcpu);
    const caller = frames.find(({ by }, index) => index > 0 && by !== "inline");
    // In the middle of a line, its start is nearer than the line before.
    const places = new Set(rowsOf(LINES, answer).map(({ address }) => BigInt(address)));
    if (caller && caller.pc !== 0n) places.add(caller.pc - INSTRUCTION);
    places.delete(stop.pc);
    const own = [...places].filter((address) => !this.breakpoints.has(vm, address));
    const set: bigint[] = [];
    try {
      for (const address of own) {
        if ((await target.ask({ kind: "insert-breakpoint", vm, address })).kind === "done") set.push(address);
      }
      const reached = await this.back();
      const isThere = places.has(reached.pc) && threads.vmOf(reached.vcpu) === vm;
      return reached.cause === "breakpoint" && isThere ? { ...reached, cause: "step" } : reached;
    } finally {
      for (const address of set) await target.ask({ kind: "remove-breakpoint", vm, address });
    }
  }

  async #registers(vcpu: number): Promise<readonly bigint[]> {
    const answer = await this.target.ask({ kind: "registers", vcpu });
    return answer.kind === "registers" ? answer.values : DEBUG_REGISTERS.map(() => 0n);
  }

  async #frames(vcpu: number): Promise<Frame[]> {
    const answer = await this.target.query({ table: "vcpu.stack", args: { vcpu: this.threads.nameOf(vcpu) } });
    return rowsOf(STACK, answer).map(({ pc, cfa, by }) => ({ pc: BigInt(pc), cfa: cfa === null ? undefined : BigInt(cfa), by }));
  }

  /** The code of the line that a vCPU is in. */
  async #line({ vcpu, pc }: DapStop): Promise<StepRange | undefined> {
    const answer = await this.target.query({ table: "code.lines", args: { at: `${this.threads.nameOf(vcpu)}:0x${pc.toString(16)}` } });
    const [row] = rowsOf(LINES, answer);
    return row && { start: BigInt(row.address), end: BigInt(row.end) };
  }
}
