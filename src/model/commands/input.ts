// `el2 input`: keyboard and tablet of a VM.

import * as v from "valibot";
import { type Kind, word } from "./argument.ts";
import { act, action, command, type Group } from "./command.ts";
import { clickEvents, keyEvents, placeEvents, textEvents, wheelEvents } from "./input-events.ts";
import { text } from "./kinds.ts";
import { VM } from "./lists.ts";
import { count, listOf, name as id, whole } from "../queries/fields.ts";
import type { InputEvent } from "../queries/input-events.ts";

export const INPUT: Group = { name: "input", doc: "send keyboard and tablet input to a VM (devices of kind input)" };

/** Events of a keyboard or tablet in one action, and those that happen at once. */
const EVENTS_MAX = 1 << 16;
const AT_ONCE = 64;

/** An event of Linux's input layer; the value is 32 bits. */
const inputEvent = v.strictObject({ type: count(0xffff), code: count(0xffff), value: whole });
/** Events of a VM's keyboard or tablet: those in one list happen at once. */
export const INPUT_SEND = action("input.send", { vm: id, events: listOf(listOf(inputEvent, AT_ONCE), EVENTS_MAX) });

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
    steps: ({ vm, what }) => act(INPUT_SEND.of({ vm, events: events(what) })),
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
