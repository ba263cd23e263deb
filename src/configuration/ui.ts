// What a configuration says about the screens, where nothing else of it is wanted.

import { readConfig } from "./config.ts";
import type { FileUi } from "./schema.ts";

/** The configuration of a folder: bare `el2` runs it. */
export const OWN_CONFIGURATION = "el2.toml";

/**
 * `[ui]` of a configuration's text, without the keys that are wrong; undefined where it is no
 * configuration.
 */
export function readUi(text: string): FileUi | undefined {
  const result = readConfig(text);
  return result.ok ? result.config.file.ui : result.rest?.file.ui;
}
