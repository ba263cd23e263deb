// A command of a session: what one can ask of a machine or do to it, written once. Command line,
// help, completion, menus, palette, `:done`, tools of agents, ways out, manual and reference follow
// from its entry.

import * as v from "valibot";
import type { Arguments, Exclusions, GivenOf, Needs, ValuesOf } from "./argument.ts";
import { type IdKind, vmIn } from "../queries/ids.ts";
import type { Query } from "../queries/query.ts";
import type { TableName } from "../queries/tables.ts";
import type { Row, Selected } from "../queries/table.ts";
import type { MarkNote, Move } from "../queries/move.ts";
import type { StopChange } from "../queries/stop-rule.ts";
import type { TraceKind } from "../../machine/abi/trace.ts";
import type { Hint } from "../../kit/support/text/hint.ts";

/** Bytes of a message: more than any queue or request to the Resource Manager takes. */
export const MESSAGE_MAX = 1 << 16;

/** An action of any kind. */
export interface AnyAction {
  readonly kind: string;
}

/** Something that a command has the session do: a request, to which the client adds its number. */
export type Step =
  | { readonly kind: "act"; readonly action: AnyAction }
  | { readonly kind: "input"; readonly console: string; readonly bytes: Uint8Array }
  | { readonly kind: "pause" | "resume" }
  | { readonly kind: "move"; readonly to: Move }
  | { readonly kind: "mark" } & MarkNote
  | { readonly kind: "stop-rule"; readonly change: StopChange }
  | { readonly kind: "trace"; readonly kinds: readonly TraceKind[] };

/** How the rows of an answer are printed. */
export interface Printed {
  /** The text of a row, unless columns or a form are chosen. */
  readonly text?: (row: Row) => string;
  /** Each row in full, not as a list, unless columns or a form are chosen. */
  readonly full?: true;
  /** Text without rows and without a filter; by default the table's, or that no rows match. */
  readonly none?: string;
  /**
   * Rows rise in a column: `--follow` prints those that come. One with another time than before is
   * that of another life of its VM, whose rows begin again.
   */
  readonly follows?: Followed;
  /** Exit code 1 with `rows` (`mem check`), or with `none`: the named object does not exist. */
  readonly fails?: "rows" | "none";
  /** The argument with the VM that the rows are of: without rows, an unknown VM is an error. */
  readonly ofVm?: string;
  /** The command that lists such objects, for an error about one that is not there. */
  readonly list?: string;
}

/** The column in which rows rise, and that of the time of each. */
export interface Followed {
  readonly column: string;
  readonly time: string;
}

/** A text that is asked for before a menu's line does something. */
interface Prompt {
  /** The sign of the line, for an object. */
  readonly sign: (id: string) => string;
  /** The argument that it fills. */
  readonly fills: string;
}

/** The question before a change: its effect, and what is lost. */
export interface Question {
  readonly question: string;
  /** The action in a few words: `stop vm:ping`. */
  readonly act: string;
  readonly effect: string;
  readonly lost: string;
  /** Parts that no change removes; by default consoles and events. */
  readonly stays?: string;
  /** The message once the machine has taken it; by default that it is done. */
  readonly taken?: string;
}

/** Parts that no change of the machine removes. */
export const BACK = "consoles and events; t goes back to before it";

/** VMs that the others need. */
const PLATFORM: ReadonlySet<string> = new Set(["host", "rm"]);

/** Why a VM cannot be ended; undefined if it can. */
export const neededVm = (id: string): string | undefined => PLATFORM.has(vmIn(id) ?? "") ? `other VMs need ${id}` : undefined;

/** Conditions for a menu's line to be available. */
export interface Circumstances {
  readonly readOnly: boolean;
  /** The machine has ended. */
  readonly ended: boolean;
  /** An earlier place of the run is shown. */
  readonly past: boolean;
  readonly hasConsole: (vm: string) => boolean;
}

/** A line of the menus of an object: the command on it. */
interface MenuLine {
  /** Its stable name, where it is not the command's. */
  readonly name?: string;
  /** Kinds of ids that it is for. */
  readonly on: readonly IdKind[];
  /** Its letter. */
  readonly key: string;
  readonly label: string;
  /** It begins at the present, whatever place of the run is shown. */
  readonly fromNow?: true;
  /** The question before it: each line that changes the machine has one. */
  asks?(id: string, typed: string): Question;
  /** Why it cannot be done; undefined if it can. */
  disabled?(id: string, circumstances: Circumstances): string | undefined;
}

/** With the command's arguments for an object that is selected: all, or those before a prompt. */
export type ObjectMenu<A extends Arguments = Arguments> =
  & MenuLine
  & (
    | { of(id: string, selected: Selected): GivenOf<A>; readonly prompt?: undefined }
    | { of(id: string, selected: Selected): Partial<GivenOf<A>>; readonly prompt: Prompt }
  );

/** An entry. With neither `ask` nor `steps`, the program has its own way to run it. */
export interface Command<A extends Arguments = Arguments> {
  /** `queue.flush`: `el2 queue flush`. */
  readonly name: string;
  readonly doc: string;
  readonly args: A;
  /** Whether it changes the machine; `notes`: only what other clients of the session see. */
  readonly right: "looks" | "notes" | "changes";
  /** Groups of arguments of which one at most may be given. */
  readonly excludes?: readonly (readonly string[])[];
  /** Arguments that need another one. */
  readonly needs?: readonly (readonly [string, string])[];
  /**
   * Things of Gunyah that it is about. A machine that starts at EL2 has another hypervisor and none
   * of them: there the command is refused.
   */
  readonly ofGunyah?: string;
  /** For its help, without `el2`; after three spaces a remark. */
  readonly examples: readonly string[];
  /** More of its help, above the examples. */
  readonly notes?: string;
  /** Its rows are a list: it takes columns, a form and `--watch`. */
  readonly lists?: true;
  /** Its requests to the session, in order. */
  steps?(values: ValuesOf<A>): readonly Step[];
  /** Its question, after its steps. */
  ask?(values: ValuesOf<A>): Query | undefined;
  /** How it prints the answer. */
  printed?(values: ValuesOf<A>): Printed;
  /** The message once its steps are done. */
  done?(values: ValuesOf<A>): string;
  /** The command that follows it, and its effect in words: `goes there`. */
  next?(values: ValuesOf<A>): { readonly hint: Hint; readonly does: string };
  readonly menus?: readonly ObjectMenu<A>[];
  /** Tables that have not its name, with the arguments for which it prints their rows. */
  readonly prints?: { readonly [N in TableName]?: Partial<GivenOf<A>> };
}

/** A command's entry, in which the names of arguments are checked. */
interface CommandEntry<A extends Arguments> extends Omit<Command<A>, "name" | "excludes" | "needs"> {
  readonly excludes?: Exclusions<A>;
  readonly needs?: Needs<A>;
}

/** Declares a command. */
export function command<const A extends Arguments>(name: string, entry: CommandEntry<A>): Command<A> {
  return { name, ...entry };
}

/** Declares a kind of actions beside its command, by its fields; `actions.ts` lists all. */
export function action<const K extends string, const E extends v.ObjectEntries>(kind: K, fields: E) {
  type Fields = Readonly<v.InferOutput<v.StrictObjectSchema<E, undefined>>>;
  return {
    kind,
    schema: v.strictObject({ kind: v.literal(kind), ...fields }),
    /** The action with these fields. */
    of: (given: Fields): Fields & { readonly kind: K } => ({ kind, ...given }),
  };
}

/** The step of an action. */
export const act = (action: AnyAction): readonly Step[] => [{ kind: "act", action }];
/** The step of a move. */
export const move = (to: Move): readonly Step[] => [{ kind: "move", to }];

/** A group of commands: its name, and its help. */
export interface Group {
  readonly name: string;
  readonly doc: string;
}
