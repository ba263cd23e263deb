// The values of an instruction's integer expressions, from registers and RAM.

import type { Flag, Node } from "../../isa/notation/builder.ts";
import { constantSlot } from "../interpreter/emitter.ts";
import { bigOf, numberOf } from "../translator/code/static-values.ts";
import type { CopiedState } from "./copied-state.ts";
import { evaluateInteger } from "./integers.ts";

/** Why the evaluation ended at an instruction whose effect registers and RAM do not decide. */
export type Departure = "call" | "device" | "register" | "time" | "sleep" | "interrupt" | "other";

/** The evaluation of an instruction ends here. */
export class Departs extends Error {
  constructor(readonly how: Departure) {
    super(how);
  }
}

type RamLoad = Extract<Node, { kind: "ramLoad" }>;

export class InstructionValues {
  /** The instruction, and its address. */
  word = 0;
  pc = 0n;
  readonly locals = new Map<number, bigint>();

  /** @param load reads RAM */
  constructor(readonly state: CopiedState, readonly load: (node: RamLoad) => bigint) {}

  begin(word: number, pc: bigint): void {
    this.word = word;
    this.pc = pc;
    this.locals.clear();
  }

  /**
   * The value of an i32 or i64, unsigned.
   * @throws Departs if it is not an integer, or follows from more than registers and RAM
   */
  of(node: Node): bigint {
    if (node.type !== "i32" && node.type !== "i64") throw new Departs("other");
    const bits = node.type === "i32" ? 32 : 64;
    return BigInt.asUintN(bits, this.#evaluate(node, bits));
  }

  #evaluate(node: Node, bits: 32 | 64): bigint {
    if (node.kind === "constant") return BigInt(node.value);
    if (node.isStatic) return bits === 32 ? BigInt(numberOf(node, this.word)) : bigOf(node, this.word);
    switch (node.kind) {
      case "op":
        return this.#operation(node.name, node.operands);
      case "register":
        return this.state.getX(constantSlot(node.bank, numberOf(node.index, this.word), false));
      case "local": {
        const value = this.locals.get(node.id);
        if (value === undefined) throw new Departs("other");
        return value;
      }
      case "pc":
        return this.pc;
      case "flag":
        return this.state.get(node.flag);
      case "condition":
        return this.#holds(node.cond) ? 1n : 0n;
      case "state":
        if (!this.state.has(node.name)) throw new Departs("other");
        return this.state.get(node.name);
      case "ramLoad":
        return this.load(node);
      default:
        throw new Departs("other");
    }
  }

  #operation(name: string, operands: readonly Node[]): bigint {
    const [first, second, condition] = operands;
    if (name === "select") return this.of(condition) ? this.of(first) : this.of(second);
    const a = this.of(first), b = second ? this.of(second) : 0n;
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

/** Bytes of a Wasm load or store, by its name. */
export function bytesOf(instruction: string): number {
  const [, bits, narrow] = /^[a-z](\d+)\.(?:load|store)(\d+)?/.exec(instruction) ?? [];
  return Number(narrow ?? bits) / 8;
}

/** The same for stores of integers and loads of unsigned ones. @throws Departs for others */
export function widthOf(instruction: string): number {
  if (!instruction.startsWith("i") || instruction.endsWith("_s")) throw new Departs("other");
  return bytesOf(instruction);
}
