// Libraries that Deno could not fetch or load, in one line with the way out. Imports none of them.

/** The line for an error of an import; undefined for any other error. */
export function missingLibraries(error: unknown): string | undefined {
  if (!(error instanceof TypeError && "code" in error && error.code === "ERR_MODULE_NOT_FOUND")) return undefined;
  const [what, ...more] = error.message.split("\n"), reason = more.find((line) => /^ *0: /.test(line))?.replace(/^ *0: /, "") ?? what;
  return `el2: its libraries cannot be loaded: ${reason}; ${/certificate/.test(reason) ? CERTIFICATE : PLACE}`;
}

/** As behind a proxy that looks into connections. */
const CERTIFICATE = "Deno does not trust the certificate: if your system does, set DENO_TLS_CA_STORE=system";
const PLACE = "Deno fetches them once, into DENO_DIR: name a folder with room there";
