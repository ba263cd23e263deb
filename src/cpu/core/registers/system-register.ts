// One system register of the core's: its encoding, its access rights and what an access does; and
// the usual kinds of them. The lists are in system-registers.ts and performance-registers.ts.

import { systemRegisterNumber } from "../../isa/names/system-register-names.ts";
import { Code, constant, type Local, type Value } from "../wasm/expression.ts";
import type { Library } from "../wasm/library.ts";

/**
 * An access that EL0 may make only where `allowed` holds; it is trapped to EL1 (EC 0x18) otherwise.
 */
export interface El0Control {
  readonly allowed: (c: Code, library: Library) => Value;
  /** The least level that may besides; EL1 by default. */
  readonly above?: 2;
}

/** EL2 only; EL1 and above; EL0 as well; EL0 under a control of EL1's. */
export type Privilege = 2 | 1 | 0 | El0Control;

export interface AllowedAccess<T> {
  readonly privilege: Privilege;
  readonly emit: T;
}

/** One system register. An access that is missing is UNDEFINED. */
export interface SystemRegister {
  /** As the Arm manual writes it. */
  readonly name: string;
  /** See `systemRegisterNumber`. */
  readonly encoding: number;
  /** MRS. */
  readonly read?: AllowedAccess<(c: Code, library: Library) => Value>;
  /** MSR (register). */
  readonly write?: AllowedAccess<(c: Code, library: Library, value: Local) => void>;
}

export type Encoding = readonly [op0: number, op1: number, crn: number, crm: number, op2: number];

/** A register that is 64 bits of state which only the core writes. */
export const readOnly = (name: string, encoding: Encoding, address: number, privilege: Privilege = 1): SystemRegister => ({
  name,
  encoding: systemRegisterNumber(...encoding),
  read: { privilege, emit: (c) => c.load("i64.load", address) },
});

/** A register that is only 64 bits of state. */
export const plain = (name: string, encoding: Encoding, address: number, read: Privilege = 1, write: Privilege = read): SystemRegister => ({
  ...readOnly(name, encoding, address, read),
  write: { privilege: write, emit: (c, _, value) => c.store("i64.store", address, value) },
});

/** State whose writes change only the bits of `mask`. */
export const masked = (
  name: string,
  encoding: Encoding,
  address: number,
  mask: bigint,
  privilege: Privilege = 1,
): SystemRegister => ({
  ...readOnly(name, encoding, address, privilege),
  write: { privilege, emit: (c, _, value) => c.store("i64.store", address, value.and(mask)) },
});

export const constantRegister = (name: string, encoding: Encoding, value: bigint, privilege: Privilege = 1): SystemRegister => ({
  name,
  encoding: systemRegisterNumber(...encoding),
  read: { privilege, emit: () => constant("i64", value) },
});
