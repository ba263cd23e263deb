// The snapshots of a test file. Deno would look for them beside the module that it started with,
// and several test files are started as one (scripts/test-files.ts).

import { basename } from "node:path";
import { fileURLToPath } from "node:url";

/** @param file the test file's own `import.meta.url` */
export function snapshotsOf(file: string): { readonly path: string } {
  return { path: fileURLToPath(new URL(`__snapshots__/${basename(file)}.snap`, file)) };
}
