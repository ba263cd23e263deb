// Every action of the TUI but those that show a screen: its name, its keys and its words. Dispatch,
// hints, help, palette and documentation come from this one table.

import { type Hint, hint } from "../../../kit/support/text/hint.ts";

/** Where keys mean what they mean. */
export type Context = "everywhere" | "lists" | "window" | "console" | "prefix" | "help" | "menu" | "text";
/** Contexts of what lies over a screen; the application performs the actions of the others. */
export type OverlayContext = "help" | "menu" | "text";

/** The words and keys of an action, whatever its name. */
export interface ActionRow {
  readonly name: string;
  readonly context: Context;
  /** Key names of `keys.ts`. */
  readonly keys: readonly string[];
  /** Its description in the help. */
  readonly help: string;
  /** One or two words for the hint row, if it is shown there. */
  readonly hint?: string;
  /** Words that other programs have for it. */
  readonly aliases?: readonly string[];
  /** The command that shows or does the same. */
  readonly command?: Hint;
}

/** The table. A key is in a context once, which a test holds. */
export const ACTION_ROWS = [
  { name: "list.down", context: "lists", keys: ["j", "Down"], help: "select the next row" },
  { name: "list.up", context: "lists", keys: ["k", "Up"], help: "select the previous row" },
  { name: "list.first", context: "lists", keys: ["g", "Home"], help: "select the first row" },
  { name: "list.last", context: "lists", keys: ["G", "End"], help: "select the last row; follow new rows" },
  { name: "list.page-down", context: "lists", keys: ["PgDn", "ctrl-d"], help: "page down" },
  { name: "list.page-up", context: "lists", keys: ["PgUp", "ctrl-u"], help: "page up" },
  { name: "tree.fold", context: "lists", keys: ["h", "Left"], help: "fold the VM; in lists: columns to the left" },
  { name: "tree.unfold", context: "lists", keys: ["l", "Right"], help: "unfold the VM; in lists: columns to the right" },
  { name: "object.go", context: "lists", keys: ["Enter"], help: "go to the object that the row names", hint: "open" },
  { name: "object.back", context: "lists", keys: ["Backspace", "["], help: "previous in history" },
  { name: "object.forward", context: "lists", keys: ["]"], help: "next in history" },
  {
    name: "object.references",
    context: "lists",
    keys: ["x"],
    help: "references: events that name the object",
    hint: "what refers to it",
  },
  { name: "object.inspect", context: "lists", keys: ["i"], help: "every field of the row" },
  { name: "pane.next", context: "lists", keys: ["Tab"], help: "focus the next pane", hint: "pane" },
  { name: "pane.previous", context: "lists", keys: ["S-Tab"], help: "focus the previous pane" },
  { name: "pane.zoom", context: "lists", keys: ["z"], help: "enlarge the focused pane, or restore it", hint: "zoom" },
  {
    name: "console.enter",
    context: "lists",
    keys: ["c"],
    help: "type into the console of the selected VM",
    hint: "console",
    aliases: ["console", "shell", "attach"],
  },
  { name: "console.all", context: "lists", keys: ["C"], help: "all consoles in one pane, with VM names; or one console" },
  { name: "object.why", context: "lists", keys: ["w"], help: "why it was refused or is blocked", hint: "why" },
  { name: "object.who", context: "lists", keys: ["W"], help: "who wrote or changed it last: a search back in time" },
  { name: "rule.read", context: "lists", keys: ["B"], help: "read the section of the book that the rule cites", hint: "rule" },
  {
    name: "object.actions",
    context: "lists",
    keys: ["a"],
    help: "actions on the object; unavailable ones say why",
    hint: "actions",
  },
  {
    name: "copy.menu",
    context: "lists",
    keys: ["y"],
    help: "copy the row, its id, JSON or command; or console text",
    hint: "copy",
  },
  { name: "copy.link", context: "lists", keys: ["Y"], help: "copy a link to this place of the recording", command: hint("link") },
  {
    name: "filter.edit",
    context: "lists",
    keys: ["/"],
    help: "filter the rows; search a console",
    hint: "filter",
    aliases: ["search"],
  },
  { name: "console.next", context: "lists", keys: ["n"], help: "show the next console" },
  { name: "console.previous", context: "lists", keys: ["N"], help: "show the previous console" },
  { name: "list.sort", context: "lists", keys: ["s"], help: "sort by the next column" },
  { name: "list.sort-reverse", context: "lists", keys: ["S"], help: "reverse the sort order" },
  { name: "list.view", context: "lists", keys: ["v"], help: "the next view of the pane", hint: "view" },
  { name: "list.follow", context: "lists", keys: ["f"], help: "follow new rows, or stop following", hint: "follow" },
  { name: "list.mark", context: "lists", keys: ["m"], help: "mark or unmark the row" },
  { name: "list.compare", context: "lists", keys: ["="], help: "compare the two marked rows" },
  { name: "list.export", context: "lists", keys: ["e"], help: "write the rows of the list to a file, as NDJSON" },
  {
    name: "list.wider",
    context: "lists",
    keys: ["-"],
    help: "zoom out: the timeline, the memory map",
    hint: "zoom out",
  },
  {
    name: "list.closer",
    context: "lists",
    keys: ["+"],
    help: "zoom in: the timeline, the memory map",
    hint: "zoom in",
  },
  {
    name: "machine.pause",
    context: "lists",
    keys: ["p"],
    help: "pause or continue the machine",
    hint: "pause",
    aliases: ["stop", "continue", "unpause"],
    command: hint("pause"),
  },
  {
    name: "machine.stop-rule",
    context: "lists",
    keys: ["b"],
    help: "stop at events like the selected one, or before an instruction",
    hint: "stop rule",
    command: hint("break", "FILTER"),
  },
  { name: "time.on", context: "lists", keys: ["."], help: "step one instruction (pauses)", hint: "step" },
  {
    name: "time.back",
    context: "lists",
    keys: [","],
    help: "step one instruction back, into the past",
    hint: "step back",
    command: hint("back", { by: 1 }),
  },
  { name: "time.event-back", context: "lists", keys: ["<"], help: "previous matching event", command: hint("back", { event: "FILTER" }) },
  {
    name: "time.event-on",
    context: "lists",
    keys: [">"],
    help: "next matching event; at the present, run until it occurs",
    hint: "next event",
  },
  {
    name: "time.travel",
    context: "lists",
    keys: ["t"],
    help: "time travel: go to, back to, now, list; snapshot, fork",
    hint: "time",
    aliases: ["back", "goto", "snapshot"],
    command: hint("back", { list: true }),
  },
  { name: "display.freeze", context: "lists", keys: ["Space"], help: "freeze the display, not the machine" },
  {
    name: "danger.menu",
    context: "lists",
    keys: ["!"],
    help: "actions that change the machine; each asks first",
    hint: "danger",
  },
  { name: "palette.show", context: "lists", keys: [":"], help: "find any action, screen or object by its name" },
  {
    name: "help.show",
    context: "lists",
    keys: ["?"],
    help: "show this help",
    hint: "help",
    aliases: ["h", "help"],
  },
  {
    name: "leave",
    context: "lists",
    keys: ["q"],
    help: "quit; a background session continues",
    hint: "quit",
    aliases: ["q", "quit", "exit", "q!", "qa"],
  },
  { name: "step.out", context: "lists", keys: ["Esc"], help: "clear the filter, then the zoom, then go to the first pane" },
  { name: "window.prefix", context: "lists", keys: ["ctrl-w"], help: "prefix of the keys for sizes of panes" },
  {
    name: "window.grow",
    context: "window",
    keys: ["+", "Right", "Down"],
    help: "enlarge the pane before a divider",
    hint: "arrows size",
  },
  { name: "window.shrink", context: "window", keys: ["-", "Left", "Up"], help: "shrink it" },
  {
    name: "window.even",
    context: "window",
    keys: ["="],
    help: "panes at their default sizes",
    hint: "= even",
  },
  { name: "cancel", context: "everywhere", keys: ["ctrl-c"], help: "cancel a pending operation, such as going back" },
  { name: "screen.redraw", context: "everywhere", keys: ["ctrl-l"], help: "draw the whole screen again" },
  { name: "suspend", context: "everywhere", keys: ["ctrl-z"], help: "suspend el2; fg in the shell resumes it" },
  {
    name: "console.prefix",
    context: "console",
    keys: ["ctrl-]"],
    help: "prefix of the console keys; all other keys go to the guest",
  },
  { name: "console.leave", context: "prefix", keys: ["d", "Esc"], help: "stop typing into the guest", hint: "d stop typing" },
  { name: "console.show-next", context: "prefix", keys: ["n"], help: "the next console", hint: "n next" },
  { name: "console.show-previous", context: "prefix", keys: ["p"], help: "the previous console", hint: "p previous" },
  { name: "console.search", context: "prefix", keys: ["/"], help: "search the scrollback", hint: "/ search" },
  { name: "console.break", context: "prefix", keys: ["b"], help: "send a break (SysRq in Linux)", hint: "b break" },
  { name: "console.scroll", context: "prefix", keys: ["["], help: "stop typing, and scroll", hint: "[ scroll" },
  { name: "console.zoom", context: "prefix", keys: ["z"], help: "enlarge the console, or restore it", hint: "z zoom" },
  { name: "console.log", context: "prefix", keys: ["l"], help: "show the path of the console's log", hint: "l log" },
  {
    name: "console.send-prefix",
    context: "prefix",
    keys: ["ctrl-]"],
    help: "send the prefix key itself to the guest",
    hint: "ctrl-] send it",
  },
  { name: "help.leave", context: "help", keys: ["?", "q", "Esc", "Enter"], help: "close the help" },
  { name: "menu.down", context: "menu", keys: ["Down", "Tab"], help: "next line" },
  { name: "menu.up", context: "menu", keys: ["Up", "S-Tab"], help: "previous line" },
  { name: "menu.choose", context: "menu", keys: ["Enter"], help: "run the action; its letter runs it at once" },
  { name: "menu.leave", context: "menu", keys: ["Esc"], help: "cancel" },
  { name: "text.accept", context: "text", keys: ["Enter"], help: "accept" },
  { name: "text.leave", context: "text", keys: ["Esc"], help: "cancel" },
  { name: "text.erase", context: "text", keys: ["Backspace"], help: "erase a character" },
  { name: "text.erase-word", context: "text", keys: ["ctrl-w"], help: "erase a word" },
  { name: "text.erase-line", context: "text", keys: ["ctrl-u"], help: "erase the line" },
  { name: "text.start", context: "text", keys: ["ctrl-a", "Home"], help: "go to the start" },
  { name: "text.end", context: "text", keys: ["ctrl-e", "End"], help: "go to the end" },
  { name: "text.left", context: "text", keys: ["Left", "ctrl-b"], help: "one character back" },
  { name: "text.right", context: "text", keys: ["Right", "ctrl-f"], help: "one character forward" },
  { name: "text.older", context: "text", keys: ["Up", "ctrl-p"], help: "previous in history, or the line above" },
  { name: "text.newer", context: "text", keys: ["Down", "ctrl-n"], help: "next in history, or the line below" },
] as const satisfies readonly ActionRow[];

type KnownAction = (typeof ACTION_ROWS)[number];
export type NameIn<C extends Context> = Extract<KnownAction, { readonly context: C }>["name"];
