// Codes of input events as Linux numbers them (linux/input-event-codes.h): those of our keyboard
// and tablet.

export const EventType = { SYN: 0, KEY: 1, REL: 2, ABS: 3, LED: 0x11, REP: 0x14 } as const;
export const SYN_REPORT = 0;
export const Rel = { WHEEL: 8 } as const;
export const Abs = { X: 0, Y: 1 } as const;
export const Led = { NUM_LOCK: 0, CAPS_LOCK: 1, SCROLL_LOCK: 2 } as const;
/** Buttons of a tablet. */
export const BUTTONS = { left: 0x110, right: 0x111, middle: 0x112, touch: 0x14a } as const;

/**
 * Keys by name, in rows of consecutive codes: the first code, then names; `-` is a code that no key
 * of ours has.
 */
const ROWS: readonly (readonly [first: number, names: string])[] = [
  [1, "esc 1 2 3 4 5 6 7 8 9 0 minus equal backspace tab q w e r t y u i o p leftbrace rightbrace enter leftctrl a s d f g h j k l"],
  [39, "semicolon apostrophe grave leftshift backslash z x c v b n m comma dot slash rightshift kpasterisk leftalt space capslock"],
  [59, "f1 f2 f3 f4 f5 f6 f7 f8 f9 f10 numlock scrolllock kp7 kp8 kp9 kpminus kp4 kp5 kp6 kpplus kp1 kp2 kp3 kp0 kpdot"],
  [86, "102nd f11 f12"],
  [
    96,
    "kpenter rightctrl kpslash sysrq rightalt - home up pageup left right end down pagedown insert delete - mute volumedown volumeup power",
  ],
  [119, "pause"],
  [125, "leftmeta rightmeta compose"],
];

export const KEYS: ReadonlyMap<string, number> = new Map(
  ROWS.flatMap(([first, names]) => names.split(" ").map((name, index) => [name, first + index] as const)).filter(([name]) => name !== "-"),
);

/** Keys whose character is not their name, on a keyboard of the US: alone, then with shift. */
const CHARACTERS: Readonly<Record<string, string>> = {
  grave: "`~",
  minus: "-_",
  equal: "=+",
  leftbrace: "[{",
  rightbrace: "]}",
  backslash: "\\|",
  semicolon: ";:",
  apostrophe: "'\"",
  comma: ",<",
  dot: ".>",
  slash: "/?",
  space: " ",
  enter: "\n",
  tab: "\t",
};
const SHIFTED_DIGITS = ")!@#$%^&*(";

/** How a character is typed; undefined if this keyboard has none. */
export function keyOf(character: string): { readonly code: number; readonly shift: boolean } | undefined {
  const lower = character.toLowerCase();
  if (/^[a-z0-9]$/.test(lower)) return keyWith(lower, lower !== character);
  const digit = SHIFTED_DIGITS.indexOf(character);
  if (digit >= 0) return keyWith(String(digit), true);
  for (const [name, characters] of Object.entries(CHARACTERS)) {
    const index = characters.indexOf(character);
    if (index >= 0) return keyWith(name, index === 1);
  }
  return undefined;
}

function keyWith(name: string, shift: boolean): { readonly code: number; readonly shift: boolean } | undefined {
  const code = KEYS.get(name);
  return code === undefined ? undefined : { code, shift };
}
