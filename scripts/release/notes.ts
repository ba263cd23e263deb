// The notes of a release: its section of CHANGELOG.md.

import { DistError } from "../dist/common.ts";

/** The section of a version. @throws DistError if there is none, or it is not finished */
export function releaseNotes(changes: string, version: string): string {
  const heading = new RegExp(`^## ${version.replaceAll(".", "\\.")}( .*)?$`, "m").exec(changes);
  if (!heading) throw new DistError(`CHANGELOG.md has no section "## ${version}"`);
  if (heading[1]?.includes("unreleased")) throw new DistError(`CHANGELOG.md calls ${version} unreleased`);
  const rest = changes.slice(heading.index + heading[0].length);
  const text = rest.slice(0, rest.search(/^## /m) >>> 0).trim();
  if (text === "") throw new DistError(`the section of ${version} in CHANGELOG.md is empty`);
  return `${text}\n`;
}
