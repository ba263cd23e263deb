// Imports point downward (docs/architecture.md, "Layers"): this is that picture as a table.

import assert from "node:assert/strict";

/** What each folder of src/ may import. Importing from the same folder is always allowed. */
const MAY_IMPORT: Record<string, readonly string[]> = {
  isa: [],
  core: ["isa"],
  machine: ["core"],
  devices: [],
  devicetree: [],
  abi: [],
  formats: [],
  hypervisor: ["abi", "machine", "core", "devices"],
  "resource-manager": ["abi", "devicetree"],
  virtio: ["devices", "formats"],
  host: ["abi", "devices", "devicetree", "virtio"],
  workstation: ["host", "resource-manager", "hypervisor", "virtio", "devices", "devicetree", "abi", "machine", "core", "isa", "formats"],
  debug: ["host", "resource-manager", "hypervisor", "abi", "machine", "core", "isa"],
  tui: ["workstation", "debug", "abi"],
  cli: ["tui", "workstation", "debug", "abi", "machine", "isa", "formats"],
};

const SOURCE = new URL("../src/", import.meta.url);
const ASSETS = new URL("../assets/", import.meta.url);

/** Packages that the import map of deno.json names. */
const PACKAGES = Object.keys(JSON.parse(await Deno.readTextFile(new URL("../deno.json", import.meta.url))).imports);

async function* sourceFiles(folder: URL): AsyncGenerator<URL> {
  for await (const entry of Deno.readDir(folder)) {
    const url = new URL(entry.name + (entry.isDirectory ? "/" : ""), folder);
    if (entry.isDirectory) yield* sourceFiles(url);
    else if (entry.name.endsWith(".ts")) yield url;
  }
}

/** Specifiers of static and dynamic imports, re-exports, and workers' `new URL`. */
function importsOf(text: string): string[] {
  const statements = text.matchAll(
    /^\s*(?:import|export)\b[^;"'`]*?\bfrom\s*"([^"]+)"|^\s*import\s*"([^"]+)"|\bimport\(\s*"([^"]+)"\)|new URL\(\s*"([^"]+\.ts)"/gm,
  );
  return [...statements].map((match) => match.slice(1).find((specifier) => specifier !== undefined) ?? "");
}

/** The first folder below src/, or "" for a file outside of it. */
function layerOf(file: URL): string {
  return file.href.startsWith(SOURCE.href) ? file.href.slice(SOURCE.href.length).split("/")[0] : "";
}

Deno.test("every folder of src/ is a layer and imports only layers below it", async () => {
  const wrong: string[] = [];
  for await (const file of sourceFiles(SOURCE)) {
    const layer = layerOf(file);
    const allowed = MAY_IMPORT[layer];
    assert.ok(allowed, `src/${layer} is no layer; add it to docs/architecture.md and to this table`);
    for (const specifier of importsOf(await Deno.readTextFile(file))) {
      if (!specifier.startsWith(".") || specifier.endsWith("/deno.json")) continue;
      // What is embedded is data, and of no layer.
      if (new URL(specifier, file).href.startsWith(ASSETS.href)) continue;
      const target = layerOf(new URL(specifier, file));
      if (target !== layer && !allowed.includes(target)) wrong.push(`${file.href.slice(SOURCE.href.length)} imports ${specifier}`);
    }
  }
  assert.deepEqual(wrong, []);
});

/** Specifiers of the modules whose values a module has before its own code runs: its static imports, but for types. */
function valueImportsOf(text: string): string[] {
  const statements = text.matchAll(/^(?:import|export)\s+(?!type\b)(?:([^;"']*?)\bfrom\s*)?"(\.[^"]+\.ts)"/gm);
  const isTypes = (names: string) => /^\s*\{(\s*type\s[^,}]*,?)+\s*\}\s*$/.test(names);
  return [...statements].filter(([, names]) => names === undefined || !isTypes(names)).map((match) => match[2]);
}

Deno.test("no module waits for the values of one that waits for its own", async () => {
  const imports = new Map<string, string[]>();
  for await (const file of sourceFiles(SOURCE)) {
    const targets = valueImportsOf(await Deno.readTextFile(file)).map((specifier) => new URL(specifier, file).href);
    imports.set(file.href, targets.filter((target) => target.startsWith(SOURCE.href)));
  }
  // What imports nothing that is left cannot be in a circle.
  for (let before = Infinity; before > imports.size;) {
    before = imports.size;
    for (const [file, targets] of imports) if (!targets.some((target) => imports.has(target))) imports.delete(file);
  }
  assert.deepEqual([...imports.keys()].map((file) => file.slice(SOURCE.href.length)), []);
});

Deno.test("src/ imports packages only by the names in deno.json, and Node built-ins", async () => {
  const wrong: string[] = [];
  for await (const file of sourceFiles(SOURCE)) {
    for (const specifier of importsOf(await Deno.readTextFile(file))) {
      const known = specifier.startsWith(".") || specifier.startsWith("node:") || PACKAGES.includes(specifier);
      if (!known) wrong.push(`${file.href.slice(SOURCE.href.length)} imports ${specifier}`);
    }
  }
  assert.deepEqual(wrong, []);
});

Deno.test("the imports of a file are found however they are written", () => {
  const text = `import type { A } from "./a.ts";
import {
  b,
  c,
} from "./b.ts";
export * from "./c.ts";
import "./d.ts";
const e = await import("./e.ts");
new Worker(new URL("./f.ts", import.meta.url));
const text = "import from nowhere";`;
  assert.deepEqual(importsOf(text), ["./a.ts", "./b.ts", "./c.ts", "./d.ts", "./e.ts", "./f.ts"]);
  assert.deepEqual(valueImportsOf(`${text}\nimport { type G, type H } from "./g.ts";\nimport { i, type J } from "./i.ts";`), [
    ...["./b.ts", "./c.ts", "./d.ts", "./i.ts"],
  ]);
});
