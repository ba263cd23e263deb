// Texts that leave the screens: to the clipboard, or to a file.

import type { AppState } from "./app-state.ts";
import { TextOverlay } from "./overlays/overlay.ts";
import { LONGEST_COPY } from "../terminal/clipboard.ts";

export class TextsOut {
  constructor(readonly state: AppState) {}

  /**
   * To the clipboard; text too long for terminals, to a file.
   * @param said instead of the text in the message
   */
  copy(text: string, said = text): void {
    if (text.length > LONGEST_COPY) {
      const accept = (name: string) => this.toFile(name, text, "too long for the clipboard:");
      this.state.overlay = new TextOverlay({ sign: "too long for the clipboard; write it to: ", text: "el2-copy.txt", accept });
      return;
    }
    this.state.port.copy(text);
    this.state.say(`copied: ${said}`);
  }

  /** Writes a text to a file, and shows a message with `what` and the path. */
  toFile(name: string, text: string, what: string): void {
    const { port } = this.state;
    if (name.trim() === "") return this.state.say("no file name was typed; nothing is written", "bad");
    port.save(name, text).then((saved) => {
      this.state.say("path" in saved ? `${what} in ${saved.path}` : `${name}: ${saved.error}`, "path" in saved ? "ok" : "bad");
      port.changed(true);
    });
  }
}
