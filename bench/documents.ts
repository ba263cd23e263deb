// The documents that benches print with `--json`: each by itself, or all in one.

/** Schema of the one document. */
const SCHEMA = "el2.bench.all/1";

let collected: Record<string, unknown> | undefined;
let bench = "";

/** Prints a bench's document, or keeps it for `printCollected`. */
export function printDocument(document: unknown): void {
  if (collected) collected[bench] = document;
  else console.log(JSON.stringify(document));
}

/** From now on documents are kept under the name of their bench. */
export function collectDocuments(): void {
  collected = {};
}

/** The bench whose documents come now. */
export function nameBench(name: string): void {
  bench = name;
}

/** Prints what was kept, with the machine that it was measured on. */
export function printCollected(): void {
  if (!collected) return;
  console.log(JSON.stringify({ schema: SCHEMA, machine: machineOf(), benches: collected }));
}

/** The processor, how many of them, and what executes el2. */
function machineOf() {
  const cpuinfo = Deno.readTextFileSync("/proc/cpuinfo");
  return {
    processor: /^model name\s*: (.*)$/m.exec(cpuinfo)?.[1] ?? Deno.build.target,
    processors: navigator.hardwareConcurrency,
    load: Deno.loadavg()[0],
    deno: Deno.version.deno,
    v8: Deno.version.v8,
  };
}
