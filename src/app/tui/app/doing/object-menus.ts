// The menus of objects, from the entries of commands: for `a` and `!`, the palette and the help.
// Unavailable lines give the reason.

import { COMMANDS } from "../../../../model/commands/all.ts";
import { type Circumstances, type Command, neededVm, type ObjectMenu } from "../../../../model/commands/command.ts";
import { hintFor } from "../../../../model/commands/words.ts";
import { type IdKind, kindOf, vmIn } from "../../../../model/queries/ids.ts";
import type { Selected } from "../../../../model/queries/table.ts";
import { type Hint, hint } from "../../../../kit/support/text/hint.ts";

/** The words of a line of an object's menus. */
interface LineOfMenu {
  readonly name: string;
  readonly on: readonly IdKind[];
  readonly key: string;
  readonly label: string;
  /** It changes the machine. */
  readonly danger: boolean;
  readonly disabled?: ObjectMenu["disabled"];
}

/** A command of the session. */
interface CommandOnObject extends LineOfMenu {
  readonly command: Command;
  readonly menu: ObjectMenu;
}

/** Something that is done outside of the session. */
interface OutwardOnObject extends LineOfMenu {
  readonly outward: (id: string) => { readonly hint: Hint; readonly where: string; readonly does: string };
}

/** A line of an object's menus. */
export type ObjectLine = CommandOnObject | OutwardOnObject;

const OUTWARD: readonly OutwardOnObject[] = [{
  name: "gdb.attach",
  on: ["vm", "vcpu"],
  key: "g",
  label: "gdb: how to debug it",
  danger: false,
  outward: (id) => ({ hint: hint("gdb", vmIn(id) ?? ""), where: "in another terminal", does: "prints the command for gdb" }),
  disabled: (id) => neededVm(id) && `${id} executes no instructions: el2's own code runs there`,
}];

const OF_COMMANDS = COMMANDS.flatMap((command) =>
  (command.menus ?? []).map((menu): CommandOnObject => ({
    ...menu,
    name: menu.name ?? command.name,
    danger: menu.asks !== undefined,
    command,
    menu,
  }))
);

/** All lines: those that change nothing come first. */
export const OBJECT_LINES: readonly ObjectLine[] = [
  ...OF_COMMANDS.filter(({ danger }) => !danger),
  ...OUTWARD,
  ...OF_COMMANDS.filter(({ danger }) => danger),
];

/** The name of the line that looks for the writer of an address. */
export const WHO_WROTE = "who.wrote";

/** The lines for an object, each with the reason why it cannot be done now. */
export function linesFor(id: string, circumstances: Circumstances): { line: ObjectLine; reason: string | undefined }[] {
  const kind = kindOf(id);
  return OBJECT_LINES.filter(({ on }) => kind && on.includes(kind)).map((line) => ({ line, reason: reasonOff(line, id, circumstances) }));
}

function reasonOff({ danger, disabled }: ObjectLine, id: string, circumstances: Circumstances): string | undefined {
  if (danger && circumstances.readOnly) return "off: read-only";
  if (danger && circumstances.ended) return "off: the machine has ended";
  if (danger && circumstances.past) return "off: the past is read-only; t n returns to now";
  return disabled?.(id, circumstances);
}

/** The command line that does the same; an argument that is asked for is in capitals. */
export function hintOf(line: ObjectLine, selected: Selected): Hint {
  const { id } = selected.row;
  if ("outward" in line) return line.outward(id).hint;
  const { command, menu } = line, given = menu.of(id, selected), { prompt } = menu;
  const hint = hintFor(command, given);
  return prompt ? { ...hint, words: [...hint.words, prompt.fills.toUpperCase()] } : hint;
}
