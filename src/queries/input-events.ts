// Input events, for who makes them: commands and screens.

export { Abs, BUTTONS, EventType, keyOf, KEYS, Rel } from "../virtio/input/event-codes.ts";
export { type InputEvent, TABLET_MAX } from "../virtio/input/input.ts";
