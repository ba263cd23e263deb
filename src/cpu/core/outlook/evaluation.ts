// The evaluation of a vCPU's code on a copy of its state, one instruction after another, by the
// statements of their semantics. Instructions with effects beyond registers and RAM end it.

import type { AccessOptions, Builder, Node, Statement } from "../../isa/notation/builder.ts";
import { systemRegisterText } from "../../isa/names/system-register-names.ts";
import { semanticsOf } from "../../isa/table.ts";
import {
  AbortSyndrome,
  ExceptionClass,
  FaultStatus,
  ISS_COND_ALWAYS,
  Pstate,
  Sctlr,
  SEMIHOSTING_IMMEDIATE,
  SP_ALIGNMENT,
  syndrome,
} from "../architecture/exceptions.ts";
import { TICK_NS } from "../architecture/features.ts";
import { constantSlot } from "../interpreter/emitter.ts";
import { BTYPE_SHIFT, BY_PAGE, TargetWord } from "../interpreter/branch-targets.ts";
import { baseRegister, STACK_POINTER, usesFloatingPoint } from "../interpreter/meaning.ts";
import { READ_MODIFY_WRITE } from "../memory/aborts.ts";
import { AccessKind } from "../memory/translation.ts";
import { cacheMaintenanceOf } from "../registers/system-instructions.ts";
import type { VcpuState } from "../registers/vcpu-state.ts";
import { Slot } from "../state/cpu-state.ts";
import { Access } from "../state/functions.ts";
import { numberOf } from "../translator/code/static-values.ts";
import { CopiedState, isChangedRegister, type Processor, type SeenWord, Unreachable } from "./copied-state.ts";
import { Departs, InstructionValues, widthOf } from "./instruction-values.ts";
import { PAGE_SIZE } from "../../../kit/support/values/sizes.ts";

export interface AskedCall {
  readonly pc: bigint;
  readonly instruction: "hvc" | "smc";
  readonly immediate: number;
  /** X0 to X7. */
  readonly x: readonly bigint[];
}

export type CallAnswer = (call: AskedCall) => readonly bigint[] | undefined;

/** Conditions of the evaluation. */
export interface Prospect {
  /** PSTATE.I if an interrupt of group 1 is signaled to the vCPU, PSTATE.F if one of group 0 is. */
  readonly signaled: number;
  /** The same of groups of which one may come. */
  readonly expected: number;
  /**
   * X0 and what follows after an HVC or SMC, if it changes nothing else; undefined for other calls.
   */
  readonly answer?: CallAnswer;
  /** The value of a device's register that stays as it is; undefined for others. */
  readonly register?: (va: bigint, size: number) => bigint | undefined;
  /** The same for a system register that is not copied. */
  readonly system?: (name: string) => bigint | undefined;
  /** ESR_EL1 of the external abort that an access ends in; undefined if a device may answer. */
  readonly refused?: (pc: bigint, va: bigint) => number | undefined;
  /** Virtual time (ns) that all reads of the system counter at EL1 show; undefined: it moves on. */
  readonly counter?: number;
  /** Instructions to evaluate at most. */
  readonly limit: number;
  /** Where the code is evaluated from, with the registers as they are; by default at the PC. */
  readonly from?: bigint;
}

/** The instructions since the last mark: a loop, if the state is that of the mark again. */
export class Stretch {
  length = 0;
  first = (1n << 64n) - 1n;
  last = 0n;
  readonly reads = new Map<bigint, SeenWord>();
  /** Addresses that it reads and writes at once. */
  readonly atomics = new Set<bigint>();
  yields = false;
  sleeps = false;
  open = false;
  exceptions = 0;
  calls = 0;
  readonly registers = new Map<string, KnownRegister>();
}

/** A register of a device, or a system register that is not copied, that was read. */
export interface KnownRegister {
  /** Set for a system register. */
  readonly name: string | undefined;
  /** Set for a device's register. */
  readonly va: bigint | undefined;
  /** Bytes. */
  readonly size: number;
  readonly value: bigint;
}

/** CPACR_EL1.FPEN. */
const FPEN_SHIFT = 20n;
/** Reads of these show signaled interrupts, whether PSTATE masks them or not. */
const SHOWS_INTERRUPTS = /^(?:ICC_IAR[01]_EL1|ISR_EL1)$/;

interface EvaluatedInstruction {
  readonly word: number;
  /** Undefined if the word is UNDEFINED. */
  readonly semantics: Builder | undefined;
  /** CPACR_EL1 may trap it. */
  readonly isFloatingPoint: boolean;
  /** It accesses memory by SP. */
  readonly isOnStack: boolean;
  /** Its page is guarded (FEAT_BTI). */
  readonly isGuarded: boolean;
}

export class Evaluation {
  readonly state: CopiedState;
  stretch = new Stretch();
  /** Of the instruction in evaluation. */
  pc = 0n;
  readonly #values: InstructionValues;
  readonly #places = new Map<number, { readonly pa: number; readonly va: bigint }>();
  /** By their addresses; those of EL0 with bit 0 set, as rights may differ. */
  readonly #code = new Map<bigint, EvaluatedInstruction>();
  /** Physical addresses of their pages. */
  readonly #codePages = new Set<number>();
  #isGuarded = false;

  constructor(vcpu: VcpuState, readonly prospect: Prospect, readonly processor: Processor) {
    this.state = new CopiedState(vcpu, processor);
    if (prospect.from !== undefined) this.state.pc = prospect.from;
    this.#values = new InstructionValues(this.state, ({ place, instruction, offset }) => {
      const { pa, va } = this.#placeOf(place);
      this.stretch.atomics.add(va);
      return this.#see(va + BigInt(offset), pa + offset, widthOf(instruction));
    });
  }

  /**
   * The next instruction, or the abort of its fetch; whether one was executed.
   * @throws Departs if registers and RAM do not decide what it does; the state may be in between.
   */
  step(): boolean {
    const { state, stretch } = this, { pc } = state;
    this.pc = pc;
    stretch.length++;
    if (pc < stretch.first) stretch.first = pc;
    if (pc > stretch.last) stretch.last = pc;
    if (this.prospect.signaled & ~state.pstate) throw new Departs("interrupt");
    if (this.prospect.expected & ~state.pstate) stretch.open = true;
    try {
      if (!this.#instruction(pc)) state.pc = pc + 4n;
    } catch (error) {
      if (!(error instanceof Unreachable)) throw error;
      this.#abort(error);
      return !(error.kind & AccessKind.Execute);
    }
    return true;
  }

  /** Evaluates the instruction at an address; whether it has set the PC. */
  #instruction(pc: bigint): boolean {
    const { word, semantics, isFloatingPoint, isOnStack, isGuarded } = this.#codeAt(pc);
    this.#arrive(word, isGuarded);
    if (!semantics) return this.#raise(syndrome(ExceptionClass.Unknown, 0), pc);
    if (isFloatingPoint) return this.#floatingPoint(pc);
    this.#values.begin(word, pc);
    this.#isGuarded = isGuarded;
    if (isOnStack && this.#isStackRefused) return this.#raise(syndrome(ExceptionClass.SpAlignment, 0), pc);
    return this.#run(semantics.statements);
  }

  /** CPACR_EL1 may trap the instruction; what it does to FP registers is not evaluated. */
  #floatingPoint(pc: bigint): true {
    const { state } = this, { vcpu } = state, fpen = vcpu.getRegister("CPACR_EL1") >> FPEN_SHIFT & 3n;
    const isTrapped = state.pstate & Pstate.ElMask ? (fpen & 1n) === 0n : fpen !== 3n;
    // EL2 may take it.
    if (!isTrapped || vcpu.hasEl2) throw new Departs("other");
    return this.#raise(syndrome(ExceptionClass.FpAccess, ISS_COND_ALWAYS), pc);
  }

  #codeAt(pc: bigint): EvaluatedInstruction {
    const key = this.state.pstate & Pstate.ElMask ? pc : pc | 1n;
    let found = this.#code.get(key);
    if (!found) {
      if (pc & 3n) throw new Departs("other");
      const { pa, isGuarded } = this.state.pageOf(pc, AccessKind.Execute);
      const word = Number(this.state.read(pa + Number(pc & 0xfffn), 4)), encoding = this.processor.instructions.decode(word);
      const semantics = encoding && semanticsOf(encoding);
      const isFloatingPoint = encoding !== undefined && (encoding.instruction.fp === true || usesFloatingPoint(semantics!));
      const base = semantics && baseRegister(semantics), isOnStack = base !== undefined && numberOf(base, word) === STACK_POINTER;
      this.#code.set(key, found = { word, semantics, isFloatingPoint, isOnStack, isGuarded });
      this.#codePages.add(pa);
    }
    return found;
  }

  /** Ends an indirect branch; in a guarded page, not every instruction permits that. */
  #arrive(word: number, isGuarded: boolean): void {
    const { state } = this, type = (state.pstate & Pstate.BTYPE) >> BTYPE_SHIFT;
    if (type === 0) return;
    if (isGuarded && !permitsBranch(word, type)) throw new Departs("other");
    if (!matches(word, TargetWord.Brk)) state.set("PSTATE", BigInt(state.pstate & ~Pstate.BTYPE));
  }

  /** Whether SP is not a multiple of 16, and SCTLR_EL1 refuses that. */
  get #isStackRefused(): boolean {
    const { state } = this, misaligned = (state.getX(Slot.SP) & BigInt(SP_ALIGNMENT - 1)) !== 0n;
    return misaligned && this.#controls(state.pstate & Pstate.ElMask ? Sctlr.SA : Sctlr.SA0);
  }

  /** Whether a bit of SCTLR_EL1 is set. */
  #controls(bit: number): boolean {
    return (this.state.vcpu.getRegister("SCTLR_EL1") & BigInt(bit)) !== 0n;
  }

  /** A fault of stage 1 is an exception to EL1; for other addresses, `refused` decides. */
  #abort({ va, kind, fsc }: Unreachable): void {
    if (fsc === undefined) {
      const esr = this.prospect.refused?.(this.pc, va);
      if (esr === undefined) throw new Departs("device");
      this.#raise(esr, this.pc, va);
      return;
    }
    const isFetch = (kind & AccessKind.Execute) !== 0, lower = (this.state.pstate & Pstate.ElMask) === 0;
    const { InstructionAbort, InstructionAbortLower, DataAbort, DataAbortLower } = ExceptionClass;
    const ec = isFetch ? lower ? InstructionAbortLower : InstructionAbort : lower ? DataAbortLower : DataAbort;
    this.#raise(syndrome(ec, fsc | (this.#blamesWrite(va, kind, fsc) ? AbortSyndrome.WnR : 0)), this.pc, va);
  }

  /** WnR. An atomic reads first: its fault is that of a write only where a read is permitted. */
  #blamesWrite(va: bigint, kind: number, fsc: number): boolean {
    if (!(kind & AccessKind.Write)) return false;
    if (!READ_MODIFY_WRITE.some((bits) => matches(this.#values.word, bits))) return true;
    return fsc !== FaultStatus.Alignment && this.state.isMapped(va, kind & ~AccessKind.Write);
  }

  /** Takes an exception, which sets the PC: true. */
  #raise(esr: number, elr: bigint, far?: bigint): true {
    this.stretch.exceptions++;
    this.state.takeException(esr, elr, far);
    return true;
  }

  /** Evaluates statements; whether they have set the PC. */
  #run(statements: readonly Statement[]): boolean {
    for (const s of statements) if (this.#execute(s)) return true;
    return false;
  }

  #execute(s: Statement): boolean {
    const { state } = this;
    switch (s.kind) {
      case "let":
        this.#values.locals.set(s.id, this.#values.of(s.value));
        return false;
      case "setRegister":
        state.setX(constantSlot(s.bank, numberOf(s.index, this.#values.word), true), this.#values.of(s.value));
        return false;
      case "setFlags": {
        const values = [s.n, s.z, s.c, s.v].map((node) => this.#values.of(node));
        (["N", "Z", "C", "V"] as const).forEach((flag, index) => state.set(flag, values[index]));
        return false;
      }
      case "setState":
        if (!state.has(s.name)) throw new Departs("other");
        state.set(s.name, this.#values.of(s.value));
        return false;
      case "load":
        this.#values.locals.set(s.id, this.#load(this.#values.of(s.address), s.size, s.options));
        return false;
      case "loadPair": {
        const address = this.#values.of(s.address);
        s.ids.forEach((id, index) => this.#values.locals.set(id, this.#load(address + BigInt(index * s.size), s.size, s.options)));
        return false;
      }
      case "store":
        this.#write(this.#reach(this.#values.of(s.address), s.size, AccessKind.Write, s.options), s.size, this.#values.of(s.value));
        return false;
      case "storePair": {
        const address = this.#values.of(s.address), values = s.values.map((node) => this.#values.of(node));
        const places = values.map((_, index) => this.#reach(address + BigInt(index * s.size), s.size, AccessKind.Write, {}));
        places.forEach((pa, index) => this.#write(pa, s.size, values[index]));
        return false;
      }
      case "ramAddress": {
        if (s.zero) throw new Departs("other");
        const va = this.#values.of(s.address);
        this.#places.set(s.id, { va, pa: this.#reach(va, s.size, AccessKind.Write | AccessKind.ReadModifyWrite, { aligned: true }) });
        return false;
      }
      case "ramStore": {
        const place = this.#placeOf(s.place), size = widthOf(s.instruction);
        this.#write(place.pa + s.offset, size, this.#values.of(s.value));
        return false;
      }
      case "call":
        return this.#call(s);
      case "if":
        return this.#run(this.#values.of(s.condition) === 0n ? s.otherwise : s.then);
      case "branch":
        if (s.condition && this.#values.of(s.condition) === 0n) return false;
        state.pc = this.pc + BigInt(numberOf(s.offset, this.#values.word));
        return true;
      case "branchTo":
        state.pc = this.#values.of(s.address);
        if (s.type && this.processor.features.has("FEAT_BTI")) {
          const type = numberOf(s.type, this.#values.word);
          state.set("PSTATE", BigInt(state.pstate | (type === BY_PAGE && !this.#isGuarded ? 1 : type) << BTYPE_SHIFT));
        }
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

  #load(va: bigint, size: number, options: AccessOptions): bigint {
    const value = this.#loaded(va, size, options);
    return options.signed ? BigInt.asUintN(64, BigInt.asIntN(8 * size, value)) : value;
  }

  #loaded(va: bigint, size: number, options: AccessOptions): bigint {
    try {
      return this.#see(va, this.#reach(va, size, 0, options), size);
    } catch (error) {
      const value = error instanceof Unreachable && error.fsc === undefined ? this.prospect.register?.(va, size) : undefined;
      if (value === undefined) throw error;
      this.stretch.calls++;
      this.stretch.registers.set(`${va}`, { name: undefined, va, size, value });
      return value;
    }
  }

  #see(va: bigint, pa: number, size: number): bigint {
    const value = this.state.read(pa, size);
    this.stretch.reads.set(va, { va, pa, size, value });
    return value;
  }

  #write(pa: number, size: number, value: bigint): void {
    this.state.write(pa, size, value);
    if (this.#codePages.has(pa - pa % PAGE_SIZE)) this.#code.clear();
  }

  /**
   * Where an access in one page is made.
   * @throws Unreachable
   */
  #reach(va: bigint, size: number, kind: number, { aligned, ordered, unprivileged, elements }: AccessOptions): number {
    const address = BigInt.asUintN(64, va), { features } = this.processor, offset = Number(address & 0xfffn);
    if (elements || offset + size > PAGE_SIZE) throw new Departs("other");
    const all = kind | (unprivileged ? Access.Unprivileged : 0), misaligned = (offset & size - 1) !== 0;
    if (misaligned) {
      const isInBlock = features.has("FEAT_LSE2") && ((offset & 15) + size <= 16 || ordered && this.#controls(Sctlr.nAA));
      if (aligned && !isInBlock || this.#controls(Sctlr.A)) throw new Unreachable(address, all, FaultStatus.Alignment);
    }
    const { pa, isDevice } = this.state.pageOf(address, all, misaligned);
    if (misaligned && isDevice) throw new Unreachable(address, all, FaultStatus.Alignment);
    return pa + offset;
  }

  #call({ name, id, operands }: Extract<Statement, { kind: "call" }>): boolean {
    const { state } = this, value = (index: number) => this.#values.of(operands[index]);
    switch (name) {
      case "raiseUndefined":
        return this.#raise(syndrome(ExceptionClass.Unknown, 0), this.pc);
      case "raiseHalt":
        if (state.vcpu.semihosting && value(0) === BigInt(SEMIHOSTING_IMMEDIATE)) throw new Departs("other");
        return this.#raise(syndrome(ExceptionClass.Unknown, 0), this.pc);
      case "raiseSupervisorCall":
        return this.#raise(syndrome(ExceptionClass.Svc, Number(value(0))), this.pc + 4n);
      case "raiseBreakpoint":
        return this.#raise(syndrome(ExceptionClass.Brk, Number(value(0))), this.pc);
      case "exceptionReturn":
        if (!(state.pstate & Pstate.ElMask)) this.#raise(syndrome(ExceptionClass.Unknown, 0), this.pc);
        else if (!state.returnFromException()) throw new Departs("other");
        return true;
      case "leaveAfter":
        this.stretch.yields = true;
        return false;
      case "waitFor":
        return this.#wait(value(0) !== 0n);
      case "readSystemRegister":
        if (id !== undefined) this.#values.locals.set(id, this.#readRegister(Number(value(0))));
        return false;
      case "writeSystemRegister":
        this.#writeRegister(Number(value(0)), value(1));
        return false;
      case "writePstateField":
        this.#writeField(Number(value(0)), Number(value(1)));
        return false;
      case "systemInstruction":
        this.#maintain(Number(value(0)), value(1));
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

  /** Cache maintenance of EL1, which changes nothing here. */
  #maintain(encoding: number, va: bigint): void {
    const of = this.state.pstate & Pstate.ElMask ? cacheMaintenanceOf(encoding) : undefined;
    if (of === undefined || of === "address" && !this.state.isMapped(va, 0)) throw new Departs("other");
  }

  #ask(instruction: "hvc" | "smc", immediate: number): void {
    const { state } = this, x = Array.from({ length: 8 }, (_, index) => state.getX(index));
    const answer = state.pstate & Pstate.ElMask ? this.prospect.answer?.({ pc: this.pc, instruction, immediate, x }) : undefined;
    if (!answer) throw new Departs("call");
    answer.forEach((value, index) => state.setX(index, BigInt.asUintN(64, value)));
    this.stretch.calls++;
  }

  /**
   * WFE, which anything may end, or WFI, which returns only while an interrupt is signaled; whether
   * EL1 traps it.
   */
  #wait(forEvent: boolean): boolean {
    const { state } = this, isEl0 = !(state.pstate & Pstate.ElMask);
    if (isEl0 && !(forEvent && state.get("EVENT")) && !this.#controls(forEvent ? Sctlr.NTWE : Sctlr.NTWI)) {
      return this.#raise(syndrome(ExceptionClass.Wfx, ISS_COND_ALWAYS | (forEvent ? 1 : 0)), this.pc);
    }
    if (!forEvent && this.prospect.signaled === 0) throw new Departs("sleep");
    this.stretch[forEvent ? "yields" : "sleeps"] = true;
    if (forEvent) state.set("EVENT", 0n);
    return false;
  }

  /** The name of a register that the vCPU may read or write where it is. */
  #nameOf(number: number): string {
    const name = systemRegisterText(number).toUpperCase();
    if (!(this.state.pstate & Pstate.ElMask) && !/^TPIDR(RO)?_EL0$/.test(name)) throw new Departs("register");
    return name;
  }

  #readRegister(number: number): bigint {
    const name = this.#nameOf(number);
    if (name === "DAIF") return BigInt(this.state.pstate & Pstate.Daif);
    if (name === "CURRENTEL") return BigInt(this.state.pstate & Pstate.ElMask);
    if (/^CNT[PV]CT/.test(name)) return this.#counter();
    return this.state.register(name) ?? this.#askRegister(name);
  }

  #counter(): bigint {
    if (this.prospect.counter === undefined) throw new Departs("time");
    return BigInt(Math.trunc(this.prospect.counter / TICK_NS));
  }

  #askRegister(name: string): bigint {
    const value = this.prospect.system?.(name);
    if (value === undefined) throw new Departs("register");
    // These leave to EL2.
    if (name.startsWith("ICC_")) this.stretch.calls++;
    if (SHOWS_INTERRUPTS.test(name)) this.stretch.open = true;
    this.stretch.registers.set(name, { name, va: undefined, size: 8, value });
    return value;
  }

  #writeRegister(number: number, value: bigint): void {
    const name = this.#nameOf(number), { state } = this;
    if (name === "DAIF") state.setPstate(state.pstate & ~Pstate.Daif | Number(value) & Pstate.Daif);
    else if (isChangedRegister(name) && !name.startsWith("SP_")) state.set(name, value);
    else throw new Departs("register");
  }

  /** MSR (immediate): DAIFSet, DAIFClr and SPSel. */
  #writeField(field: number, immediate: number): void {
    const { state } = this, mask = immediate << 6;
    if (!(state.pstate & Pstate.ElMask)) throw new Departs("register");
    if (field === PstateField.DaifSet) state.setPstate(state.pstate | mask);
    else if (field === PstateField.DaifClr) state.setPstate(state.pstate & ~mask);
    else if (field === PstateField.SpSel) state.setPstate(state.pstate & ~Pstate.SP | immediate & Pstate.SP);
    else throw new Departs("register");
  }
}

/** op1:op2 of MSR (immediate). */
const PstateField = { SpSel: 5, DaifSet: 0b11_110, DaifClr: 0b11_111 } as const;

/** Whether these bits of a word have this value. */
const matches = (word: number, [mask, value]: readonly [number, number]) => (word & mask) === value;

/** BTI c refuses type 3, BTI j type 2. Others that permit a branch end the evaluation. */
function permitsBranch(word: number, type: number): boolean {
  const operand = word >>> 6 & 3;
  return matches(word, TargetWord.Bti) && (operand === 3 || operand !== 0 && type + operand !== 4);
}
