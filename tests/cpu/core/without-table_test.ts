// A machine does not wait for the table of instructions when it starts.

import assert from "node:assert/strict";
import { instructions } from "../../../src/cpu/isa/table.ts";
import { inFolder } from "../../support/temporary-folder.ts";

const address = (path: string) => new URL(path, import.meta.url).href;
const INSN = address("../../../src/cpu/isa/notation/insn.ts"), COUNTED = address("counted-insn.ts");
const IMPORT_MAP = JSON.stringify({ imports: { [INSN]: COUNTED }, scopes: { [COUNTED]: { [INSN]: INSN } } });

/** Runs the program; what it prints. */
async function run(...programArgs: string[]): Promise<{ counter: number; declared: number }> {
  const map = `data:application/json,${encodeURIComponent(IMPORT_MAP)}`;
  const args = [
    "run",
    "-q",
    "--no-check",
    "--allow-read",
    "--allow-write",
    "--import-map",
    map,
    address("without-table.ts"),
    ...programArgs,
  ];
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), { args, stdin: "null" }).output();
  assert.equal(code, 0, new TextDecoder().decode(stderr));
  return JSON.parse(new TextDecoder().decode(stdout));
}

Deno.test("a core from a stored blueprint executes frequent instructions without the table, which generating one builds", async () => {
  await inFolder(async (folder) => {
    const file = `${folder}/blueprint`;
    await Deno.writeFile(file, new Uint8Array());
    const ofEveryCpu = instructions().filter(({ feature }) => feature === undefined);
    assert.deepEqual(await run(file), { counter: 2000, declared: ofEveryCpu.length });
    assert.deepEqual(await run(file), { counter: 2000, declared: 0 });
    // A rare one needs the part that it belongs to.
    const general = instructions().findIndex(({ name }) => name.includes("(scalar)"));
    assert.deepEqual(await run(file, "rare"), { counter: 2001, declared: general });
  });
});
