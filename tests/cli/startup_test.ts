import assert from "node:assert/strict";

const LONG = Deno.env.get("EL2_LONG") !== undefined;

const SOURCE = new URL("../../src/", import.meta.url);
/** What only a machine needs: a worker, or a command that has one in its own thread, loads it. */
const HEAVY = ["assembly/assemble.ts", "isa/table.ts", "core/core.ts", "hypervisor/hypervisor.ts"];

/**
 * Modules that a module loads with itself: not those that are types alone, nor those that it loads
 * when it needs them.
 */
function loadedBy(file: URL): URL[] {
  const text = Deno.readTextFileSync(file);
  const loaded: URL[] = [];
  for (const [, names, specifier] of text.matchAll(/^(?:import|export) ((?:\{[^}]*\}|\*|[\w*, ]+)[^;"]*?)\s*from "(\.[^"]+\.ts)"/gm)) {
    const braces = /^\{([^}]*)\}$/.exec(names.trim())?.[1];
    const onlyTypes = names.startsWith("type ") ||
      braces?.split(",").every((name) => name.trim() === "" || name.trim().startsWith("type "));
    if (!onlyTypes) loaded.push(new URL(specifier, file));
  }
  return loaded;
}

if (LONG) {
  Deno.test("commands load no machine before they need one: --help and completion answer at once", () => {
    const from = new Map<string, string>([[new URL("cli/main.ts", SOURCE).href, ""]]);
    for (const file of from.keys()) {
      for (const { href } of loadedBy(new URL(file))) if (!from.has(href)) from.set(href, file);
    }
    assert.ok(from.size > 100, `${from.size} modules`);
    for (const heavy of HEAVY) {
      const chain: string[] = [];
      for (let file = new URL(heavy, SOURCE).href; from.has(file); file = from.get(file)!) chain.push(file.slice(SOURCE.href.length));
      assert.deepEqual(chain, [], "reached from the command line");
    }
  });
}
