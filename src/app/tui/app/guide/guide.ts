// The way through a tour: which step it is, whether that was done, and what leads back to it.

import type { ActionName } from "../../actions/actions.ts";
import { CHAPTERS, EPILOGUE, type Goal, type GuideChapter, type GuideStep, type Seen } from "./guide-chapters.ts";
import type { Keymap } from "../../actions/keymap.ts";
import type { Piece } from "../../look/pieces.ts";
import { nameOf } from "../../../../model/queries/ids.ts";

/** A step for its strip. */
export interface GuideView {
  /** Title of the chapter. */
  readonly title: string;
  /** `4 of 30`. */
  readonly position: string;
  readonly text: string;
  /** The keys to press, or the way back to where they can be pressed. */
  readonly task: readonly Piece[];
  /** The texts of all steps, for a strip that never changes its height. */
  readonly texts: readonly string[];
}

/** A tour that is under way. */
export class Guide {
  readonly #steps: readonly { readonly chapter: GuideChapter; readonly step: GuideStep }[];
  #at: number;
  #left = false;
  /** The state when the step began, for counts that must grow. */
  #before: Seen | undefined;
  #seen: Seen | undefined;

  /**
   * @param first name of the chapter that it begins with
   * @param chapters the tour's own, except in tests
   */
  constructor(first: string = CHAPTERS[0].name, chapters: readonly GuideChapter[] = CHAPTERS) {
    this.#steps = chapters.flatMap((chapter) => chapter.steps.map((step) => ({ chapter, step })));
    this.#at = Math.max(this.#steps.findIndex(({ chapter }) => chapter.name === first), 0);
  }

  /** It is shown: not left, and not put away after its end. */
  get shown(): boolean {
    return !this.#left;
  }

  /** Every step was done. */
  get over(): boolean {
    return this.#at === this.#steps.length;
  }

  /** Name of the chapter to continue with the next time; undefined once it is over. */
  get chapter(): string | undefined {
    return this.#steps[this.#at]?.chapter.name;
  }

  /** Puts it away. */
  leave(): void {
    this.#left = true;
  }

  /** Shows it again; after its end from the beginning. */
  resume(): void {
    if (this.over) this.#at = 0;
    this.#left = false;
    this.#before = undefined;
  }

  /** Takes the state of the screens: whether a step was done with it. */
  see(seen: Seen): boolean {
    this.#seen = seen;
    if (this.#left || this.over) return false;
    this.#before ??= seen;
    if (!isReached(this.#steps[this.#at].step.goal, seen, this.#before)) return false;
    this.#at++;
    this.#before = undefined;
    // A state that later steps lead to may be there already.
    this.see(seen);
    return true;
  }

  /** The step for its strip; undefined if none is shown. */
  view(keymap: Keymap): GuideView | undefined {
    if (this.#left) return undefined;
    const current = this.#steps[this.#at], step = current?.step ?? EPILOGUE;
    const back = current && this.#seen && wayBack(current.step, this.#seen);
    return {
      title: current ? current.chapter.title : "The end",
      position: `${Math.min(this.#at + 1, this.#steps.length)} of ${this.#steps.length}`,
      text: step.text,
      task: taskPieces(back ?? step.task, keymap, back !== undefined),
      texts: [...this.#steps.map(({ step: { text } }) => text), EPILOGUE.text],
    };
  }
}

function isReached(goal: Goal, seen: Seen, before: Seen): boolean {
  const { selected, filter, typed, refused, ...equal } = goal;
  if (typed && seen.typed <= before.typed || refused && seen.refused <= before.refused) return false;
  if (selected && !selected(seen.selected) || filter && !filter(seen.filter)) return false;
  return Object.entries(equal).every(([name, value]) => seen[name as keyof typeof equal] === value);
}

/** The way back to a step, for a reader who is elsewhere. */
function wayBack({ goal, on, past, palette, object }: GuideStep, seen: Seen): string | undefined {
  if (seen.overlay !== "none") return undefined;
  if (seen.typing && goal.typing === undefined && !goal.typed) {
    return "Your keys go to a guest: press {console.prefix}, then {console.leave}.";
  }
  if (!seen.typing && goal.typed) return "Press {console.enter} to type into hello.";
  if (past && !seen.past) return "This is the present: press {time.back} to go back.";
  if (seen.past && !past && goal.past === undefined) return "This is the past: press {time.travel}, then n to return to the present.";
  if (palette) return "The palette is closed: press {palette.show} to open it.";
  if (on !== undefined && seen.screen !== on) return `This step is on screen ${on}: press ${on}.`;
  if (object !== undefined && seen.selected !== object) {
    return `This step is about ${nameOf(object)}: select it with {list.down} and {list.up} first.`;
  }
  return undefined;
}

/** Keys in a task: actions' in braces, and names that el2 shows. */
const KEYS = /\{([a-z.-]+)\}|\b(?:Esc|Enter)\b|(?<=[Pp]ress )\S(?=[.,])|(?<=then )[a-z](?=[., ])/g;

/** Names of keys that look like the punctuation of a sentence. */
const SIGNS: Readonly<Record<string, string>> = {
  ".": "full stop",
  ",": "comma",
  ":": "colon",
  ";": "semicolon",
  "?": "question mark",
  "!": "exclamation mark",
  "/": "slash",
};

/** The text of a task: keys and words. */
function taskPieces(task: string, keymap: Keymap, back: boolean): Piece[] {
  const pieces: Piece[] = [];
  let end = 0;
  for (const found of task.matchAll(KEYS)) {
    pieces.push({ text: task.slice(end, found.index), role: back ? "warn" : "strong" });
    const key = found[1] === undefined ? found[0] : keymap.keyOf(found[1] as ActionName), sign = SIGNS[key];
    pieces.push({ text: key, role: "accent", bold: true });
    if (sign) pieces.push({ text: ` (${sign})`, role: back ? "warn" : "strong" });
    end = found.index + found[0].length;
  }
  return [...pieces, { text: task.slice(end), role: back ? "warn" as const : "strong" as const }].filter(({ text }) => text !== "");
}
