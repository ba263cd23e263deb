// Parses typed keyboard and tablet input of a VM into events.

import { Abs, BUTTONS, EventType, type InputEvent, keyOf, KEYS, Rel, TABLET_MAX } from "../queries/input-events.ts";
import { ArgumentError } from "./argument.ts";

type Together = readonly InputEvent[];

const press = (code: number, value: 0 | 1): InputEvent => ({ type: EventType.KEY, code, value });

const chord = (codes: readonly number[]): Together[] => [
  ...codes.map((code) => [press(code, 1)]),
  ...codes.toReversed().map((code) => [press(code, 0)]),
];

/** Keys that are held together, joined by `+`: pressed in order, released in reverse. */
export function keyEvents(text: string): Together[] {
  const codes = text.split("+").map((name) => {
    const code = KEYS.get(name.toLowerCase());
    if (code === undefined) throw new ArgumentError(`"${name}" is not a key`, `use ${[...KEYS.keys()].join(" ")}`);
    return code;
  });
  return chord(codes);
}

/** Text, on a keyboard of the US. */
export function textEvents(text: string): Together[] {
  return [...text].flatMap((character) => {
    const key = keyOf(character);
    if (!key) throw new ArgumentError(`${JSON.stringify(character)} is not on a US keyboard`);
    const shift = key.shift ? [KEYS.get("leftshift")!] : [];
    return chord([...shift, key.code]);
  });
}

/** A place on the tablet: `X,Y`. */
export function placeEvents(text: string): Together[] {
  const match = /^(\d+),(\d+)$/.exec(text);
  const [x, y] = match ? [Number(match[1]), Number(match[2])] : [NaN, NaN];
  if (!(x <= TABLET_MAX && y <= TABLET_MAX)) {
    throw new ArgumentError(`"${text}" is not a position`, `use X,Y from the top left, 0..${TABLET_MAX} each, for example 16384,8192`);
  }
  return [[{ type: EventType.ABS, code: Abs.X, value: x }, { type: EventType.ABS, code: Abs.Y, value: y }]];
}

/** A press and release of a button. */
export function clickEvents(name: string): Together[] {
  const code = Object.entries(BUTTONS).find(([one]) => one === name)?.[1];
  if (code === undefined) throw new ArgumentError(`"${name}" is not a button`, `use ${Object.keys(BUTTONS).join(", ")}`);
  return [[press(code, 1)], [press(code, 0)]];
}

/** Steps of the wheel, up or (negative) down. */
export function wheelEvents(text: string): Together[] {
  if (!/^-?\d{1,3}$/.test(text)) {
    throw new ArgumentError(`"${text}" is not a number of wheel steps`, "use for example 3, or -- -3 for down");
  }
  return [[{ type: EventType.REL, code: Rel.WHEEL, value: Number(text) }]];
}
