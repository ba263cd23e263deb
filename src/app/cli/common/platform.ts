// Systems that el2 runs on, and what each lacks.

import { Failure } from "./failure.ts";

/** A system, as Deno names it. */
export interface Platform {
  readonly os: typeof Deno.build.os;
  readonly arch: typeof Deno.build.arch;
}

/** The way out on Windows. */
const WSL = "run el2 in WSL 2 (wsl --install)";

/** Whether el2 works as a whole on a system, for `el2 doctor`. */
export function platformState(
  { os, arch }: Platform = Deno.build,
): { readonly ok: boolean; readonly says: string; readonly remedy: string } {
  const name = `${os} on ${arch}`;
  if (os === "linux") return { ok: true, says: arch === "x86_64" ? name : `${name}: built, but never tried`, remedy: "" };
  if (os === "windows") {
    return { ok: false, says: `${name}: no sessions in the background, and no suspend; never tried`, remedy: WSL };
  }
  return { ok: true, says: `${name}: never tried; programs of Debian for tests and guests need Linux`, remedy: "" };
}

/**
 * Refuses what a system without a Unix shell cannot do.
 * @throws Failure
 */
export function requireUnix(what: string, { os }: Pick<Platform, "os"> = Deno.build): void {
  if (os === "windows") throw new Failure(`${what} need a Unix shell, which Windows does not have`, WSL);
}
