// The documents that benches print with `--json`: each by itself, or all in one. Their tables are
// the source of docs/performance.md.

/** Schema of the one document. */
const SCHEMA = "el2.bench.all/1";

/** A figure for the table of docs/performance.md. */
export interface Figure {
  readonly what: string;
  /** `times`: as fast as QEMU, 1 is equal. */
  readonly unit: "times" | "s" | "ms" | "MiB" | "points of a CPU" | "share";
  /** A value per round, or one of all rounds. */
  readonly values: readonly number[];
  /** The goal: the least or the most that is wanted. */
  readonly least?: number;
  readonly most?: number;
}

/** The result of a bench. */
export interface BenchDocument {
  readonly schema: string;
  /** Absent from a comparison of two trees. */
  readonly table?: readonly Figure[];
  readonly [key: string]: unknown;
}

let collected: Record<string, BenchDocument> | undefined;
let machine: ReturnType<typeof machineOf> | undefined;
let bench = "";

/** Prints a bench's document, or keeps it for `printCollected`. */
export function printDocument(document: BenchDocument): void {
  if (collected) collected[bench] = document;
  else console.log(JSON.stringify(document));
}

/** From now on documents are kept under the name of their bench. */
export function collectDocuments(): void {
  collected = {};
  machine = machineOf();
}

/** The bench whose documents come now. */
export function nameBench(name: string): void {
  bench = name;
}

/** Prints what was kept, with the machine that it was measured on. */
export function printCollected(): void {
  if (!collected) return;
  console.log(JSON.stringify({ schema: SCHEMA, date: new Date().toISOString().slice(0, 10), machine, benches: collected }));
}

/** The processor, how many of them, their load, and what executes el2. */
function machineOf() {
  return {
    processor: printed("grep", ["-m1", "model name", "/proc/cpuinfo"], /: (.*)$/m) ?? Deno.build.target,
    processors: navigator.hardwareConcurrency,
    load: Number(printed("uptime", [], /load average: ([\d.]+)/)),
    deno: Deno.version.deno,
    v8: Deno.version.v8,
  };
}

/** A part of what a program prints. Deno itself reads /proc only with all permissions. */
function printed(program: string, args: readonly string[], part: RegExp): string | undefined {
  const { stdout } = new Deno.Command(program, { args: [...args], stderr: "null" }).outputSync();
  return part.exec(new TextDecoder().decode(stdout))?.[1];
}
