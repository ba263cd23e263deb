// Input events, for commands and screens that make them.

export { Abs, BUTTONS, EventType, keyOf, KEYS, Rel } from "../../machine/virtio/input/event-codes.ts";
export { type InputEvent, TABLET_MAX } from "../../machine/virtio/input/input.ts";
