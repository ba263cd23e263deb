// `deno task performance FILE`: makes docs/performance.md of the document that
// `deno task bench all --json` has printed into FILE.

import { fileURLToPath } from "node:url";
import { performancePage, readBenches } from "./performance-page.ts";

const [file] = Deno.args;
if (file === undefined || Deno.args.length > 1) {
  console.error("usage: deno task performance FILE\nFILE is what `deno task bench all --json` has printed");
  Deno.exit(2);
}
const benches = readBenches(Deno.readTextFileSync(file));
if (typeof benches === "string") {
  console.error(`${file}: ${benches}`);
  Deno.exit(2);
}
const page = fileURLToPath(new URL("../docs/performance.md", import.meta.url));
Deno.writeTextFileSync(page, performancePage(benches));
const { success } = new Deno.Command(Deno.execPath(), { args: ["fmt", "-q", page], stdout: "inherit", stderr: "inherit" }).outputSync();
if (!success) Deno.exit(1);
