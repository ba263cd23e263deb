// Accesses to system registers by MRS and MSR: `readSystemRegister`, `writeSystemRegister` and
// `writePstateField` of the seam, for the registers of system-registers.ts.

import { LIST_REGISTERS } from "../../isa/cpus/cpus.ts";
import type { FeatureName } from "../../isa/cpus/features.ts";
import { systemRegisterNumber } from "../../isa/names/system-register-names.ts";
import { ExceptionClass, Pstate, Sctlr, syndrome } from "../architecture/exceptions.ts";
import type { RegisterMove } from "../architecture/fine-grained-traps.ts";
import { exceptionFunction } from "../exceptions/exception-entry.ts";
import { hasEl2, raiseToEl2 } from "../state/banks.ts";
import { callee, define as defineFunction } from "../state/functions.ts";
import { WRITTEN_REGISTERS } from "../state/layout.ts";
import { Code, constant, type Value } from "../wasm/expression.ts";
import type { Library } from "../wasm/library.ts";
import { isAbove, redirect, trapOf, trapsUnknown } from "./el2-controls.ts";
import { el2Registers } from "./el2-registers.ts";
import { ichRegisters } from "./ich-registers.ts";
import { ICV_REGISTERS, trapsInterface } from "./icv-registers.ts";
import { WRITE_BITS } from "./register-writes.ts";
import { type El0Control, type Privilege, type SystemRegister } from "./system-register.ts";
import { pstate, sctlrAllows, setPstateField, systemRegisters } from "./system-registers.ts";
import { defineVirtualInterface } from "./virtual-interface.ts";

/** Fields of PSTATE that MSR (immediate) sets on CPUs with a feature: op1, op2, privilege, bit. */
const PSTATE_FIELDS: readonly (readonly [feature: FeatureName, op1: number, op2: number, privilege: Privilege, bit: number])[] = [
  ["FEAT_UAO", 0, 3, 1, Pstate.UAO],
  ["FEAT_SSBS2", 3, 1, 0, Pstate.SSBS],
  ["FEAT_DIT", 3, 2, 0, Pstate.DIT],
];

/**
 * Defines `readSystemRegister`, `writeSystemRegister` and `writePstateField` of the seam.
 * @param listRegisters of the GIC's virtual CPU interface, with FEAT_EL2
 */
export function defineSystemRegisters(
  library: Library,
  features: ReadonlySet<FeatureName>,
  listRegisters = LIST_REGISTERS,
): void {
  const registers = [...systemRegisters(features)];
  if (hasEl2(library)) {
    registers.push(...el2Registers(features), ...ichRegisters(listRegisters), ...ICV_REGISTERS);
    defineVirtualInterface(library, listRegisters);
  }
  const access = new RegisterAccess(library, registers, features);
  defineReads(library, access);
  defineWrites(library, access);
  definePstateWrites(library, access, features);
}

/** The checks before an access to a register. */
class RegisterAccess {
  readonly undefinedInstruction;
  readonly #raise;
  readonly #syndrome;

  constructor(readonly library: Library, readonly registers: readonly SystemRegister[], readonly features: ReadonlySet<FeatureName>) {
    this.undefinedInstruction = callee(library, "raiseUndefined");
    this.#raise = exceptionFunction(library, "raise");
    this.#syndrome = defineSystemSyndrome(library);
  }

  /**
   * Runs `body` if the current EL has the privilege; raises the exception that it has not
   * otherwise.
   * @param refuse the exception where EL0 never has it
   */
  privileged(c: Code, privilege: Privilege, body: () => void, refuse = () => c.run(this.undefinedInstruction)): void {
    if (privilege === 0) return body();
    if (privilege === 2) return c.if(pstate(c).and(Pstate.EL2), body, () => c.run(this.undefinedInstruction));
    if (privilege !== 1 && privilege.above === 2) return this.#hostsEl0(c, privilege, body);
    c.if(atEl0(c), () => {
      if (privilege === 1) refuse();
      else c.if(privilege.allowed(c, this.library), body, () => this.#raiseTrapped(c));
    }, body);
  }

  /** EL2 and, where `allowed` holds, EL0. */
  #hostsEl0(c: Code, { allowed }: El0Control, body: () => void): void {
    const isEl2 = pstate(c).and(Pstate.EL2).nonZero(), isAllowed = atEl0(c).and(allowed(c, this.library).nonZero());
    c.if(isEl2.or(isAllowed), body, () => c.if(atEl0(c), () => this.#raiseTrapped(c), () => c.run(this.undefinedInstruction)));
  }

  /**
   * A read that EL0 may never make: UNDEFINED; with FEAT_IDST, in the feature ID space, a trapped
   * access.
   */
  refuseRead(c: Code, encoding: Value): void {
    const undefinedInstruction = () => c.run(this.undefinedInstruction);
    if (this.features.has("FEAT_IDST")) c.if(isIdentification(encoding), () => this.#raiseTrapped(c), undefinedInstruction);
    else undefinedInstruction();
  }

  #raiseTrapped(c: Code): void {
    c.run(this.#raise, c.call(this.#syndrome));
  }

  /**
   * Finds the register among those of its CRn; an unknown one traps to EL2.
   * @param refuse the exception where EL0 accesses an unknown one
   */
  dispatch(
    c: Code,
    direction: RegisterMove,
    body: (register: SystemRegister) => void,
    refuse = () => c.run(this.undefinedInstruction),
  ): void {
    const encoding = c.parameter(0);
    if (hasEl2(this.library)) redirect(c, encoding);
    c.switch(
      encoding.shrU(7).and(15),
      Array.from({ length: 16 }, (_, crn) => () => {
        for (const register of this.registers) {
          if ((register.encoding >> 7 & 15) === crn) c.if(encoding.eq(register.encoding), () => body(register));
        }
      }),
    );
    const trap = () => c.run(exceptionFunction(this.library, "trap"), c.call(this.#syndrome));
    const above = () => {
      if (!hasEl2(this.library)) return trap();
      c.if(trapsUnknown(c, encoding, direction, this.features), () => c.run(raiseToEl2(this.library), c.call(this.#syndrome)), () => {
        c.if(isAbove(c, encoding), () => c.run(this.undefinedInstruction), trap);
      });
    };
    c.if(atEl0(c), refuse, above);
  }

  /**
   * The access of a level below EL2 to a register goes to EL2 if a control asks for it; the
   * function ends with it.
   */
  trapToEl2(c: Code, { name }: SystemRegister, direction: RegisterMove): void {
    if (!hasEl2(this.library)) return;
    const own = trapOf(c, name, direction, this.features), ofInterface = trapsInterface(c, name);
    const traps = own && ofInterface ? own.or(ofInterface) : own ?? ofInterface;
    if (!traps) return;
    c.if(traps, () => {
      c.run(raiseToEl2(this.library), c.call(this.#syndrome));
      c.return(...c.f.results.map(() => constant("i64", 0)));
    });
  }
}

/** Op0 3, op1 0, 1 or 3, CRn 0, CRm 0 to 7: the feature ID space (Arm ARM D19.2). */
function isIdentification(encoding: Value): Value {
  const fixed = systemRegisterNumber(3, 4, 15, 8, 0), op1 = encoding.shrU(11).and(3);
  return encoding.and(fixed).eq(systemRegisterNumber(3, 0, 0, 0, 0)).and(op1.ne(2));
}

const atEl0 = (c: Code) => pstate(c).and(Pstate.ElMask).not();

/** MRS. */
function defineReads(library: Library, access: RegisterAccess): void {
  const c = new Code(defineFunction(library, "readSystemRegister")), refuse = () => access.refuseRead(c, c.parameter(0));
  access.dispatch(c, "read", (register) => {
    const { read } = register;
    if (!read) c.run(access.undefinedInstruction);
    else {
      access.privileged(c, read.privilege, () => {
        access.trapToEl2(c, register, "read");
        c.return(read.emit(c, library));
      }, refuse);
    }
    c.return(constant("i64", 0));
  }, refuse);
  c.result(constant("i64", 0));
}

/** MSR (register). */
function defineWrites(library: Library, access: RegisterAccess): void {
  const c = new Code(defineFunction(library, "writeSystemRegister"));
  access.dispatch(c, "write", (register) => {
    const { name, write } = register;
    if (!write) c.run(access.undefinedInstruction);
    else {
      access.privileged(c, write.privilege, () => {
        access.trapToEl2(c, register, "write");
        const bit = WRITE_BITS.get(name);
        if (bit !== undefined) c.store("i64.store", WRITTEN_REGISTERS, c.load("i64.load", WRITTEN_REGISTERS).or(bit));
        write.emit(c, library, c.parameter(1));
      });
    }
    c.return();
  });
}

/** MSR (immediate). */
function definePstateWrites(library: Library, access: RegisterAccess, features: ReadonlySet<FeatureName>): void {
  const c = new Code(defineFunction(library, "writePstateField"));
  const field = c.parameter(0), immediate = c.parameter(1);
  const daif = pstate(c).and(Pstate.Daif);
  const bits = c.let(immediate.and(15).shl(Math.log2(Pstate.F)));
  const fields: [op1: number, op2: number, privilege: Privilege, emit: () => void][] = [
    [0, 4, 1, () => setPstateField(c, library, Pstate.PAN, immediate.and(1).mul(Pstate.PAN))],
    [0, 5, 1, () => setPstateField(c, library, Pstate.SP, immediate)],
    [3, 6, sctlrAllows(Sctlr.UMA), () => c.run(exceptionFunction(library, "setDaif"), daif.or(bits))],
    [3, 7, sctlrAllows(Sctlr.UMA), () => c.run(exceptionFunction(library, "setDaif"), daif.and(bits.xor(-1)))],
  ];
  for (const [feature, op1, op2, privilege, field] of PSTATE_FIELDS) {
    if (features.has(feature)) {
      fields.push([op1, op2, privilege, () => setPstateField(c, library, field, immediate.and(1).mul(field))]);
    }
  }
  for (const [op1, op2, privilege, emit] of fields) {
    c.if(field.eq(op1 << 3 | op2), () => {
      access.privileged(c, privilege, emit);
      c.return();
    });
  }
  c.run(access.undefinedInstruction);
}

/** () -> ESR of class 0x18 for the MSR, MRS or SYS instruction in progress. */
function defineSystemSyndrome(library: Library) {
  const f = library.define("systemSyndrome", [], ["i32"]);
  const c = new Code(f);
  const word = c.let(c.call(callee(library, "currentWord")));
  /** Bits of the instruction from `lowest`, and their place in the ISS. */
  const layout = [[19, 3, 20], [5, 7, 17], [16, 7, 14], [12, 15, 10], [0, 31, 5], [8, 15, 1], [21, 1, 0]];
  const iss = layout.map(([lowest, mask, at]) => word.shrU(lowest).and(mask).shl(at)).reduce((sum, part) => sum.or(part));
  c.result(iss.or(syndrome(ExceptionClass.SystemRegister, 0)));
  return f;
}
