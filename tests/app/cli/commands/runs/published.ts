// Published recordings for tests of their pages.

import assert from "node:assert/strict";
import { el2 } from "../../program.ts";
import { DEMO } from "../recordings.ts";
import type { PageLook } from "../../../../support/browser.ts";
import type { ShownPage } from "../../../../support/shown-page.ts";

export const LAPTOP: PageLook = { width: 1280, height: 800 };
/** The rows of the page's terminal. */
export const ROWS = ".xterm-rows";

/** Runs a command that must succeed. */
export async function done(...args: string[]): Promise<void> {
  const { code, stderr } = await el2(...args);
  assert.equal(code, 0, stderr);
}

/** Records 50 ms of the demo as demo.rec in a folder, and publishes that as site/ there. */
export async function publishDemo(folder: string): Promise<void> {
  await done("run", DEMO, "--turbo", "--for", "50ms", "--record", `${folder}/demo.rec`);
  await done("publish", `${folder}/demo.rec`, `${folder}/site/`);
}

/** The page asked for no files but its own, and the browser had nothing to complain about. */
export function assertSilent(page: ShownPage, url: string): void {
  assert.deepEqual(page.complaints, []);
  assert.deepEqual(foreignRequests(page, url), []);
}

/** Requests of the page for other files than its own. */
export const foreignRequests = (page: ShownPage, url: string): string[] =>
  page.requests.filter((one) => !one.startsWith(url) && !one.startsWith(`blob:${new URL(url).origin}`));
