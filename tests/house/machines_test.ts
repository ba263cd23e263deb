// Machines run guests: no thread with rights makes one. The modules of the command line's threads
// are followed by the values that they import, as the program loads them.

import assert from "node:assert/strict";
import { dirname, resolve } from "node:path";

const ROOT = decodeURIComponent(new URL("../../", import.meta.url).pathname);
const MAKES_MACHINES = `${ROOT}src/session/assembly/assemble.ts`;
/** The first modules of workers, which run without rights: they are started, not imported. */
const WORKERS = ["src/session/worker/worker.ts", "src/app/jobs/job-worker.ts"].map((path) => ROOT + path);

/** The modules that a module loads: static and dynamic imports with a value. */
function loaded(text: string): string[] {
  const statements = text.matchAll(
    /^(?:import|export)\s+(type\b)?([^;"']*?)\bfrom\s*"(\.[^"]+)"|^import\s*"(\.[^"]+)"|\bimport\(\s*"(\.[^"]+)"\)/gm,
  );
  return [...statements].flatMap(([, type, names, from, bare, late]) => {
    const onlyTypes = type !== undefined || /^\{(?:\s*type\s+[^,{}]+,?)+\s*\}\s*$/.test(names ?? "");
    return from !== undefined && onlyTypes ? [] : [from ?? bare ?? late];
  });
}

/** The way from the entry to a module, by the files that import it; undefined if there is none. */
function wayTo(target: string): string[] | undefined {
  const entry = `${ROOT}main.ts`, before = new Map<string, string | undefined>([[entry, undefined]]);
  for (const [file] of before) {
    for (const specifier of loaded(Deno.readTextFileSync(file))) {
      const next = resolve(dirname(file), specifier);
      if (before.has(next) || WORKERS.includes(next) || !next.endsWith(".ts")) continue;
      before.set(next, file);
      if (next !== target) continue;
      const way = [next];
      for (let from = before.get(next); from !== undefined; from = before.get(from)) way.unshift(from);
      return way.map((path) => path.slice(ROOT.length));
    }
  }
  return undefined;
}

Deno.test("imports of values are told from those of types", () => {
  const text = 'import type { A } from "./a.ts";\nimport { type B } from "./b.ts";\nimport { type C, d } from "./c.ts";\n' +
    'export * from "./e.ts";\n  const f = await import("./f.ts");\nimport {\n  type G,\n  type H,\n} from "./g.ts";\n';
  assert.deepEqual(loaded(text), ["./c.ts", "./e.ts", "./f.ts"]);
});

Deno.test("no thread with rights loads the module that makes machines; the workers of sessions and jobs do", () => {
  assert.equal(wayTo(MAKES_MACHINES), undefined);
  assert.ok(wayTo(`${ROOT}src/session/worker/client.ts`) && wayTo(`${ROOT}src/app/jobs/run-job.ts`), "the command line is followed");
});
