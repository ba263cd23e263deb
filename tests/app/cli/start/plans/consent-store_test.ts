// Consent of the user: to a path with a content, in records that nobody else can write.

import assert from "node:assert/strict";
import { consent, hasConsent } from "../../../../../src/app/cli/start/plans/consent-store.ts";
import { inFolder } from "../../../../support/temporary-folder.ts";

Deno.test("consent ends with the content, and where others could have written it", () =>
  inFolder(async (folder) => {
    const before = Deno.env.get("XDG_STATE_HOME"), file = `${folder}/a.toml`;
    Deno.mkdirSync(`${folder}/state`, { mode: 0o700 });
    Deno.env.set("XDG_STATE_HOME", `${folder}/state`);
    try {
      await Deno.writeTextFile(file, "one");
      assert.equal(hasConsent(file, "one"), false);
      consent(file, "one");
      assert.equal(hasConsent(file, "one"), true);
      assert.equal(hasConsent(file, "two"), false, "another content");
      // The same bytes at another path are another file; a link is the file that it leads to.
      await Deno.copyFile(file, `${folder}/copy.toml`);
      assert.equal(hasConsent(`${folder}/copy.toml`, "one"), false);
      await Deno.symlink(file, `${folder}/link.toml`);
      assert.equal(hasConsent(`${folder}/link.toml`, "one"), true);
      Deno.chmodSync(`${folder}/state/el2/consents`, 0o777);
      assert.equal(hasConsent(file, "one"), false, "others could have written the record");
    } finally {
      if (before === undefined) Deno.env.delete("XDG_STATE_HOME");
      else Deno.env.set("XDG_STATE_HOME", before);
    }
  }));
