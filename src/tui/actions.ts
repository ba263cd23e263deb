// Every action of the TUI: its name, its keys and its words. Dispatch, hints, help, palette and
// documentation come from this one table.

/** Where keys mean what they mean. */
export type Context = "everywhere" | "lists" | "window" | "console" | "prefix" | "help" | "menu" | "text";

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

const SCREENS = [
  ["1", "over", "Overview", "Over", "overview: VMs, a console, events"],
  ["2", "vcpu", "vCPUs", "vCPU", "vCPUs: what each does, waits for, its registers"],
  ["3", "irq", "Interrupts", "IRQ", "interrupts, and what is wrong with them"],
  ["4", "mem", "Memory", "Mem", "memory: who owns and maps what, parcels, limits"],
  ["5", "caps", "Rights", "Rights", "capabilities and objects"],
  ["6", "queue", "Queues", "Queue", "message queues and doorbells"],
  ["7", "rpc", "RPC", "RPC", "requests to the resource manager"],
  ["8", "sched", "Scheduler", "Sched", "scheduler timeline"],
  ["9", "event", "Events", "Event", "all events"],
  ["0", "why", "Why", "Why", "why operations were refused"],
] as const;

/** A screen: its key, its name in actions, on its tab and on a narrow one, and what it is for. */
export interface ScreenEntry {
  readonly key: string;
  readonly name: string;
  readonly title: string;
  readonly short: string;
  readonly help: string;
}

/** Keys, names and purposes of the screens. */
export const SCREEN_LIST: readonly ScreenEntry[] = SCREENS.map(([key, name, title, short, help]) => ({ key, name, title, short, help }));

/** The table. A key stands once in a context (a test holds that). */
export const ACTIONS: readonly Action[] = [
  ...SCREEN_LIST.map(({ key, name, help }): Action => ({ name: `screen.${name}`, context: "lists", keys: [key], help })),
  { name: "list.down", context: "lists", keys: ["j", "Down"], help: "select the next row" },
  { name: "list.up", context: "lists", keys: ["k", "Up"], help: "select the row before" },
  { name: "list.first", context: "lists", keys: ["g", "Home"], help: "select the first row" },
  { name: "list.last", context: "lists", keys: ["G", "End"], help: "select the last row; where something comes in: follow it" },
  { name: "list.page-down", context: "lists", keys: ["PgDn", "ctrl-d"], help: "a page on" },
  { name: "list.page-up", context: "lists", keys: ["PgUp", "ctrl-u"], help: "a page back" },
  { name: "tree.fold", context: "lists", keys: ["h", "Left"], help: "fold the VM; in lists columns further left" },
  { name: "tree.unfold", context: "lists", keys: ["l", "Right"], help: "unfold the VM; in lists columns further right" },
  { name: "object.go", context: "lists", keys: ["Enter"], help: "go to the object that the row names", hint: "open" },
  { name: "object.back", context: "lists", keys: ["Backspace", "["], help: "back to where you came from" },
  { name: "object.forward", context: "lists", keys: ["]"], help: "forward again" },
  {
    name: "object.references",
    context: "lists",
    keys: ["x"],
    help: "what refers to the object: events that name it",
    hint: "what refers to it",
  },
  { name: "object.inspect", context: "lists", keys: ["i"], help: "every field of the row" },
  { name: "pane.next", context: "lists", keys: ["Tab"], help: "focus the next pane", hint: "pane" },
  { name: "pane.previous", context: "lists", keys: ["S-Tab"], help: "focus the pane before" },
  { name: "pane.zoom", context: "lists", keys: ["z"], help: "give the focused pane the whole body, and back", hint: "zoom" },
  { name: "console.enter", context: "lists", keys: ["c"], help: "type into the console of the selected VM", hint: "console" },
  { name: "console.all", context: "lists", keys: ["C"], help: "all consoles in one, each line behind its VM's name; and back" },
  { name: "object.why", context: "lists", keys: ["w"], help: "why it is refused or blocked", hint: "why" },
  {
    name: "object.actions",
    context: "lists",
    keys: ["a"],
    help: "what can be done with the object; what cannot says why",
    hint: "actions",
  },
  {
    name: "copy.menu",
    context: "lists",
    keys: ["y"],
    help: "copy the row, its id, JSON, its command; what a console shows",
    hint: "copy",
  },
  {
    name: "filter.edit",
    context: "lists",
    keys: ["/"],
    help: "show only rows that a filter lets through; search a console",
    hint: "filter",
  },
  { name: "console.next", context: "lists", keys: ["n"], help: "show the next console" },
  { name: "console.previous", context: "lists", keys: ["N"], help: "show the console before" },
  { name: "list.sort", context: "lists", keys: ["s"], help: "sort by the next column" },
  { name: "list.sort-reverse", context: "lists", keys: ["S"], help: "turn the order round" },
  { name: "list.view", context: "lists", keys: ["v"], help: "the next view of the pane", hint: "view" },
  { name: "list.follow", context: "lists", keys: ["f"], help: "follow what comes in, or stop", hint: "follow" },
  { name: "list.mark", context: "lists", keys: ["m"], help: "mark the row, or take the mark away" },
  { name: "list.compare", context: "lists", keys: ["="], help: "show in which fields the marked rows differ" },
  { name: "list.export", context: "lists", keys: ["e"], help: "write the rows of the list to a file, a line of JSON each" },
  {
    name: "list.wider",
    context: "lists",
    keys: ["+"],
    help: "more time in a column of the timeline, more memory in a cell",
    hint: "zoom out",
  },
  {
    name: "list.closer",
    context: "lists",
    keys: ["-"],
    help: "less time in a column of the timeline, less memory in a cell",
    hint: "closer",
  },
  { name: "machine.pause", context: "lists", keys: ["p"], help: "pause the machine, or let it go on", hint: "pause" },
  {
    name: "machine.stop-rule",
    context: "lists",
    keys: ["b"],
    help: "stop at events like the selected one, or before an instruction",
    hint: "stop rule",
  },
  { name: "time.on", context: "lists", keys: ["."], help: "an instruction on, the machine paused", hint: "step" },
  { name: "time.back", context: "lists", keys: [","], help: "an instruction back: the past, which takes no input", hint: "step back" },
  { name: "time.event-back", context: "lists", keys: ["<"], help: "back to the event before that passes the filter of the events" },
  {
    name: "time.event-on",
    context: "lists",
    keys: [">"],
    help: "on to the next one; from now on the machine runs until it happens",
    hint: "next event",
  },
  {
    name: "time.travel",
    context: "lists",
    keys: ["t"],
    help: "elsewhere in the run: go to, back to, now, list; snapshot, fork",
    hint: "time",
  },
  { name: "display.freeze", context: "lists", keys: ["Space"], help: "freeze the display alone, and count what comes meanwhile" },
  {
    name: "danger.menu",
    context: "lists",
    keys: ["!"],
    help: "actions that change the machine, each asks first",
    hint: "danger",
  },
  { name: "palette.show", context: "lists", keys: [":"], help: "find any action, screen or object by its name" },
  { name: "help.show", context: "lists", keys: ["?"], help: "show this help", hint: "help" },
  { name: "leave", context: "lists", keys: ["q"], help: "leave; a session in the background goes on", hint: "quit" },
  { name: "step.out", context: "lists", keys: ["Esc"], help: "one step out: the filter, the zoom, then the first pane" },
  { name: "object.open", context: "lists", keys: ["o"], help: "show the object that the row names beside this screen" },
  { name: "window.prefix", context: "lists", keys: ["ctrl-w"], help: "then a key for splits" },
  { name: "window.right", context: "window", keys: ["v"], help: "split: another screen at the right", hint: "v right" },
  { name: "window.below", context: "window", keys: ["s"], help: "split: another screen below", hint: "s below" },
  { name: "window.other", context: "window", keys: ["ctrl-w", "o"], help: "to the other half", hint: "o other" },
  { name: "window.save", context: "window", keys: ["w"], help: "save what is shown under a digit", hint: "w save" },
  {
    name: "window.load",
    context: "window",
    keys: ["1", "2", "3", "4", "5", "6", "7", "8", "9"],
    help: "show what was saved under the digit",
    hint: "1..9 load",
  },
  { name: "window.close", context: "window", keys: ["q"], help: "close the half that is focused", hint: "q close" },
  {
    name: "window.grow",
    context: "window",
    keys: ["+", "Right", "Down"],
    help: "more room for the first half, or the pane before a divider",
    hint: "arrows size",
  },
  { name: "window.shrink", context: "window", keys: ["-", "Left", "Up"], help: "less room for it" },
  {
    name: "window.even",
    context: "window",
    keys: ["="],
    help: "both halves alike, dividers of panes where they were at first",
    hint: "= even",
  },
  { name: "cancel", context: "everywhere", keys: ["ctrl-c"], help: "cancel what is pending, such as going back; never the machine" },
  { name: "screen.redraw", context: "everywhere", keys: ["ctrl-l"], help: "draw the whole screen again" },
  { name: "suspend", context: "everywhere", keys: ["ctrl-z"], help: "go to the shell; fg comes back" },
  {
    name: "console.prefix",
    context: "console",
    keys: ["ctrl-]"],
    help: "then a key of the console prefix; every other key goes to the guest",
  },
  { name: "console.leave", context: "prefix", keys: ["d", "Esc"], help: "take the keys back from the guest", hint: "d leave" },
  { name: "console.show-next", context: "prefix", keys: ["n"], help: "the next console", hint: "n next" },
  { name: "console.show-previous", context: "prefix", keys: ["p"], help: "the console before", hint: "p previous" },
  { name: "console.search", context: "prefix", keys: ["/"], help: "search the scrollback", hint: "/ search" },
  { name: "console.break", context: "prefix", keys: ["b"], help: "send a break on its line: SysRq of Linux", hint: "b break" },
  { name: "console.scroll", context: "prefix", keys: ["["], help: "take the keys back and scroll", hint: "[ scroll" },
  { name: "console.zoom", context: "prefix", keys: ["z"], help: "give the console the whole body, and back", hint: "z zoom" },
  { name: "console.log", context: "prefix", keys: ["l"], help: "say where the console's log is", hint: "l log" },
  {
    name: "console.send-prefix",
    context: "prefix",
    keys: ["ctrl-]"],
    help: "send the prefix key itself to the guest",
    hint: "ctrl-] send it",
  },
  { name: "help.leave", context: "help", keys: ["?", "q", "Esc", "Enter"], help: "leave the help" },
  { name: "menu.down", context: "menu", keys: ["Down", "Tab"], help: "the next line" },
  { name: "menu.up", context: "menu", keys: ["Up", "S-Tab"], help: "the line before" },
  { name: "menu.choose", context: "menu", keys: ["Enter"], help: "do it; a letter does its line at once" },
  { name: "menu.leave", context: "menu", keys: ["Esc"], help: "leave without doing anything" },
  { name: "text.accept", context: "text", keys: ["Enter"], help: "take what was typed" },
  { name: "text.leave", context: "text", keys: ["Esc"], help: "leave it" },
  { name: "text.erase", context: "text", keys: ["Backspace"], help: "erase a character" },
  { name: "text.erase-word", context: "text", keys: ["ctrl-w"], help: "erase a word" },
  { name: "text.erase-line", context: "text", keys: ["ctrl-u"], help: "erase the line" },
  { name: "text.start", context: "text", keys: ["ctrl-a", "Home"], help: "to the start" },
  { name: "text.end", context: "text", keys: ["ctrl-e", "End"], help: "to the end" },
  { name: "text.left", context: "text", keys: ["Left", "ctrl-b"], help: "a character back" },
  { name: "text.right", context: "text", keys: ["Right", "ctrl-f"], help: "a character on" },
  { name: "text.older", context: "text", keys: ["Up", "ctrl-p"], help: "what was typed before, or the line above" },
  { name: "text.newer", context: "text", keys: ["Down", "ctrl-n"], help: "what was typed after, or the line below" },
];

/** What a context is called in the help. */
export const CONTEXT_TITLES: Readonly<Record<Context, string>> = {
  lists: "screens and lists",
  window: "splits, after ctrl-w",
  everywhere: "everywhere but in a console",
  console: "console: every key goes to the guest, but",
  prefix: "console, after ctrl-]",
  help: "help",
  menu: "menus",
  text: "while typing",
};

/** The keys in `CONTEXT_TITLES`, by their actions. */
const CONTEXT_ENTRIES = { "window.prefix": "ctrl-w", "console.prefix": "ctrl-]" } as const;

/**
 * Keys by action name, with this one for what takes the keys back from a guest, and for itself
 * behind that.
 */
export function withPrefix(keys: Readonly<Record<string, string>>, prefix: string | undefined): Readonly<Record<string, string>> {
  return prefix === undefined ? keys : { "console.prefix": prefix, "console.send-prefix": prefix, ...keys };
}

/** An action with another key, which its hint names. */
function rebound(action: Action, key: string): Action {
  const [before] = action.keys;
  const hint = action.hint?.startsWith(`${before} `) ? key + action.hint.slice(before.length) : action.hint;
  return { ...action, keys: [key], hint };
}

/** Two actions have one key in one context. */
export class KeyClash extends Error {}

/** Which key does what: the table, with a person's changes. */
export class Keymap {
  readonly #keys = new Map<string, Action>();
  /** The actions with the keys that they have here. */
  readonly actions: readonly Action[];

  /**
   * @param changes keys by action name, in the place of the table's.
   * @throws KeyClash, and Error for a name that is no action's.
   */
  constructor(changes: Readonly<Record<string, string>> = {}) {
    const unknown = Object.keys(changes).find((name) => !ACTIONS.some((action) => action.name === name));
    if (unknown !== undefined) throw new KeyClash(`there is no action ${JSON.stringify(unknown)}`);
    this.actions = ACTIONS.map((action) => changes[action.name] === undefined ? action : rebound(action, changes[action.name]));
    for (const action of this.actions) {
      for (const key of action.keys) {
        const place = `${action.context} ${key}`, other = this.#keys.get(place);
        if (other) throw new KeyClash(`key ${key} is ${other.name}'s and ${action.name}'s; change one`);
        this.#keys.set(place, action);
      }
    }
  }

  /** The first key of an action. */
  keyOf(name: string): string {
    return this.actions.find((action) => action.name === name)!.keys[0];
  }

  /** What a context is called, with the key that leads to it here. */
  titleOf(context: Context): string {
    const entries = Object.entries(CONTEXT_ENTRIES).map(([name, key]) => [key, this.keyOf(name)]);
    return entries.reduce((title, [key, here]) => title.replace(key, () => here), CONTEXT_TITLES[context]);
  }

  /** The action of a key in a context; `everywhere` counts in all but the console. */
  actionOf(context: Context, key: string): Action | undefined {
    const own = this.#keys.get(`${context} ${key}`);
    return own ?? (context === "console" ? undefined : this.#keys.get(`everywhere ${key}`));
  }
}
