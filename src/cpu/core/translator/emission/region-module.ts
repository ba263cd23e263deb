// The Wasm module of some regions. Its bytes follow from the signature of the regions
// (`signatureOf`): numbers of regions and addresses of decoded pages are put in later, so that they
// serve wherever and whenever the same code is compiled again.

import type { Cpu } from "../../../isa/cpus/cpus.ts";
import { instructionSetOf } from "../../../isa/instruction-set.ts";
import { COUNTER_SHIFT } from "../../decoded/execution-counters.ts";
import { REGION_PARAMETERS, REGION_RESULTS, TABLE_SIZE } from "../../interpreter/interpreter.ts";
import { ImportedFunctions, linkedModule } from "../../interpreter/outlined.ts";
import { FIRST_REGION_HANDLER, INSTRUCTIONS_PER_PAGE } from "../../state/layout.ts";
import { type Callees, type KnownFunction, KnownFunctions } from "../../wasm/library.ts";
import { fillGap, FunctionBuilder, GAP_BYTES, type ImportedMemory, SHORT_GAP_BYTES } from "../../wasm/module.ts";
import { hasWideMultiplication } from "../../wasm/wide-multiplication.ts";
import { Bytes } from "../../../../kit/support/values/bytes.ts";
import { type CodeView, decodedPageAddress } from "../code/code-view.ts";
import { instructionsOf } from "../code/instruction.ts";
import { hasFusedMultiplyAdd } from "./fused-multiply-add.ts";
import { defineEnter } from "./enter-function.ts";
import { emitHead } from "./head-function.ts";
import { emitRegion } from "./region-function.ts";
import type { Callee, NeighborPage } from "./region-options.ts";
import { type CodeSignature, neighborsOf, partsFrom, type RegionPart } from "./code-signature.ts";
import type { Block } from "../regions/region.ts";

/** A region that is about to be compiled. */
export interface Draft {
  readonly code: CodeView;
  readonly head: number;
  readonly blocks: readonly Block[];
}

/** The parts of a module of these drafts. */
export function partsOf(drafts: readonly Draft[]): RegionPart[] {
  const byHead = new Map(drafts.map(({ code, head }, i) => [code.decodedAt(head), i]));
  return drafts.map(({ code, blocks }) => {
    const neighbors = neighborsOf(blocks), callees = new Map<number, number>();
    for (const { ending } of blocks) {
      if (ending.kind !== "call" || ending.to === undefined || !code.has(ending.to)) continue;
      const offset = Math.floor(ending.to / INSTRUCTIONS_PER_PAGE), callee = byHead.get(code.decodedAt(ending.to));
      if (callee !== undefined && (offset === 0 || neighbors.includes(offset))) callees.set(ending.to, callee);
    }
    return { blocks, neighbors, callees };
  });
}

/** Kinds of constants that are put in later: of a part, and for pages by their place. */
const Kind = { Handler: 0, Head: 1, Page: 2, Counters: 3 } as const;

/** Bytes of a gap: numbers of handlers are short. */
export const bytesOfGap = (tag: number): number => (tag & 3) === Kind.Handler ? SHORT_GAP_BYTES : GAP_BYTES;

/** Pages of a region are at most this many before its head's. */
const BEFORE = 1;

const tagOf = (kind: number, part: number, offset = 0) => kind | part << 2 | (offset + BEFORE) << 8;

/** The place of a part: what the constants that are put in later follow from. */
export interface PartPlace {
  /** Number of the region. */
  readonly number: number;
  /** Address of its head's decoded instruction. */
  readonly head: number;
  /** Indices of its decoded pages, by their distance from the head's. */
  readonly pages: ReadonlyMap<number, number>;
}

/** The places of drafts, whose regions get these numbers. */
export function partPlaces(drafts: readonly Draft[], parts: readonly RegionPart[], numbers: readonly number[]): PartPlace[] {
  return drafts.map(({ code, head }, i) => ({
    number: numbers[i],
    head: code.decodedAt(head),
    pages: new Map([0, ...parts[i].neighbors].map((offset) => [offset, code.pageIndex(offset * INSTRUCTIONS_PER_PAGE)])),
  }));
}

/** Puts in what belongs to one place of each part. */
export function fillIn({ bytes, gaps }: RegionModule, places: readonly PartPlace[]): void {
  for (let i = 0; i < gaps.length; i += 2) {
    const tag = gaps[i + 1], { number, head, pages } = places[tag >> 2 & 0x3f];
    let value: number;
    if ((tag & 3) === Kind.Handler) value = FIRST_REGION_HANDLER + number;
    else if ((tag & 3) === Kind.Head) value = head;
    else {
      const offset = (tag >> 8) - BEFORE, page = pages.get(offset);
      if (page === undefined) throw new Error(`a region has no page ${offset} from its head's`);
      value = decodedPageAddress(page);
      if ((tag & 3) === Kind.Counters) value >>= COUNTER_SHIFT;
    }
    fillGap(bytes, gaps[i], value, bytesOfGap(tag));
  }
}

/** A module whose constants are put in later. */
export interface RegionModule {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Bytes of code of each region. */
  readonly sizes: readonly number[];
  /** Positions of the constants, each with its tag. */
  readonly gaps: readonly number[];
}

/** Bytes of late calls in a region, in most cases. */
const LATE_CALLS = 0x100;

/** Hold the module that is encoded: new ones take longer than writing into them. */
const encoded = new Bytes(), section = new Bytes();

/** Name of the function of a part, and of the function of its first instruction. */
export const regionName = (part: number): string => `r${part}`;
export const firstName = (part: number): string => `f${part}`;

export function generateModule(known: Callees, memory: ImportedMemory, parts: readonly RegionPart[]): RegionModule {
  const operations = { fusedMultiplyAdd: hasFusedMultiplyAdd(), wideMultiplication: hasWideMultiplication() };
  const module = linkedModule(memory, TABLE_SIZE);
  const library = new ImportedFunctions(known, module);
  const functions = parts.map(({ blocks, neighbors, callees }, i) => {
    const head = new FunctionBuilder(-1, "head", ["i32"], []);
    emitHead(head, library, blocks[0].first & INSTRUCTIONS_PER_PAGE - 1, blocks[0].instructions[0]);
    const callee = (part: number): Callee => ({
      name: regionName(part),
      decoded: tagOf(Kind.Head, part),
      handler: tagOf(Kind.Handler, part),
    });
    const region = emitRegion(library, blocks, {
      handler: tagOf(Kind.Handler, i),
      neighbors: neighbors.map((offset): NeighborPage => ({ offset, decoded: tagOf(Kind.Page, i, offset) })),
      counters: (offset) => tagOf(Kind.Counters, i, offset),
      callees: new Map(Array.from(callees, ([at, part]) => [at, callee(part)])),
      callIndirect: (f) => module.callIndirect(f, REGION_PARAMETERS, REGION_RESULTS),
      type: module.type(REGION_PARAMETERS, REGION_RESULTS),
      operations,
    });
    return { region, head };
  });
  // Imports precede functions: only now is known what the code calls.
  const names = defineEnter(module);
  functions.forEach(({ region: { code } }, i) => {
    names[regionName(i)] = module.function(regionName(i), REGION_PARAMETERS, REGION_RESULTS, true, new Bytes(code.length + LATE_CALLS));
  });
  functions.forEach(({ region, head }, i) => {
    const f = names[regionName(i)];
    f.locals.push(...region.locals);
    f.append(region, {}, names);
    module.place(head, firstName(i));
  });
  const { bytes, gaps } = module.encodeWithGaps(encoded, section);
  return { bytes, sizes: functions.map(({ region }) => region.code.length), gaps: gaps.flatMap(({ at, tag }) => [at, tag]) };
}

/** A core, as the modules of its regions follow from it. Plain data. */
export interface CompiledCore {
  /** Functions of its module. */
  readonly functions: readonly KnownFunction[];
  readonly memory: ImportedMemory;
  readonly cpu: Cpu;
}

/** Makes the modules of a core with their constants, from signatures. */
export function moduleMaker({ functions, memory, cpu }: CompiledCore) {
  const library = new KnownFunctions(functions), instructions = instructionsOf(instructionSetOf(cpu));
  return (signature: CodeSignature, places: readonly PartPlace[]): RegionModule => {
    const module = generateModule(library, memory, partsFrom(signature, instructions));
    fillIn(module, places);
    return module;
  };
}
