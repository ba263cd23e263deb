// The Wasm module of some regions. Its bytes follow from the signature of the regions
// (`signatureOf`): numbers of regions and addresses of decoded pages are globals that the module
// imports, so that it serves wherever and whenever the same code is compiled again.

import { REGION_PARAMETERS, REGION_RESULTS, TABLE_NAME, TABLE_SIZE } from "../interpreter/interpreter.ts";
import { ImportedFunctions } from "../interpreter/outlined.ts";
import { FIRST_REGION_HANDLER, INSTRUCTIONS_PER_PAGE } from "../state/layout.ts";
import type { Callees } from "../wasm/library.ts";
import { FunctionBuilder, type ImportedMemory, WasmModule } from "../wasm/module.ts";
import { type CodeView, decodedPageAddress } from "./code-view.ts";
import { emitEnter, emitFind, FIND, FIND_PARAMETERS, FIND_RESULTS } from "./enter-function.ts";
import { hasFusedMultiplyAdd } from "./fused-multiply-add.ts";
import { emitHead } from "./head-function.ts";
import type { CodeSignature } from "./region-store.ts";
import { type Callee, emitRegion, ENTER, type NeighborPage } from "./region-function.ts";
import type { Block } from "./region.ts";

/** A region that is about to be compiled. */
export interface Draft {
  readonly code: CodeView;
  readonly head: number;
  readonly blocks: readonly Block[];
}

/** A draft as its module has it. */
export interface Part {
  readonly blocks: readonly Block[];
  /** Pages other than that of instruction 0, counted from it. */
  readonly neighbors: readonly number[];
  /** Parts of the module that it calls, by the number of their heads here. */
  readonly callees: ReadonlyMap<number, number>;
}

/** The parts of a module of these drafts. */
export function partsOf(drafts: readonly Draft[]): Part[] {
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

/** Module name of the imported globals, and their names. */
const PLACE = "place";
const handlerName = (part: number) => `handler${part}`;
const headName = (part: number) => `head${part}`;
const pageName = (part: number, offset: number) => `page${part},${offset}`;

/** The values of the globals, for regions with these numbers. */
export function placeOf(drafts: readonly Draft[], parts: readonly Part[], numbers: readonly number[]): WebAssembly.Imports {
  const place: Record<string, number> = {};
  drafts.forEach(({ code, head }, i) => {
    place[handlerName(i)] = FIRST_REGION_HANDLER + numbers[i];
    place[headName(i)] = code.decodedAt(head);
    for (const offset of parts[i].neighbors) {
      place[pageName(i, offset)] = decodedPageAddress(code.pageIndex(offset * INSTRUCTIONS_PER_PAGE));
    }
  });
  return { [PLACE]: place };
}

/** A module, and the bytes of code of each region. */
export interface RegionModule {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly sizes: readonly number[];
}

/** Name of the function of a part, and of the function of its first instruction. */
export const regionName = (part: number): string => `region${part}`;
export const firstName = (part: number): string => `first${part}`;

/** Generates the module. */
export function generateModule(known: Callees, memory: ImportedMemory, parts: readonly Part[]): RegionModule {
  const module = new WasmModule().importMemory(memory).importTable("core", TABLE_NAME, TABLE_SIZE);
  const library = new ImportedFunctions(known, module);
  const globals = new Map<string, number>();
  const globalNamed = (name: string) => {
    let index = globals.get(name);
    if (index === undefined) globals.set(name, index = module.importGlobal(PLACE, name, "i32"));
    return index;
  };
  const functions = parts.map(({ blocks, neighbors, callees }, i) => {
    const head = new FunctionBuilder(-1, "head", ["i32"], []);
    emitHead(head, library, blocks[0].instructions[0]);
    const callee = (part: number): Callee => ({
      name: regionName(part),
      decoded: globalNamed(headName(part)),
      handler: globalNamed(handlerName(part)),
    });
    const region = emitRegion(library, blocks, {
      handler: globalNamed(handlerName(i)),
      neighbors: neighbors.map((offset): NeighborPage => ({ offset, decoded: globalNamed(pageName(i, offset)) })),
      callees: new Map(Array.from(callees, ([at, part]) => [at, callee(part)])),
      callIndirect: (f) => module.callIndirect(f, REGION_PARAMETERS, REGION_RESULTS),
      fusedMultiplyAdd: hasFusedMultiplyAdd(),
    });
    return { region, head };
  });
  // Imports precede functions: only now is known what the code calls.
  const find = module.function(FIND, FIND_PARAMETERS, FIND_RESULTS), enter = module.function(ENTER, REGION_PARAMETERS, REGION_RESULTS);
  emitFind(find);
  emitEnter(enter, find, (f) => module.returnCallIndirect(f, REGION_PARAMETERS, REGION_RESULTS));
  const names: Record<string, FunctionBuilder> = { [FIND]: find, [ENTER]: enter };
  parts.forEach((_, i) => names[regionName(i)] = module.function(regionName(i), REGION_PARAMETERS, REGION_RESULTS, true));
  functions.forEach(({ region, head }, i) => {
    const f = names[regionName(i)];
    f.locals.push(...region.locals);
    f.append(region, {}, names);
    module.place(head, firstName(i));
  });
  return { bytes: module.encode(), sizes: functions.map(({ region }) => region.code.length) };
}

/** Pages of a region other than that of instruction 0, counted from it. */
function neighborsOf(blocks: readonly Block[]): number[] {
  const offsets = new Set<number>();
  for (const { first, instructions } of blocks) {
    for (const at of [first, first + instructions.length - 1]) offsets.add(Math.floor(at / INSTRUCTIONS_PER_PAGE));
  }
  offsets.delete(0);
  return [...offsets];
}

const ENDINGS = { jump: 0, condition: 1, call: 2, return: 3, indirect: 4 } as const;

/** Stands for what is undefined: numbers of instructions are far smaller. */
const NONE = 0x7fff_ffff;

/** All that the bytes of a module follow from, besides the program itself. */
export function signatureOf({ minimum }: ImportedMemory, parts: readonly Part[]): CodeSignature {
  const out = [minimum, hasFusedMultiplyAdd() ? 1 : 0, parts.length];
  for (const { blocks, callees } of parts) {
    out.push(blocks.length);
    for (const { first, instructions, ending } of blocks) {
      out.push(first, instructions.length, ENDINGS[ending.kind]);
      for (const { word } of instructions) out.push(word);
      switch (ending.kind) {
        case "jump":
          out.push(ending.to);
          break;
        case "condition":
          out.push(ending.to, ending.next);
          break;
        case "call":
          out.push(ending.to ?? NONE, ending.next);
          break;
        case "indirect":
          out.push(ending.table === undefined ? 0 : 1, ending.table ?? 0, ending.targets.length, ...ending.targets);
          break;
      }
    }
    out.push(callees.size);
    for (const [at, part] of callees) out.push(at, part);
  }
  return Int32Array.from(out);
}
