// The objects that code in the worker of guests finds once its machine has begun: all others are
// taken away, also those that a later Deno brings. docs/threat-model.md has these lists, and a
// test tries them.

const LANGUAGE = ("AggregateError Array ArrayBuffer AsyncDisposableStack Atomics BigInt BigInt64Array BigUint64Array Boolean DataView " +
  "Date DisposableStack Error EvalError FinalizationRegistry Float16Array Float32Array Float64Array Function Infinity Int16Array " +
  "Int32Array Int8Array Intl Iterator JSON Map Math NaN Number Object Promise Proxy RangeError ReferenceError Reflect RegExp Set " +
  "SharedArrayBuffer String SuppressedError Symbol SyntaxError Temporal TypeError URIError Uint16Array Uint32Array Uint8Array " +
  "Uint8ClampedArray WeakMap WeakRef WeakSet WebAssembly decodeURI decodeURIComponent encodeURI encodeURIComponent escape eval " +
  "globalThis isFinite isNaN parseFloat parseInt undefined unescape").split(" ");

/** Services of Deno that need no right: messages to the thread's owner, time, texts, digests. */
export const SERVICES: readonly string[] =
  ("Buffer DOMException DedicatedWorkerGlobalScope Deno ErrorEvent Event EventTarget MessageChannel MessageEvent MessagePort TextDecoder " +
    "TextEncoder URL URLSearchParams WorkerGlobalScope clearInterval clearTimeout close console crypto name onerror onmessage " +
    "onunhandledrejection performance postMessage process queueMicrotask self setImmediate setInterval setTimeout structuredClone")
    .split(" ");

/**
 * Members of `Deno`: files, sockets and libraries ask for the right to them, the others name what
 * the process is, or are its streams.
 */
export const DENO: readonly string[] =
  ("FsFile SeekMode build chmodSync connect cwd dlopen env errors execPath exit exitCode inspect listen lstatSync makeTempFileSync memoryUsage " +
    "mkdirSync noColor open openSync permissions pid readDirSync readFile readFileSync readLinkSync readTextFileSync realPath " +
    "realPathSync removeSync rename renameSync stat statSync stderr stdin stdout symlink unrefTimer version writeTextFileSync").split(" ");

/** Modules of Node: those that open something ask for the right to it. */
export const NODE_MODULES: readonly string[] = "buffer crypto dgram fs net path timers v8 vm worker_threads zlib".split(" ");

/** Properties of the global object that stay. */
export const GLOBALS: ReadonlySet<string> = new Set([...LANGUAGE, ...SERVICES]);
