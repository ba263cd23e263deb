import assert from "node:assert/strict";
import { consent, hasConsent } from "../../../../../src/app/cli/start/plans/consent-store.ts";
import { inFolder } from "../../../../support/temporary-folder.ts";
import { el2 } from "../../program.ts";

/** Does `work` in a folder with its own records of consent. */
async function withRecords(work: (folder: string) => Promise<void>): Promise<void> {
  const before = Deno.env.get("XDG_STATE_HOME")!;
  await inFolder(async (folder) => {
    Deno.env.set("XDG_STATE_HOME", `${folder}/state`);
    try {
      await work(Deno.realPathSync(folder));
    } finally {
      Deno.env.set("XDG_STATE_HOME", before);
    }
  });
}

Deno.test("consents are listed, and withdrawn by the file's name, also once it is gone", () =>
  withRecords(async (folder) => {
    assert.deepEqual(await el2("consent"), { code: 0, stdout: "", stderr: "el2: no file has your consent\n" });
    const files = ["a.toml", "b.toml", "c.toml"].map((name) => `${folder}/${name}`), [a, b, c] = files;
    for (const file of files) {
      Deno.writeTextFileSync(file, "");
      consent(file, "text");
    }
    assert.deepEqual(await el2("consent"), { code: 0, stdout: files.map((file) => `${file}\n`).join(""), stderr: "" });
    Deno.symlinkSync(a, `${folder}/link.toml`);
    assert.deepEqual(await el2("consent", "--withdraw", `${folder}/link.toml`), { code: 0, stdout: "", stderr: `el2: withdrawn: ${a}\n` });
    assert.deepEqual(files.map((file) => hasConsent(file, "text")), [false, true, true]);
    Deno.removeSync(b);
    assert.equal((await el2("consent", "--withdraw", b)).code, 0);
    assert.equal((await el2("consent")).stdout, `${c}\n`);
    const { code, stderr } = await el2("consent", "--withdraw", a);
    assert.deepEqual([code, stderr], [2, `el2: consent: you have not consented to ${a}; el2 consent lists the files\n`]);
    assert.equal((await el2("consent", "--withdraw", "all")).stderr, `el2: withdrawn: ${c}\n`);
    assert.equal(hasConsent(c, "text"), false);
  }));

Deno.test("records of consent that others can write are refused", () =>
  withRecords(async (folder) => {
    Deno.writeTextFileSync(`${folder}/a.toml`, "");
    consent(`${folder}/a.toml`, "text");
    Deno.chmodSync(`${folder}/state/el2/consents`, 0o777);
    const { code, stdout, stderr } = await el2("consent");
    assert.deepEqual([code, stdout], [2, ""]);
    assert.match(stderr, /^el2: consent: \S+ has mode 0777, others have rights there; chmod 700 \S+\n$/);
  }));
