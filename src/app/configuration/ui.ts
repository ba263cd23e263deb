// A configuration's settings of the screens, when only those are needed.

import { readConfig } from "./config.ts";
import type { FileUi } from "./schema.ts";

/** The configuration of a folder: bare `el2` runs it. */
export const OWN_CONFIGURATION = "el2.toml";

/**
 * `[ui]` of a configuration's text, without the keys that are wrong; undefined if it is not a
 * configuration.
 */
export function readUi(text: string): FileUi | undefined {
  const result = readConfig(text);
  return result.ok ? result.config.file.ui : result.rest?.file.ui;
}
