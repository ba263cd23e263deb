// Recordings and snapshots that another engine made: they may give another run here, or none.

import { CHECKOUT } from "../../../../kit/support/files/checkout.ts";
import { type Maker, otherEngine } from "../../../../kit/support/files/maker.ts";
import { BUILD } from "../../../../kit/support/program-identity.ts";
import type { Problem } from "../../../../kit/support/problem.ts";
import type { Hint } from "../../../../kit/support/text/hint.ts";
import { shellQuoted } from "../../../../kit/support/text/shell.ts";
import { way, type WayOut } from "../../../../kit/support/text/way-out.ts";
import { warn } from "../../../../kit/support/warn.ts";

/** Digits of a commit in the name of a folder. */
const SHORT = 8;

/**
 * The refusal of a file of another engine, unless it is to be opened anyway: then a line on stderr
 * says so. The way out is that engine, or this one anyway.
 */
export function refusedEngine(file: string, maker: Maker, open: Hint, anyway = false): Problem | undefined {
  const what = otherEngine(file, maker);
  if (what === undefined) return undefined;
  if (anyway) return void warn(what);
  const here = way`${{ ...open, options: { ...open.options, anyway: true } }} uses this engine`, fetch = fetching(maker, open);
  return { what, wayOut: fetch === undefined ? here : way`${fetch}; ${here}` };
}

/**
 * The command that fetches the version that made a file; undefined if it is not known. Where
 * versions are comes from this program alone: anybody may have written the file.
 */
function fetching({ version, commit, released }: Maker, open: Hint): WayOut | undefined {
  if (released && BUILD.releases !== undefined) {
    return way`npx -y --package ${`${BUILD.releases}/v${version}/el2-${version}.tgz`} ${open} fetches and runs that version`;
  }
  const checkout = CHECKOUT && decodeURIComponent(CHECKOUT.pathname), at = released ? `v${version}` : commit;
  if (checkout === undefined || at === undefined) return undefined;
  const folder = `../el2-${released ? version : at.slice(0, SHORT)}`;
  return `git -C ${shellQuoted(checkout)} worktree add --detach ${folder} ${at} checks that version out`;
}
