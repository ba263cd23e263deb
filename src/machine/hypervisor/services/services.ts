// The hypervisor's services to its objects of any type. A folder whose objects need more extends
// this interface; none of them imports the hypervisor itself.

import type { ObjectType } from "../../abi/rights.ts";
import type { TraceHub } from "../trace/trace-hub.ts";
import type { TraceNames } from "../trace/trace-names.ts";
import type { Faults } from "./faults.ts";

/** An object as its services know it. */
interface ServedObject {
  readonly type: ObjectType;
  readonly serial: number;
  readonly name: string;
}

/** Notes what changes, and checks it after the operation (`machine.check`). */
export interface ChangeChecker {
  /** An object was made, changed, or is going. */
  touch(object: ServedObject): void;
  /** Pages were taken from an owner. */
  touchPages(giver: { readonly serial: number; readonly name: string }, pa: number, size: number): void;
  /** The tables of an address space have changed. */
  touchRange(space: ServedObject, ipa: number, size: number): void;
  /** Stops the machine if what was touched breaks a rule. `operation` is asked only then. */
  verifyAfter(operation: () => string): void;
}

/** Requirements of every object. */
export interface Services {
  readonly trace: TraceHub;
  readonly names: TraceNames;
  readonly faults: Faults;
  readonly checker: ChangeChecker | undefined;
  /** Whether defects of the recorded build are there as well (`Behaviour.quirks`). */
  readonly hasQuirks: boolean;
  /** VICs can have message-signaled interrupts (`Behaviour.msi`, `vmMsis`). */
  readonly hasLpis: boolean;
  /** Every object that is not destroyed. */
  readonly objects: { add(object: ServedObject): unknown; delete(object: ServedObject): unknown };
  /** Numbers objects in order of creation, from 1. */
  nextSerial(): number;
}
