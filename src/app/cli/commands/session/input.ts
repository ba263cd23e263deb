// `el2 input`: keyboard and tablet of a VM.

import type { Command } from "@commander-js/extra-typings";
import { clickEvents, keyEvents, placeEvents, textEvents, wheelEvents } from "./input-events.ts";
import type { CommandContext } from "../../common/command.ts";
import { type ActionCommand, type Group, registerGroup, VM_ARGUMENT } from "../../common/group.ts";
import type { InputEvent } from "../../../../model/queries/input-events.ts";

/** A command that makes events of a keyboard or tablet. */
function inputCommand(
  name: string,
  help: string,
  argument: ActionCommand["arguments"][number],
  events: (text: string) => readonly (readonly InputEvent[])[],
  examples: readonly string[],
): ActionCommand {
  return {
    name,
    help,
    arguments: [VM_ARGUMENT, argument],
    action: (vm, text) => ({ kind: "input.send", vm, events: events(text) }),
    done: (vm) => `sent to ${vm}`,
    examples,
  };
}

export const INPUT: Group = {
  name: "input",
  help: "send keyboard and tablet input to a VM (devices of kind input)",
  queries: [],
  actions: [
    inputCommand("key", "press and release keys", { name: "keys", help: "a key, or several joined by +, such as leftctrl+c" }, keyEvents, [
      "input key host leftctrl+c",
    ]),
    inputCommand("text", "type text (US layout)", { name: "text", help: "the text" }, textEvents, [
      "input text host 'uname -a'",
    ]),
    inputCommand(
      "move",
      "move the tablet's pointer",
      { name: "position", help: "X,Y from the top left, 0..32767 each" },
      placeEvents,
      [
        "input move host 16384,8192",
      ],
    ),
    inputCommand(
      "click",
      "press and release a button of the tablet",
      { name: "button", help: "left, right, middle or touch" },
      clickEvents,
      [
        "input click host left",
      ],
    ),
    inputCommand(
      "wheel",
      "turn the tablet's wheel",
      { name: "steps", help: "steps up, or down with a negative number after --" },
      wheelEvents,
      [
        "input wheel host 3",
        "input wheel host -- -3",
      ],
    ),
  ],
};

export function registerInput(program: Command, context: CommandContext): void {
  registerGroup(program, context, INPUT);
}
