// Options of V8, which reads them where a process starts, and never again.

/**
 * Size of the young generation of each thread, in MiB: both halves of it stay resident. Without a
 * bound they grow to 32 MiB each; with less than this, the collections of a boot take several
 * percent of its time. They begin at 1: until they have grown, V8 collects three times and moves
 * nearly all while the worker of a machine loads, a few percent of the time of a start.
 */
const HEAP = "--max-semi-space-size=8", BEGINS = "--min-semi-space-size=8";
/**
 * No steps of marking in separate tasks: Deno's event loop turns without a pause until the
 * threads that mark are done, hundreds of times for each collection of the old generation, and
 * longest on a busy computer. Steps go with allocation alone, and what is left with the end of the
 * collection, which takes 4 ms as before; a session at rest with screens takes a tenth to a half
 * less CPU time.
 */
const MARKING = "--no-incremental-marking-task";
/**
 * Bytes, roughly, that a Wasm function executes until V8 optimizes it; 13 million without this. A
 * region exists because its code is hot: programs take 3 % less time, in their first run up to
 * 13 %, and V8 compiles 11 % longer in the background.
 */
const OPTIMIZING = "--wasm-tiering-budget=1000000";
/**
 * Calls of a function of TypeScript until V8 compiles it, and until it optimizes it fully; 400 and
 * 3,000 without these. A boot calls a few hundred functions that often and then ends: V8 spends a
 * quarter less time in the background, in a compiler that runs for a second three tenths less, and
 * guests take as long as before. Functions that are called all the time get there in a second.
 */
const COMPILING = "--invocation-count-for-maglev=1000", FULLY = "--invocation-count-for-turbofan=100000";
/**
 * Bytes of bytecode that V8 puts into a function instead of calls; 920 without this. The path of
 * a call of the hypervisor, or of an exit, is many short functions: with this a load that a VMM
 * serves takes 1.32 us at best, without it 1.55.
 */
const INLINING = "--max-inlined-bytecode-size-cumulative=2000";
/**
 * No comparison of the stack pointer at the start of each Wasm function and in each turn of a loop:
 * 2 % of programs' time, 3 % of loops'. Regions of the translator call each other as the guest's
 * functions do, within a budget of bytes (docs/design/core.md §T12); no other generated function
 * calls itself. V8 also stops a thread there; ours leaves Wasm after each slice.
 */
const STACK = "--no-wasm-stack-checks";
/**
 * Products of 128 bits (WebAssembly's wide arithmetic): UMULH and SMULH, of which there are four
 * and more in each step of long arithmetic, take one multiplication instead of four and fifteen
 * other operations. Where the option is missing they do (cpu/core/wasm/wide-multiplication.ts).
 */
const PRODUCTS = "--experimental-wasm-wide-arithmetic";

/** The options of Deno with which everything that runs guests starts. */
export const V8_OPTIONS: readonly string[] = [
  `--v8-flags=${[HEAP, BEGINS, MARKING, OPTIMIZING, COMPILING, FULLY, INLINING, STACK, PRODUCTS].join()}`,
];
