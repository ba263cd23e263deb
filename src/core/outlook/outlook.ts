// The outlook of a vCPU if nothing else changes: its code is evaluated on a copy of its state.
// State that comes back exactly is a loop that leads nowhere; the memory that it reads says who
// could end it. Instructions with effects beyond registers and RAM end the evaluation.

import type { Flag, Node, Statement } from "../../isa/builder.ts";
import type { InstructionSet } from "../../isa/instruction-set.ts";
import { systemRegisterText } from "../../isa/system-register-names.ts";
import { semanticsOf } from "../../isa/table.ts";
import { AbortSyndrome, ExceptionClass, Pstate, syndrome } from "../architecture/exceptions.ts";
import { constantSlot } from "../interpreter/emitter.ts";
import type { VcpuState } from "../registers/vcpu-state.ts";
import { bigOf, numberOf } from "../translator/static-values.ts";
import { CopiedState, isChangedRegister, type Mark, type ReadMemory, type SeenWord, Unreachable } from "./copied-state.ts";
import { evaluateInteger } from "./integers.ts";

/** Why the evaluation ended at an instruction: what it does is not decided by registers and RAM. */
export type Departure = "call" | "device" | "register" | "time" | "sleep" | "interrupt" | "other";

/** A loop whose every turn leaves the state as it was. */
export interface EndlessLoop {
  readonly kind: "loops";
  /** Instructions of a turn, and the lowest and the highest address of one. */
  readonly length: number;
  readonly first: bigint;
  readonly last: bigint;
  /** Memory that it reads and does not write itself. */
  readonly inputs: readonly SeenWord[];
  /** It executes WFE or YIELD; WFI that returns at once. */
  readonly yields: boolean;
  readonly sleeps: boolean;
  /** Calls that a turn makes, which all answered as they do now. */
  readonly calls: number;
  /** An interrupt could be taken in it. */
  readonly open: boolean;
  /** Exceptions that a turn takes to EL1, and the syndrome and address of the last. */
  readonly exceptions: number;
  readonly esr: number;
  readonly elr: bigint;
}

export type Outlook =
  | EndlessLoop
  /** Its state moves on for as long as was looked. */
  | { readonly kind: "works" }
  | {
    readonly kind: "leaves";
    readonly how: Departure;
    readonly pc: bigint;
    /** Memory that it has read since the last change of direction. */
    readonly inputs: readonly SeenWord[];
  };

export type CallAnswer = (instruction: "hvc" | "smc", immediate: number, x: readonly bigint[]) => readonly bigint[] | undefined;

/** Conditions of the evaluation. */
export interface Prospect {
  readonly instructions: InstructionSet;
  readonly memory: ReadMemory;
  /** An interrupt is signaled to the vCPU. */
  readonly interrupt: boolean;
  /**
   * X0 and what follows after an HVC or SMC, if it changes nothing else; undefined for other calls.
   * @param x X0 to X7
   */
  readonly answer?: CallAnswer;
  /** ESR_EL1 of the external abort that an access ends in; undefined if a device may answer. */
  readonly refused?: (pc: bigint, va: bigint) => number | undefined;
  /** Instructions to evaluate at most. */
  readonly limit: number;
}

/** The evaluation of an instruction ends here. */
class Departs extends Error {
  constructor(readonly how: Departure) {
    super(how);
  }
}

/** Work between two marks: what a loop would consist of. */
class Stretch {
  length = 0;
  first = (1n << 64n) - 1n;
  last = 0n;
  readonly reads = new Map<bigint, SeenWord>();
  yields = false;
  sleeps = false;
  open = false;
  exceptions = 0;
  calls = 0;
}

/** Undefined statements: an UNDEFINED one. */
interface Instruction {
  readonly word: number;
  readonly statements: readonly Statement[] | undefined;
}

class Evaluation {
  readonly state: CopiedState;
  stretch = new Stretch();
  readonly #locals = new Map<number, bigint>();
  readonly #places = new Map<number, { readonly pa: number; readonly va: bigint }>();
  readonly #code = new Map<bigint, Instruction>();
  #word = 0;
  #pc = 0n;

  constructor(vcpu: VcpuState, readonly prospect: Prospect) {
    this.state = new CopiedState(vcpu, prospect.memory);
  }

  look(): Outlook {
    const { limit } = this.prospect;
    const begin = this.state.mark();
    let mark = begin, next = 1;
    try {
      for (let count = 1; count <= limit; count++) {
        this.#step();
        if (this.state.isAt(mark)) return mark === begin || this.#returnsTo(begin) ? this.#loop() : { kind: "works" };
        if (count < next) continue;
        next *= 2;
        mark = this.state.mark();
        this.stretch = new Stretch();
      }
    } catch (error) {
      if (!(error instanceof Departs)) throw error;
      return { kind: "leaves", how: error.how, pc: this.#pc, inputs: this.#inputs() };
    }
    return { kind: "works" };
  }

  /**
   * Whether a loop that was found contains a state; else that leads to it. The way there changes
   * nothing if it writes nothing.
   */
  #returnsTo(begin: Mark): boolean {
    if (!this.state.hasChanges) return true;
    for (let left = this.stretch.length; left > 0; left--) {
      this.#step();
      this.stretch.length--;
      if (this.state.isAt(begin)) return true;
    }
    return false;
  }

  #loop(): EndlessLoop {
    const { length, first, last, yields, sleeps, calls, open, exceptions } = this.stretch;
    const esr = Number(this.state.get("ESR_EL1")), elr = this.state.get("ELR_EL1");
    return { kind: "loops", length, first, last, inputs: this.#inputs(), yields, sleeps, calls, open, exceptions, esr, elr };
  }

  #inputs(): SeenWord[] {
    const reads = [...this.stretch.reads.values()].filter((word) => !this.state.hasWritten(word));
    // In an order that does not depend on where the loop is entered.
    return reads.sort((a, b) => a.va < b.va ? -1 : 1);
  }

  #step(): void {
    const { state, stretch } = this, { pc } = state;
    this.#pc = pc;
    stretch.length++;
    if (pc < stretch.first) stretch.first = pc;
    if (pc > stretch.last) stretch.last = pc;
    if (!(state.pstate & Pstate.I)) {
      if (this.prospect.interrupt) throw new Departs("interrupt");
      stretch.open = true;
    }
    try {
      const { word, statements } = this.#codeAt(pc);
      if (!statements) return this.#raise(syndrome(ExceptionClass.Unknown, 0), pc);
      this.#word = word;
      this.#locals.clear();
      if (this.#run(statements)) return;
      state.pc = pc + 4n;
    } catch (error) {
      if (!(error instanceof Unreachable)) throw error;
      this.#abort(error);
    }
  }

  /** The instruction at an address, which stays as it is meanwhile. */
  #codeAt(pc: bigint): Instruction {
    let found = this.#code.get(pc);
    if (!found) {
      if (pc & 3n) throw new Departs("other");
      const word = Number(this.state.read(this.state.placeOf(pc, false), 4)), encoding = this.prospect.instructions.decode(word);
      this.#code.set(pc, found = { word, statements: encoding && semanticsOf(encoding).statements });
    }
    return found;
  }

  /** An address that stage 1 does not map: its exception goes to EL1. Others leave the vCPU. */
  #abort({ va, write, fsc }: Unreachable): void {
    if (fsc === undefined) {
      const esr = this.prospect.refused?.(this.#pc, va);
      if (esr === undefined) throw new Departs("device");
      return this.#raise(esr, this.#pc, va);
    }
    const isFetch = va === this.#pc, lower = (this.state.pstate & Pstate.ElMask) === 0;
    const { InstructionAbort, InstructionAbortLower, DataAbort, DataAbortLower } = ExceptionClass;
    const ec = isFetch ? lower ? InstructionAbortLower : InstructionAbort : lower ? DataAbortLower : DataAbort;
    this.#raise(syndrome(ec, fsc | (write ? AbortSyndrome.WnR : 0)), this.#pc, va);
  }

  #raise(esr: number, elr: bigint, far?: bigint): void {
    this.stretch.exceptions++;
    this.state.takeException(esr, elr, far);
  }

  /** Executes statements; whether they have set the PC. */
  #run(statements: readonly Statement[]): boolean {
    for (const s of statements) if (this.#execute(s)) return true;
    return false;
  }

  #execute(s: Statement): boolean {
    const { state } = this;
    switch (s.kind) {
      case "let":
        this.#locals.set(s.id, this.#value(s.value));
        return false;
      case "setRegister":
        state.setX(constantSlot(s.bank, numberOf(s.index, this.#word), true), this.#value(s.value));
        return false;
      case "setFlags": {
        const values = [s.n, s.z, s.c, s.v].map((node) => this.#value(node));
        (["N", "Z", "C", "V"] as const).forEach((flag, index) => state.set(flag, values[index]));
        return false;
      }
      case "setState":
        if (!state.has(s.name)) throw new Departs("other");
        state.set(s.name, this.#value(s.value));
        return false;
      case "load":
        this.#locals.set(s.id, this.#load(this.#value(s.address), s.size, s.options.signed ?? false));
        return false;
      case "loadPair": {
        const address = this.#value(s.address);
        s.ids.forEach((id, index) => this.#locals.set(id, this.#load(address + BigInt(index * s.size), s.size, s.options.signed ?? false)));
        return false;
      }
      case "store":
        this.#store(this.#value(s.address), s.size, this.#value(s.value));
        return false;
      case "storePair": {
        const address = this.#value(s.address), values = s.values.map((node) => this.#value(node));
        values.forEach((value, index) => this.#store(address + BigInt(index * s.size), s.size, value));
        return false;
      }
      case "ramAddress": {
        const va = this.#value(s.address) & ~BigInt(s.zero ? s.size - 1 : 0);
        this.#places.set(s.id, { va, pa: state.placeOf(va, true) });
        return false;
      }
      case "ramStore": {
        const place = this.#placeOf(s.place), size = widthOf(s.instruction);
        state.write(place.pa + s.offset, size, this.#value(s.value));
        return false;
      }
      case "call":
        return this.#call(s);
      case "if":
        return this.#run(this.#value(s.condition) === 0n ? s.otherwise : s.then);
      case "branch":
        if (s.condition && this.#value(s.condition) === 0n) return false;
        state.pc = this.#pc + BigInt(numberOf(s.offset, this.#word));
        return true;
      case "branchTo":
        state.pc = this.#value(s.address);
        return true;
      default:
        throw new Departs("other");
    }
  }

  #placeOf(node: Node): { readonly pa: number; readonly va: bigint } {
    const place = node.kind === "local" ? this.#places.get(node.id) : undefined;
    if (!place) throw new Departs("other");
    return place;
  }

  #load(va: bigint, size: number, signed: boolean): bigint {
    const pa = this.#reach(va, size, false);
    const value = this.#see(va, pa, size);
    return signed ? BigInt.asUintN(64, BigInt.asIntN(8 * size, value)) : value;
  }

  #see(va: bigint, pa: number, size: number): bigint {
    const value = this.state.read(pa, size);
    this.stretch.reads.set(va, { va, pa, size, value });
    return value;
  }

  #store(va: bigint, size: number, value: bigint): void {
    this.state.write(this.#reach(va, size, true), size, value);
  }

  /** An access in one page, of a size that a bigint holds. */
  #reach(va: bigint, size: number, write: boolean): number {
    const address = BigInt.asUintN(64, va);
    if (size > 8 || Number(address & 0xfffn) + size > 0x1000) throw new Departs("other");
    return this.state.placeOf(address, write);
  }

  #call({ name, id, operands }: Extract<Statement, { kind: "call" }>): boolean {
    const { state } = this, value = (index: number) => this.#value(operands[index]);
    switch (name) {
      case "raiseUndefined":
        this.#raise(syndrome(ExceptionClass.Unknown, 0), this.#pc);
        return true;
      case "raiseSupervisorCall":
        this.#raise(syndrome(ExceptionClass.Svc, Number(value(0))), this.#pc + 4n);
        return true;
      case "raiseBreakpoint":
        this.#raise(syndrome(ExceptionClass.Brk, Number(value(0))), this.#pc);
        return true;
      case "exceptionReturn":
        if (!state.returnFromException()) throw new Departs("other");
        return true;
      case "leaveAfter":
        this.stretch.yields = true;
        return false;
      case "waitFor":
        this.#wait(value(0) !== 0n);
        return false;
      case "readSystemRegister":
        if (id !== undefined) this.#locals.set(id, this.#readRegister(Number(value(0))));
        return false;
      case "writeSystemRegister":
        this.#writeRegister(Number(value(0)), value(1));
        return false;
      case "writePstateField":
        this.#writeField(Number(value(0)), Number(value(1)));
        return false;
      case "hypervisorCall":
        this.#ask("hvc", Number(value(0)));
        return false;
      case "secureMonitorCall":
        this.#ask("smc", Number(value(0)));
        return false;
      default:
        throw new Departs("other");
    }
  }

  #ask(instruction: "hvc" | "smc", immediate: number): void {
    const { state } = this, x = Array.from({ length: 8 }, (_, index) => state.getX(index));
    const answer = state.pstate & Pstate.ElMask ? this.prospect.answer?.(instruction, immediate, x) : undefined;
    if (!answer) throw new Departs("call");
    answer.forEach((value, index) => state.setX(index, BigInt.asUintN(64, value)));
    this.stretch.calls++;
  }

  /** WFE, which anything may end, or WFI, which returns only while an interrupt is signaled. */
  #wait(forEvent: boolean): void {
    if (!forEvent && !this.prospect.interrupt) throw new Departs("sleep");
    this.stretch[forEvent ? "yields" : "sleeps"] = true;
    if (forEvent) this.state.set("EVENT", 0n);
  }

  #readRegister(number: number): bigint {
    const name = systemRegisterText(number).toUpperCase();
    if (name === "DAIF") return BigInt(this.state.pstate & Pstate.Daif);
    if (name === "CURRENTEL") return BigInt(this.state.pstate & Pstate.ElMask);
    if (/^CNT[PV]CT/.test(name)) throw new Departs("time");
    const value = this.state.register(name);
    if (value === undefined) throw new Departs("register");
    return value;
  }

  #writeRegister(number: number, value: bigint): void {
    const name = systemRegisterText(number).toUpperCase(), { state } = this;
    if (name === "DAIF") state.setPstate(state.pstate & ~Pstate.Daif | Number(value) & Pstate.Daif);
    else if (isChangedRegister(name) && !name.startsWith("SP_")) state.set(name, value);
    else throw new Departs("register");
  }

  /** MSR (immediate): DAIFSet, DAIFClr and SPSel. */
  #writeField(field: number, immediate: number): void {
    const { state } = this, mask = immediate << 6;
    if (field === PstateField.DaifSet) state.setPstate(state.pstate | mask);
    else if (field === PstateField.DaifClr) state.setPstate(state.pstate & ~mask);
    else if (field === PstateField.SpSel) state.setPstate(state.pstate & ~Pstate.SP | immediate & Pstate.SP);
    else throw new Departs("register");
  }

  #value(node: Node): bigint {
    if (node.type !== "i32" && node.type !== "i64") throw new Departs("other");
    const bits = node.type === "i32" ? 32 : 64;
    return BigInt.asUintN(bits, this.#evaluate(node, bits));
  }

  #evaluate(node: Node, bits: 32 | 64): bigint {
    if (node.kind === "constant") return BigInt(node.value);
    if (node.isStatic) return bits === 32 ? BigInt(numberOf(node, this.#word)) : bigOf(node, this.#word);
    switch (node.kind) {
      case "op":
        return this.#operation(node.name, node.operands);
      case "register":
        return this.state.getX(constantSlot(node.bank, numberOf(node.index, this.#word), false));
      case "local": {
        const value = this.#locals.get(node.id);
        if (value === undefined) throw new Departs("other");
        return value;
      }
      case "pc":
        return this.#pc;
      case "flag":
        return this.state.get(node.flag);
      case "condition":
        return this.#holds(node.cond) ? 1n : 0n;
      case "state":
        if (!this.state.has(node.name)) throw new Departs("other");
        return this.state.get(node.name);
      case "ramLoad": {
        const { pa, va } = this.#placeOf(node.place), size = widthOf(node.instruction);
        return this.#see(va + BigInt(node.offset), pa + node.offset, size);
      }
      default:
        throw new Departs("other");
    }
  }

  #operation(name: string, operands: readonly Node[]): bigint {
    const [first, second, condition] = operands;
    if (name === "select") return this.#value(condition) ? this.#value(first) : this.#value(second);
    const a = this.#value(first), b = second ? this.#value(second) : 0n;
    const result = evaluateInteger(name, a, b, first.type === "i32" ? 32 : 64);
    if (result === undefined) throw new Departs("other");
    return result;
  }

  /** ConditionHolds. */
  #holds(cond: number): boolean {
    const sign = (flag: Flag) => this.state.get(flag) >> 63n === 1n, z = this.state.get("Z") === 0n, c = this.state.get("C") === 1n;
    const base = [z, c, sign("N"), sign("V"), c && !z, sign("N") === sign("V"), !z && sign("N") === sign("V"), true][cond >> 1];
    return cond < 14 && cond & 1 ? !base : base;
  }
}

/** op1:op2 of MSR (immediate). */
const PstateField = { SpSel: 5, DaifSet: 0b11_110, DaifClr: 0b11_111 } as const;

/** Bytes of a Wasm load or store of integers, by its name. */
function widthOf(instruction: string): number {
  const [, type, narrow] = /^(i32|i64)\.(?:load|store)(8|16|32)?(?:_[us])?$/.exec(instruction) ?? [];
  if (type === undefined || instruction.endsWith("_s")) throw new Departs("other");
  return narrow === undefined ? (type === "i32" ? 4 : 8) : Number(narrow) / 8;
}

/** The next work of a vCPU if nothing else changes. */
export function outlookOf(vcpu: VcpuState, prospect: Prospect): Outlook {
  return new Evaluation(vcpu, prospect).look();
}
