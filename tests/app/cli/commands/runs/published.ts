// Published recordings for tests of their pages.

import assert from "node:assert/strict";
import { el2 } from "../../program.ts";
import { DEMO } from "../recordings.ts";
import { catalogEntry } from "../../../../../src/app/catalog/catalog.ts";
import { Browser, type PageLook } from "../../../../support/browser.ts";
import { Firefox } from "../../../../support/firefox.ts";
import type { ShownPage } from "../../../../support/shown-page.ts";

export const LAPTOP: PageLook = { width: 1280, height: 800 };
/** Those in which published pages work. */
export const BROWSERS = { Chromium: () => Browser.start(), Firefox: () => Firefox.start() } as const;
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

/** Records a Debian that boots and powers off, and publishes that as site/ in a folder. */
export async function publishDebian(folder: string): Promise<void> {
  const { folder: guest } = await catalogEntry("debian-bookworm"), file = `${folder}/debian.rec`;
  const kernel = ["boot", `${guest}/Image`, "--initrd", `${guest}/initrd`, "--append", "console=ttyAMA0 el2=poweroff"];
  await done(...kernel, "--memory", "512MiB", "--turbo", "--stdio", "--record", file);
  await done("publish", file, `${folder}/site/`);
}

/** The rows of the screens without the first and the last two, which are about the session. */
export const panes = (text: string): string[] => text.trimEnd().split("\n").slice(1, -2).map((row) => row.trimEnd());

/** The page asked for no files but its own, and the browser had nothing to complain about. */
export function assertSilent(page: ShownPage, url: string): void {
  assert.deepEqual(page.complaints, []);
  assert.deepEqual(foreignRequests(page, url), []);
}

/** Requests of the page for other files than its own. */
export const foreignRequests = (page: ShownPage, url: string): string[] =>
  page.requests.filter((one) => !one.startsWith(url) && !one.startsWith(`blob:${new URL(url).origin}`));
