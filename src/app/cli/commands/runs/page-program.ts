// The scripts of the page of a published recording: built with the program, or, in a checkout, when
// they are first needed.

import { failed, Failure } from "../../common/failure.ts";
import { report } from "../../common/print.ts";
import { PAGE_SCRIPTS } from "../../../web/published/program-names.ts";
import { CHECKOUT } from "../../../../kit/support/files/checkout.ts";
import { unlessGone } from "../../../../kit/support/files/cache.ts";
import { PREPARED_FOLDER } from "../../../../kit/support/files/folder-names.ts";
import { sha256 } from "../../../../kit/support/values/sha256.ts";
import { programDigest } from "../../../../kit/support/program-identity.ts";

/** Beside the program that was built with them. */
const FOLDER = "page/";
/** Their maker in a checkout. */
const MAKER = "scripts/dist/page.ts";
/** It reads the checkout, and runs Deno's bundler and git. */
const MAKER_RIGHTS = ["--allow-read", "--allow-write", "--allow-env", "--allow-run"];

/**
 * The scripts by name.
 * @param entry the program's module
 * @throws Failure if they cannot be built
 */
export async function pageProgram(entry: URL): Promise<ReadonlyMap<string, string>> {
  const built = scriptsIn(new URL(FOLDER, entry));
  if (built) return built;
  if (CHECKOUT === undefined) throw new Failure("this el2 has no page for recordings", "use one that was built with it");
  const maker = new URL(MAKER, CHECKOUT), made = `${programDigest()} ${Deno.readTextFileSync(maker)}`;
  const name = (await sha256(new TextEncoder().encode(made))).slice(0, 16);
  const folder = new URL(`${PREPARED_FOLDER}page-${name}/`, CHECKOUT), before = scriptsIn(folder);
  if (before) return before;
  report("el2: making the page's program, once");
  const args = ["run", "-q", ...MAKER_RIGHTS, `--lock=${decodeURIComponent(new URL("deno.lock", CHECKOUT).pathname)}`];
  const { success, stderr } = await new Deno.Command(Deno.execPath(), { args: [...args, maker.href, decodeURIComponent(folder.pathname)] })
    .output();
  const scripts = success ? scriptsIn(folder) : undefined;
  if (!scripts) throw failed(`the page's program cannot be made: ${new TextDecoder().decode(stderr).trim()}`);
  return scripts;
}

function scriptsIn(folder: URL): ReadonlyMap<string, string> | undefined {
  return unlessGone(() => new Map(Object.values(PAGE_SCRIPTS).map((name) => [name, Deno.readTextFileSync(new URL(name, folder))])));
}
