// Every action of the TUI: its name, its keys and its words. Dispatch, hints and help come from this one table.

/** Where keys mean what they mean. */
export type Context = "everywhere" | "lists" | "console" | "prefix" | "help";

/** One action. */
export interface Action {
  /** Its stable name. */
  readonly name: string;
  readonly context: Context;
  /** Key names of `keys.ts`. */
  readonly keys: readonly string[];
  /** What it does, in the help. */
  readonly help: string;
  /** One or two words for the hint row, where it is shown there. */
  readonly hint?: string;
}

/** The table. A key stands once in a context (a test holds that). */
export const ACTIONS: readonly Action[] = [
  { name: "list.down", context: "lists", keys: ["j", "Down"], help: "select the next row" },
  { name: "list.up", context: "lists", keys: ["k", "Up"], help: "select the row before" },
  { name: "list.first", context: "lists", keys: ["g", "Home"], help: "select the first row" },
  { name: "list.last", context: "lists", keys: ["G", "End"], help: "select the last row; in a scrolled console: follow again" },
  { name: "list.page-down", context: "lists", keys: ["PgDn", "ctrl-d"], help: "a page on" },
  { name: "list.page-up", context: "lists", keys: ["PgUp", "ctrl-u"], help: "a page back" },
  { name: "tree.fold", context: "lists", keys: ["h", "Left"], help: "fold the VM" },
  { name: "tree.unfold", context: "lists", keys: ["l", "Right"], help: "unfold the VM" },
  { name: "console.enter", context: "lists", keys: ["c", "Enter"], help: "type into the selected VM's console", hint: "console" },
  { name: "console.next", context: "lists", keys: ["n"], help: "show the next console" },
  { name: "console.previous", context: "lists", keys: ["N"], help: "show the console before" },
  { name: "pane.next", context: "lists", keys: ["Tab"], help: "focus the next pane", hint: "pane" },
  { name: "pane.previous", context: "lists", keys: ["S-Tab"], help: "focus the pane before" },
  { name: "pane.zoom", context: "lists", keys: ["z"], help: "give the focused pane the whole body, and back", hint: "zoom" },
  { name: "machine.pause", context: "lists", keys: ["p"], help: "pause the machine, or let it go on", hint: "pause" },
  { name: "screen.redraw", context: "everywhere", keys: ["ctrl-l"], help: "draw the whole screen again" },
  { name: "help.show", context: "lists", keys: ["?"], help: "show this help, or leave it", hint: "help" },
  { name: "leave", context: "lists", keys: ["q"], help: "stop the machine and leave", hint: "leave" },
  { name: "step.out", context: "lists", keys: ["Esc"], help: "one step out" },
  {
    name: "console.prefix",
    context: "console",
    keys: ["ctrl-]"],
    help: "then a key of the console prefix; every other key goes to the guest",
  },
  { name: "console.leave", context: "prefix", keys: ["d", "Esc"], help: "take the keys back from the guest", hint: "d leave" },
  { name: "console.show-next", context: "prefix", keys: ["n"], help: "the next console", hint: "n next" },
  { name: "console.show-previous", context: "prefix", keys: ["p"], help: "the console before", hint: "p previous" },
  { name: "console.scroll", context: "prefix", keys: ["["], help: "take the keys back and scroll", hint: "[ scroll" },
  { name: "console.zoom", context: "prefix", keys: ["z"], help: "give the console the whole body, and back", hint: "z zoom" },
  {
    name: "console.send-prefix",
    context: "prefix",
    keys: ["ctrl-]"],
    help: "send the prefix key itself to the guest",
    hint: "ctrl-] send it",
  },
  { name: "help.leave", context: "help", keys: ["?", "q", "Esc", "Enter"], help: "leave the help" },
];

/** The action of a key in a context; `everywhere` counts in all but the console. */
export function actionOf(context: Context, key: string): Action | undefined {
  return ACTIONS.find((action) =>
    (action.context === context || action.context === "everywhere" && context !== "console") && action.keys.includes(key)
  );
}
