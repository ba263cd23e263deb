// Maps keys to actions: the actions of `actions.ts`, with the user's changes.

import { type Action, type ActionName, ACTIONS, type ActionsOf, type Context, CONTEXT_TITLES } from "./actions.ts";
import { didYouMean } from "../../../kit/support/text/did-you-mean.ts";
import { UserError } from "../../../kit/support/problem.ts";

/** The keys in `CONTEXT_TITLES`, by their actions. */
const CONTEXT_ENTRIES = [["window.prefix", "ctrl-w"], ["console.prefix", "ctrl-]"]] as const;

/**
 * Keys by action name, with this prefix key: it takes the keys back from a guest, and pressed twice
 * is sent to the guest.
 */
export function withPrefix(keys: Readonly<Record<string, string>>, prefix: string | undefined): Readonly<Record<string, string>> {
  return prefix === undefined ? keys : { "console.prefix": prefix, "console.send-prefix": prefix, ...keys };
}

/** An action with another key, which its hint names. */
function rebound<A extends Action>(action: A, key: string): A {
  const [before] = action.keys;
  const hint = action.hint?.startsWith(`${before} `) ? key + action.hint.slice(before.length) : action.hint;
  return { ...action, keys: [key], hint };
}

/** Two actions have one key in one context, or a name is that of no action. */
export class KeyClash extends UserError {
  /** @param names the actions */
  constructor(what: string, wayOut: string | undefined, readonly names: readonly string[]) {
    super(what, wayOut);
  }
}

/** The map of keys to actions: the table, with the user's changes. */
export class Keymap {
  readonly #keys: { readonly [C in Context]: Map<string, ActionsOf[C]> } = {
    everywhere: new Map(),
    lists: new Map(),
    window: new Map(),
    console: new Map(),
    prefix: new Map(),
    help: new Map(),
    menu: new Map(),
    text: new Map(),
  };
  /** The actions with the keys that they have here. */
  readonly actions: readonly Action[];

  /**
   * @param changes keys by action name, which replace the table's
   * @throws KeyClash, also for a name that no action has
   */
  constructor(changes: Readonly<Record<string, string>> = {}) {
    const unknown = Object.keys(changes).find((name) => !ACTIONS.some((action) => action.name === name));
    if (unknown !== undefined) {
      const known = ACTIONS.map(({ name }) => name);
      throw new KeyClash(`there is no action ${JSON.stringify(unknown)}`, didYouMean(unknown, known), [unknown]);
    }
    this.actions = ACTIONS.map((action) => changes[action.name] === undefined ? action : rebound(action, changes[action.name]));
    for (const action of this.actions) {
      for (const key of action.keys) this.#bind(action.context, key, action);
    }
  }

  #bind<C extends Context>(context: C, key: string, action: ActionsOf[C]): void {
    const keys = this.#keys[context], other = keys.get(key);
    if (other) throw new KeyClash(`key ${key} is ${other.name}'s and ${action.name}'s`, "change one", [other.name, action.name]);
    keys.set(key, action);
  }

  /** The first key of an action. */
  keyOf(name: ActionName): string {
    return this.actions.find((action) => action.name === name)!.keys[0];
  }

  /** Title of a context, with the key that leads to it here. */
  titleOf(context: Context): string {
    return CONTEXT_ENTRIES.reduce((title, [name, key]) => title.replace(key, () => this.keyOf(name)), CONTEXT_TITLES[context]);
  }

  /** The action of a key in a context; `everywhere` counts in all but the console. */
  actionOf<C extends Context>(context: C, key: string): ActionsOf[C] | ActionsOf["everywhere"] | undefined {
    return this.#keys[context].get(key) ?? (context === "console" ? undefined : this.#keys.everywhere.get(key));
  }
}
