// Options that have had another word: it is still accepted, and not shown.

import { Option } from "@commander-js/extra-typings";

export class RenamedOption<Usage extends string> extends Option<Usage> {
  /** @param before the word that it had, such as `--socket` */
  constructor(flags: Usage, description: string, readonly before: string) {
    super(flags, description);
  }

  /** Commander asks this for each word of a command line. */
  is(word: string): boolean {
    return word === this.long || word === this.before;
  }
}
