// The commands by which the user changed the machine here: for a script, a report, or a colleague.

import type { MenuItem } from "../overlays/overlay.ts";
import { type Hint, hintText } from "../../../../kit/support/text/hint.ts";

/** Commands that are kept, the newest; characters of typed text in one of them. */
const KEPT = 500, TYPED = 1024;

/** Changes of the machine in this program. */
export class Done {
  readonly #done: Hint[] = [];

  /** Notes a command that is done now. */
  note(hint: Hint): void {
    const last = this.#done.at(-1), both = last && joined(last, hint);
    if (both) this.#done[this.#done.length - 1] = both;
    else this.#done.push(hint);
    if (this.#done.length > KEPT) this.#done.shift();
  }

  /** Their lines, the oldest first. */
  get lines(): string[] {
    return this.#done.map(hintText);
  }

  /** These as a menu, the newest first; `copy` gets the chosen line, or all. */
  items(copy: (text: string) => void): MenuItem[] {
    const { lines } = this;
    if (lines.length === 0) return [];
    const item = (label: string, text: string): MenuItem => ({ label, run: () => copy(text) });
    return [
      item(`all ${lines.length}, in the order of time`, `${lines.join("\n")}\n`),
      ...lines.toReversed().map((line) => item(line, line)),
    ];
  }
}

/** Two commands as one: steps in one direction, and text typed into one console. */
function joined(a: Hint, b: Hint): Hint | undefined {
  if (a.command !== b.command || a.words.join() !== b.words.join()) return undefined;
  const first = onlyOption(a), second = onlyOption(b);
  if (first === undefined || first.name !== second?.name) return undefined;
  if (first.name === "by") return { ...b, options: { by: Number(first.value) + Number(second.value) } };
  const text = `${first.value}${second.value}`;
  return first.name === "send" && text.length <= TYPED ? { ...b, options: { send: text } } : undefined;
}

function onlyOption({ options }: Hint) {
  const [[name, value] = ["", undefined], ...others] = Object.entries(options);
  return value === undefined || others.length > 0 ? undefined : { name, value };
}
