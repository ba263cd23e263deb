import assert from "node:assert/strict";
import { releaseNotes } from "../../scripts/release/notes.ts";
import { VERSION } from "../../src/kit/support/version.ts";

const CHANGES = "# Changes\n\n## 0.3.0 (unreleased)\n\n- New.\n\n## 0.2.0\n\n- Better.\n- Faster.\n\n## 0.1.0\n\n- First.\n";

Deno.test("the notes of a release are its section of the change log", () => {
  assert.equal(releaseNotes(CHANGES, "0.2.0"), "- Better.\n- Faster.\n");
  assert.equal(releaseNotes(CHANGES, "0.1.0"), "- First.\n");
});

Deno.test("a version without a finished section cannot be released", () => {
  assert.throws(() => releaseNotes(CHANGES, "0.3.0"), /calls 0\.3\.0 unreleased/);
  assert.throws(() => releaseNotes(CHANGES, "0.4.0"), /no section "## 0\.4\.0"/);
  assert.throws(() => releaseNotes("## 0.1.0\n\n## 0.0.1\n\n- x\n", "0.1.0"), /is empty/);
});

Deno.test("CHANGELOG.md has the section of this version", async () => {
  assert.notEqual(releaseNotes(await Deno.readTextFile(new URL("../../CHANGELOG.md", import.meta.url)), VERSION), "");
});
