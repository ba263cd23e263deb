// Commands of the palette that the screens run in their own way, as they start or write something.

import { option, word, words } from "../../../../model/commands/argument.ts";
import { COMMANDS } from "../../../../model/commands/all.ts";
import { type Command, command } from "../../../../model/commands/command.ts";
import { choice, file, phrase } from "../../../../model/commands/kinds.ts";

export const RECORD_SAVE = command("record.save", {
  doc: "record the run so far",
  args: { file: word(file, "the recording") },
  right: "changes",
  examples: ["record save bug.rec"],
});

export const RUN = command("run", {
  doc: "start and show another session; q returns",
  args: {
    what: { ...words(phrase, "a configuration, image, name or snapshot"), required: true },
    "allow-host": option(choice("all"), "a snapshot's machine regains its access to this computer"),
  },
  right: "changes",
  examples: ["run phone.toml", "run before.snap --allow-host all"],
});

/** All commands that the palette reads. */
export const PALETTE_COMMANDS: readonly Command[] = [...COMMANDS, RECORD_SAVE, RUN];
