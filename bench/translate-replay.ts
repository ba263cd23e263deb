// A process of `deno task bench translate`: makes the modules of recorded requests again, as a run
// does, and prints how long each phase took, as one JSON object. Its argument is the cache folder.

import { CORE_SIZE, FIRST_REGION_HANDLER } from "../src/cpu/core/state/layout.ts";
import { CoreCode } from "../src/cpu/core/core-code.ts";
import { coreFor } from "../src/cpu/core/core-module.ts";
import type { Link } from "../src/cpu/core/interpreter/outlined.ts";
import { instructionsOf } from "../src/cpu/core/translator/code/instruction.ts";
import { type CodeSignature, partsFrom } from "../src/cpu/core/translator/emission/code-signature.ts";
import { bytesOfGap, generateModule } from "../src/cpu/core/translator/emission/region-module.ts";
import { RegionPlan } from "../src/cpu/core/translator/regions/region-plan.ts";
import { Translator } from "../src/cpu/core/translator/translator.ts";
import { fillGap } from "../src/cpu/core/wasm/module.ts";
import { node } from "../src/kit/support/node-modules.ts";
import { MiB, WASM_PAGE_SIZE } from "../src/kit/support/values/sizes.ts";
import { addAgain, type Again } from "./made-again.ts";
import { recordedRuns } from "./region-requests.ts";
import { addKinds, type Kinds } from "./wasm-kinds.ts";

/** Phases of a request, in order, ms of each. */
export interface Phases {
  /** Words to what the translator knows of their instructions. */
  decoding: number;
  /** Control flow, data flow, groups of accesses. */
  analysis: number;
  /** All else that `generateModule` does: code, and its bytes. */
  emission: number;
  module: number;
  instance: number;
}

/** Some requests in a row. */
export interface Pass {
  readonly phases: Phases;
  requests: number;
  instructions: number;
  bytes: number;
}

/** The document that the process prints. */
export interface Replayed {
  /** The first instructions of a process that has translated nothing; the others; all again. */
  readonly passes: Readonly<Record<"first" | "cold" | "warm", Pass>>;
  /** Bytes of the modules of a pass, by kind. */
  readonly kinds: Kinds;
  /** Instructions of all requests. */
  readonly again: Again;
  /** Bytes of JavaScript's heap that an instruction of the warm pass takes. */
  readonly allocated: number;
}

/** Instructions that count as the first ones. */
const FIRST = 1000;

const newPass = (): Pass => ({
  phases: { decoding: 0, analysis: 0, emission: 0, module: 0, instance: 0 },
  requests: 0,
  instructions: 0,
  bytes: 0,
});

const ram = { base: 0x4000_0000, wasmAddress: CORE_SIZE, size: 64 * MiB };
const wasmSize = CORE_SIZE + ram.size, pages = wasmSize / WASM_PAGE_SIZE;
const memory = new WebAssembly.Memory({ initial: pages, maximum: pages }), core = coreFor(ram, wasmSize);
let link: Link | undefined;
new CoreCode(core, memory, ram, {
  decodedPages: undefined,
  translator: (linked) => new Translator(core, link = linked, { samples: 1, landings: 1 }),
});
const { imports } = link!;
const instructions = instructionsOf(core.dispatch.instructions);
/** Regions of a run are not collected either. */
const kept: WebAssembly.Instance[] = [];

function make(signature: CodeSignature, pass: Pass): void {
  const began = performance.now();
  const parts = partsFrom(signature, instructions), decoded = performance.now();
  for (const { blocks } of parts) new RegionPlan(blocks, false);
  const analyzed = performance.now();
  const { bytes, gaps } = generateModule(core.library, core.importedMemory, parts), emitted = performance.now();
  // V8 would find a module with the same bytes as an earlier one.
  for (let i = 0; i < gaps.length; i += 2) fillGap(bytes, gaps[i], FIRST_REGION_HANDLER + kept.length, bytesOfGap(gaps[i + 1]));
  const filled = performance.now();
  const module = new WebAssembly.Module(bytes), compiled = performance.now();
  kept.push(new WebAssembly.Instance(module, imports));
  const { phases } = pass, analysis = analyzed - decoded;
  phases.decoding += decoded - began;
  phases.analysis += analysis;
  // It analyzes, too.
  phases.emission += emitted - analyzed - analysis;
  phases.module += compiled - filled;
  phases.instance += performance.now() - compiled;
  pass.requests++;
  pass.bytes += bytes.length;
  for (const { blocks } of parts) for (const block of blocks) pass.instructions += block.instructions.length;
}

/** Bytes of JavaScript's heap that were allocated so far, also those that are free again. */
const allocated = () => (node.v8.getHeapStatistics() as { total_allocated_bytes?: number }).total_allocated_bytes ?? NaN;

const runs = recordedRuns(Deno.args[0]), signatures = runs.flat();
const first = newPass(), cold = newPass(), warm = newPass();
for (const signature of signatures) make(signature, first.instructions < FIRST ? first : cold);
const before = allocated();
for (const signature of signatures) make(signature, warm);
const taken = allocated() - before;
const passes = { first, cold, warm }, kinds: Kinds = {};
for (const signature of signatures) {
  addKinds(generateModule(core.library, core.importedMemory, partsFrom(signature, instructions)).bytes, kinds);
}
const again: Again = { new: 0, same: 0, grown: 0, inner: 0, outer: 0 };
for (const run of runs) addAgain(run.values().map((signature) => partsFrom(signature, instructions)), again);
console.log(JSON.stringify({ passes, kinds, again, allocated: taken / warm.instructions } satisfies Replayed));
