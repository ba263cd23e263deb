import assert from "node:assert/strict";
import { missingLibraries } from "../../../../src/kit/support/computer/missing-libraries.ts";

Deno.test("libraries that cannot be fetched are one line: a certificate that Deno does not trust has its own way out", () => {
  const missing = (...lines: string[]) =>
    missingLibraries(Object.assign(new TypeError(lines.join("\n")), { code: "ERR_MODULE_NOT_FOUND" }));
  const sent = "    0: error sending request for url (https://registry.example/a.tgz): client error (Connect): ";
  assert.match(
    missing("Failed caching npm package 'a@1'", `${sent}invalid peer certificate: UnknownIssuer`, "    1: client error (Connect)") ?? "",
    /^el2: its libraries cannot be loaded: error sending .*UnknownIssuer; Deno does not trust .*, set DENO_TLS_CA_STORE=system$/,
  );
  assert.match(missing("Not a directory (os error 20)") ?? "", /^el2: [^;]*Not a directory[^;]*; Deno fetches them once, into DENO_DIR: /);
  assert.equal(missingLibraries(new TypeError("x is not a function")), undefined);
  assert.equal(missingLibraries(new Error("refused")), undefined);
});
