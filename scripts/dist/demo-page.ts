// The demo in a browser, with nothing to install: the page of `el2 publish`, whose machine runs
// anew and takes keys.

import { typedBy } from "../../src/app/cli/start/plans/consent.ts";
import { plannedOf } from "../../src/app/cli/start/plans/planned.ts";
import { FOR_SERVERS, packedFiles, publishedFiles } from "../../src/app/web/published/published-files.ts";
import { PAGE_SCRIPTS } from "../../src/app/web/published/program-names.ts";
import { recordingHeader } from "../../src/session/recordings/file/recording-writer.ts";
import { writeWhole } from "../../src/kit/support/files/whole-file.ts";
import type { Build } from "./common.ts";

/** The machine, as `el2 run` names it. */
const NAME = "demo";

/**
 * The files of the page by name.
 * @param programs scripts of pages (`PAGE_SCRIPTS`)
 */
export async function demoFiles(programs: ReadonlyMap<string, string>): Promise<ReadonlyMap<string, string>> {
  const { plan } = await plannedOf(NAME, typedBy(undefined));
  const packed = await packedFiles(NAME, new TextEncoder().encode(await recordingHeader(plan)));
  return publishedFiles({ name: NAME, live: true, packed }, programs);
}

/** Writes the folder `demo`. The scripts of pages are built. */
export async function demoPage({ folder, page }: Build): Promise<void> {
  const programs = new Map(Object.values(PAGE_SCRIPTS).map((name) => [name, Deno.readTextFileSync(`${page}/${name}`)]));
  await Deno.mkdir(`${folder}/demo`);
  for (const [name, content] of await demoFiles(programs)) writeWhole(`${folder}/demo/${name}`, content, { mode: FOR_SERVERS });
}
