// examples/mysteries: each reported failure is reproduced with its reason, and those that a phone
// causes do not occur by default.

import assert from "node:assert/strict";
import { catalogEntry } from "../../../src/app/catalog/catalog.ts";
import { el2 } from "../cli/program.ts";
import { LONG } from "../../support/long.ts";

const FOLDER = new URL("../../../examples/mysteries/", import.meta.url).pathname;
/** Failures that the guest causes, wherever it runs. */
const BY_THE_GUEST: readonly string[] = [
  "02-node-without-parcel",
  "22-silent-vm",
  "23-fault-loop",
  "24-sysreg-without-feature",
  "28-kvm-on-gunyah",
  "32-wfi-returns",
];

/** Failures that the VM survives: what was refused has its reason. */
const SURVIVED: readonly string[] = ["25-idle-watchdog"];

const folders = [...Deno.readDirSync(FOLDER)].filter(({ isDirectory }) => isDirectory).map(({ name }) => name).sort();
const filesOf = (folder: string) => [...Deno.readDirSync(`${FOLDER}${folder}`)].map(({ name }) => name).sort();

Deno.test("each mystery has a configuration, a scenario and a README; those of phones have one without the phone", () => {
  assert.ok(folders.length > 0);
  for (const folder of folders) {
    const files = filesOf(folder);
    for (const file of ["README.md", "el2.toml", "mystery.test.toml"]) assert.ok(files.includes(file), `${folder}/${file}`);
    assert.equal(files.includes("generic.test.toml"), !BY_THE_GUEST.includes(folder), folder);
    const scenario = Deno.readTextFileSync(`${FOLDER}${folder}/mystery.test.toml`);
    const says = SURVIVED.includes(folder) ? /^expect_why = ".* rule~/m : /^expect_rows = "diagnose"\nfilter = ".* text~/m;
    assert.match(scenario, says, `${folder}: the cause, in the words of the verdict`);
    const text = Deno.readTextFileSync(`${FOLDER}${folder}/README.md`);
    for (const part of ["Symptom", "Source", "Cause", "What el2 says"]) assert.ok(text.includes(`**${part}**`), `${folder}: ${part}`);
  }
});

/** Of the mysteries, how many run without the full numbers: one of so many. */
const ONE_OF = LONG ? 1 : 4;

Deno.test("mysteries are reproduced with their reasons", async () => {
  await catalogEntry("debian");
  const scenarios = folders.filter((_, index) => index % ONE_OF === 0).flatMap((folder) =>
    filesOf(folder).filter((file) => file.endsWith(".test.toml")).map((file) => `${FOLDER}${folder}/${file}`)
  );
  const { code, stdout, stderr } = await el2("test", ...scenarios);
  assert.equal(code, 0, stdout + stderr);
});
