// `deno task reference`: writes the pages of docs/reference, which are made from tables, and what
// runs before the engine.

import { codeProbe, PROBE_MACHINES, probeName } from "./launch/code-probe.ts";
import { REFERENCE_PAGES } from "./reference/pages.ts";

const folder = new URL("../docs/reference/", import.meta.url);
Deno.mkdirSync(folder, { recursive: true });
for (const { file, text } of REFERENCE_PAGES) Deno.writeTextFileSync(new URL(file, folder), text());

const launch = new URL("../assets/launch/", import.meta.url);
Deno.mkdirSync(launch, { recursive: true });
for (const machine of PROBE_MACHINES) {
  const file = new URL(probeName(machine), launch);
  Deno.writeFileSync(file, codeProbe(machine));
  Deno.chmodSync(file, 0o755);
}
