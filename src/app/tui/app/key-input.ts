// Keys go to the overlay, to the guest, or to the action that they mean.

import type { AppAction } from "../actions/actions.ts";
import type { Handlers } from "../actions/action-handlers.ts";
import type { AppState } from "./app-state.ts";
import type { ListActions } from "./doing/list-actions.ts";
import { type Mouse, WHEEL } from "./doing/mouse.ts";
import type { OtherSessions } from "./start/other-sessions.ts";
import type { Overlay } from "./overlays/overlay.ts";
import type { OwnCommands } from "./doing/own-commands.ts";
import type { Key } from "../terminal/keys.ts";
import { CONSOLE } from "../../../model/commands/consoles.ts";

/** Parts of the application that take keys. */
interface KeyTakers {
  readonly handlers: Handlers;
  readonly lists: ListActions;
  readonly mouse: Mouse;
  readonly sessions: OtherSessions;
  readonly commands: OwnCommands;
  /** Names of the keys that a click at a cell presses, with blanks between them. */
  readonly pressedAt: (at: { readonly x: number; readonly y: number }) => string | undefined;
}

export class KeyInput {
  constructor(readonly state: AppState, readonly takers: () => KeyTakers) {}

  /** Takes a key; a click on the name of a key, wherever a frame has one, is this key. */
  press(key: Key): void {
    const { name, x = -1, y = -1 } = key;
    if (name === "Release") return this.#release(x, y);
    const keys = name === "Click" ? this.takers().pressedAt({ x, y }) : undefined;
    // A key in the frame of a pane is for this pane.
    if (keys === undefined) return this.#press(key);
    if (!this.state.overlay && !this.state.session.lost) this.takers().mouse.focusAt(x, y);
    for (const name of keys.split(" ")) this.#press({ name, bytes: new Uint8Array() });
  }

  /** The end of a click is part of it: the message that answered the click stays. */
  #release(x: number, y: number): void {
    const { state } = this;
    if (!state.overlay && !state.session.lost) this.takers().mouse.press("Release", x, y);
    state.see();
    state.port.changed(true);
  }

  #press(key: Key): void {
    const { state } = this, { messages, session, console } = state;
    state.activity.refresh();
    state.pressedKeys++;
    // A box that an answer has opened may be gone with this key.
    state.see();
    const shown = messages.current;
    const isCommand = !state.overlay && !session.lost && state.context === "lists";
    if (!session.end) messages.pressed(isCommand ? key.name : undefined);
    if (key.refused !== undefined) this.#refuse(key.refused);
    else if (state.overlay) this.#overlayKey(state.overlay, key);
    else if (session.lost) this.#lostKey(key);
    else if (key.name === "Esc" && shown?.keys.length && !console.typing) messages.dismiss();
    else if (key.name === "Esc" && this.#leavesGuide()) this.#leaveGuide();
    else if (key.x !== undefined && key.y !== undefined) this.takers().mouse.press(key.name, key.x, key.y);
    else if (console.typing && state.prefix !== "prefix") this.#typed(key);
    else this.#command(key);
    state.see();
    state.port.changed(true);
  }

  run(action: AppAction, key: Key): void {
    if ("screen" in action) this.state.windows.show(action.screen.key);
    else this.takers().handlers[action.name](key);
  }

  /** Bytes for the guest whose console is shown. */
  type(bytes: Uint8Array): void {
    const { state } = this, { options, session, console, steps } = state;
    if (options.replay) return state.say("a replay takes no input; ctrl-] d stops typing", "warn");
    if (session.past) {
      return state.say("You are viewing the past, which takes no input; press ctrl-] d, then t n to return to the present", "warn");
    }
    if (!console.shown) return;
    state.typedKeys++;
    void steps.run(CONSOLE, { vm: console.shown, send: bytes });
  }

  /** Says why a key was not taken; a prompt would hide the words. */
  #refuse(why: string): void {
    this.state.overlay = undefined;
    this.state.say(why, "bad");
  }

  /** Whether the tour is all that Esc can leave. */
  #leavesGuide(): boolean {
    const { options, context } = this.state;
    return (options.guide?.shown ?? false) && context === "lists" && !this.takers().lists.canStepOut;
  }

  #leaveGuide(): void {
    const { guide } = this.state.options;
    guide?.leave();
    this.state.say(guide?.over ? "the tour is over; :tour begins it again" : "you have left the tour; :tour continues it");
  }

  #lostKey({ name }: Key): void {
    const { port, options, session } = this.state;
    if (name === "q") port.leave();
    else if (name === "r") port.reconnect();
    else if (name === "l") this.state.say(options.log === undefined ? "this session has no log" : `its log: ${options.log}`);
    else if (name === "s") this.takers().sessions.openSnapshot(session.snapshot);
    else if (name === "ctrl-z") port.suspend();
  }

  #overlayKey(overlay: Overlay, key: Key): void {
    const { state } = this;
    if (key.x !== undefined && key.y !== undefined) return this.#overlayPointed(overlay, key.name, key.x, key.y);
    const action = state.keymap.actionOf(overlay.context, key.name);
    if (action?.name === "screen.redraw") return state.port.redraw();
    if (action?.name === "suspend" && overlay.context !== "text") return state.port.suspend();
    if (!overlay.key(key, action) && state.overlay === overlay) state.overlay = undefined;
  }

  /** The mouse did something at a cell while an overlay is open. */
  #overlayPointed(overlay: Overlay, what: string, x: number, y: number): void {
    if (what === "WheelUp" || what === "WheelDown") overlay.scroll?.(what === "WheelUp" ? -WHEEL : WHEEL);
    else if (what === "Click" && overlay.click?.(x, y) === false && this.state.overlay === overlay) this.state.overlay = undefined;
  }

  #typed(key: Key): void {
    const action = this.state.keymap.actionOf("console", key.name);
    if (action) this.run(action, key);
    else if (key.bytes.length) this.type(key.bytes);
  }

  #command(key: Key): void {
    const { state } = this, { context } = state;
    const action = state.keymap.actionOf(context, key.name);
    state.prefix = undefined;
    if (action) this.run(action, key);
    else if (context === "lists" && this.takers().commands.key(key.name)) return;
    else if (!state.console.typing) state.say(`${key.name} has no action here; ? lists the keys`);
  }
}
