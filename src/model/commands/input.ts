// `el2 input`: keyboard and tablet of a VM.

import { type Kind, word } from "./argument.ts";
import { act, command, type Group } from "./command.ts";
import { clickEvents, keyEvents, placeEvents, textEvents, wheelEvents } from "./input-events.ts";
import { text } from "./kinds.ts";
import { VM } from "./lists.ts";
import type { InputEvent } from "../queries/input-events.ts";

export const INPUT: Group = { name: "input", doc: "send keyboard and tablet input to a VM (devices of kind input)" };

type Events = readonly (readonly InputEvent[])[];

/** A text that means these events. */
const eventsOf = (events: (typed: string) => Events): Kind<string> => ({ ...text, parse: (typed) => (events(typed), typed) });

/** A command that makes events of a keyboard or tablet. */
const inputCommand = (name: string, doc: string, about: string, events: (typed: string) => Events, examples: readonly string[]) =>
  command(`input.${name}`, {
    doc,
    args: { vm: VM, what: word(eventsOf(events), about) },
    right: "changes",
    examples,
    steps: ({ vm, what }) => act({ kind: "input.send", vm, events: events(what) }),
    done: ({ vm }) => `sent to ${vm}`,
  });

export const INPUT_COMMANDS = [
  inputCommand("key", "press and release keys", "a key, or several joined by +, such as leftctrl+c", keyEvents, [
    "input key host leftctrl+c",
  ]),
  inputCommand("text", "type text (US layout)", "the text", textEvents, ["input text host 'uname -a'"]),
  inputCommand("move", "move the tablet's pointer", "X,Y from the top left, 0..32767 each", placeEvents, ["input move host 16384,8192"]),
  inputCommand("click", "press and release a button of the tablet", "left, right, middle or touch", clickEvents, [
    "input click host left",
  ]),
  inputCommand("wheel", "turn the tablet's wheel", "steps up, or down with a negative number after --", wheelEvents, [
    ...["input wheel host 3", "input wheel host -- -3"],
  ]),
];
