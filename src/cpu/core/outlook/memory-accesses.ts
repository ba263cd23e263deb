// The accesses to memory of an instruction of a vCPU, by the statements of its semantics: their
// addresses follow from general registers. What it loads and stores is in memory before and after
// it.

import type { Node, Statement } from "../../isa/notation/builder.ts";
import { semanticsOf } from "../../isa/table.ts";
import { AccessKind } from "../memory/translation.ts";
import type { VcpuState } from "../registers/vcpu-state.ts";
import { CopiedState, type Processor, Unreachable } from "./copied-state.ts";
import { bytesOf, Departs, InstructionValues } from "./instruction-values.ts";
import { PAGE_SIZE } from "../../../kit/support/values/sizes.ts";

export interface AccessedMemory {
  readonly va: bigint;
  /** Bytes. */
  readonly size: number;
  readonly isWrite: boolean;
}

/**
 * In the order in which they are made, if the instruction faults at none. Copies and fills of
 * memory (FEAT_MOPS) and loads by an authenticated address (LDRAA, LDRAB) have none here.
 */
export function accessesOf(vcpu: VcpuState, processor: Processor, pc = vcpu.pc): readonly AccessedMemory[] {
  const state = new CopiedState(vcpu, processor);
  state.pc = pc;
  if (pc & 3n) return [];
  const { pa } = unless(Unreachable, () => state.pageOf(pc, AccessKind.Execute)) ?? {};
  if (pa === undefined || pa < 0) return [];
  const word = Number(state.read(pa + Number(pc & 0xfffn), 4)), encoding = processor.instructions.decode(word);
  const accesses = new Accesses(state, word);
  if (encoding) unless(Departs, () => accesses.of(semanticsOf(encoding).statements));
  return accesses.all;
}

class Accesses {
  readonly all: AccessedMemory[] = [];
  readonly #values: InstructionValues;
  readonly #places = new Map<number, bigint>();

  constructor(readonly state: CopiedState, word: number) {
    this.#values = new InstructionValues(state, ({ place, instruction, offset }) => {
      return this.#load(this.#placeOf(place) + BigInt(offset), bytesOf(instruction)) ?? departs();
    });
    this.#values.begin(word, state.pc);
  }

  /** @throws Departs if an address does not follow from general registers */
  of(statements: readonly Statement[]): void {
    for (const s of statements) this.#execute(s);
  }

  #execute(s: Statement): void {
    switch (s.kind) {
      case "let":
        return this.#let(s.id, s.value);
      case "load":
        return this.#setLocal(s.id, this.#load(this.#values.of(s.address), s.size), s.size, s.options.signed);
      case "loadPair": {
        const address = this.#values.of(s.address);
        return s.ids.forEach((id, index) => this.#setLocal(id, this.#load(address + BigInt(index * s.size), s.size), s.size));
      }
      case "store":
        return this.#store(this.#values.of(s.address), s.size);
      case "storePair": {
        const address = this.#values.of(s.address);
        return s.values.forEach((_, index) => this.#store(address + BigInt(index * s.size), s.size));
      }
      case "ramAddress": {
        const address = this.#values.of(s.address);
        this.#places.set(s.id, s.zero ? address & -BigInt(s.size) : address);
        if (s.zero) this.#store(address & -BigInt(s.size), s.size);
        return;
      }
      case "ramStore":
        return this.#store(this.#placeOf(s.place) + BigInt(s.offset), bytesOf(s.instruction));
      case "if": {
        const condition = this.#known(s.condition);
        if (condition !== undefined) this.of(condition ? s.then : s.otherwise);
      }
    }
  }

  /** The values of vectors are not known: neither addresses nor conditions follow from them. */
  #let(id: number, value: Node): void {
    if (value.kind === "ramLoad" && value.type === "v128") {
      this.#load(this.#placeOf(value.place) + BigInt(value.offset), bytesOf(value.instruction));
    }
    const known = this.#known(value);
    if (known !== undefined) this.#values.locals.set(id, known);
  }

  #known(node: Node): bigint | undefined {
    return unless(Departs, () => this.#values.of(node));
  }

  #placeOf(node: Node): bigint {
    return (node.kind === "local" ? this.#places.get(node.id) : undefined) ?? departs();
  }

  /** Notes a load; what is in RAM there, as far as one page has it. */
  #load(va: bigint, size: number): bigint | undefined {
    const address = BigInt.asUintN(64, va), offset = Number(address & 0xfffn);
    this.all.push({ va: address, size, isWrite: false });
    if (size > 8 || offset + size > PAGE_SIZE) return undefined;
    return unless(Unreachable, () => this.state.read(this.state.pageOf(address, 0).pa + offset, size));
  }

  #store(va: bigint, size: number): void {
    this.all.push({ va: BigInt.asUintN(64, va), size, isWrite: true });
  }

  #setLocal(id: number, value: bigint | undefined, size: number, signed = false): void {
    if (value === undefined) return;
    this.#values.locals.set(id, signed ? BigInt.asUintN(64, BigInt.asIntN(8 * size, value)) : value);
  }
}

function departs(): never {
  throw new Departs("other");
}

/** The result of work; undefined if it ends with such an error. */
function unless<T>(kind: typeof Departs | typeof Unreachable, work: () => T): T | undefined {
  try {
    return work();
  } catch (error) {
    if (error instanceof kind) return undefined;
    throw error;
  }
}
