// The keys of `[[ui.command]]`: the user's programs, which the screens start. Only the user's own
// file has them (`src/app/cli/start/look/own-commands.ts`).

import * as v from "valibot";
import { entriesOf, keysOf } from "./key.ts";
import { boolean, mustBe, oneOf, outsideOf, text } from "./values.ts";
import { facts } from "../../../kit/support/values/described.ts";
import { DURATION_PATTERN, parseDuration } from "../../../kit/support/text/units.ts";

/** Words of a program, and characters of one: a command line of Linux has 2 MiB in all. */
const WORDS_MAX = 64;
const WORD_MAX = 4096;
/** Names of commands. */
const NAME = /^[a-z][a-z0-9-]*$/;
/** Kinds of the ids of rows: `vm:rt` is of the kind vm. */
const KIND = /^[a-z]+$/;
/** How long a program may run: ns. */
const TIMEOUT_MIN = 1e8, TIMEOUT_MAX = 6e11;

const name = v.pipe(text, v.regex(NAME, "is not of the form [a-z][a-z0-9-]*"));

const words = v.pipe(
  v.array(v.pipe(text, v.maxLength(WORD_MAX, `has more than ${WORD_MAX} characters`)), mustBe('a list of words, such as ["echo", "hi"]')),
  v.minLength(1, "names no program"),
  v.maxLength(WORDS_MAX, `has more than ${WORDS_MAX} words`),
  v.check(([program]) => program !== "", "names no program"),
  v.check((words) => !words.some((word) => word.includes("\0")), "has a NUL character"),
);

const timeout = v.pipe(
  v.string(mustBe("a duration", '"10s"')),
  facts({ pattern: DURATION_PATTERN }),
  v.rawTransform<string, number>(({ dataset, addIssue, NEVER }) => {
    const ns = parseDuration(dataset.value);
    if (ns !== undefined && ns >= TIMEOUT_MIN && ns <= TIMEOUT_MAX) return ns / 1e6;
    addIssue({ message: ns === undefined ? mustBe("a duration", '"10s"') : outsideOf("100ms..10min") });
    return NEVER;
  }),
);

/** Places for a program's output. */
const OUTPUTS = ["pane", "message", "none"] as const;

const COMMAND = keysOf({
  name: { type: name, doc: "its name in menus and messages" },
  key: { type: v.optional(v.pipe(text, v.minLength(1, "is not a key"))), doc: "a key that starts it" },
  where: {
    type: v.optional(v.array(v.pipe(text, v.regex(KIND, 'is not a kind of ids, such as "vm"')), mustBe("a list of kinds of ids"))),
    doc: "kinds of ids of the rows that have it, such as vm; without it, every screen",
  },
  run: {
    type: v.pipe(words, v.check(([program]) => !program.includes("{"), "has a field in the name of its program")),
    doc: "the program and its arguments; {FIELD} is a field of the selected row",
  },
  confirm: { type: v.optional(boolean, false), doc: "ask first" },
  output: { type: v.optional(oneOf(OUTPUTS), "pane"), doc: "where its output is shown" },
  timeout: { type: v.optional(timeout, "30s"), doc: "wall time after which it is ended" },
  read_only: { type: v.optional(boolean, false), doc: "true: it changes nothing, and also runs in a read-only session" },
});
const command = v.object(entriesOf(COMMAND));

/** `[[ui.command]]`. */
export const commands = v.optional(v.array(command, mustBe("a list of tables [[ui.command]]")), []);
/** One `[[ui.command]]`; `timeout` in ms of wall time. */
export type FileCommand = v.InferOutput<typeof command>;
export const COMMAND_KEYS: readonly string[] = Object.keys(COMMAND);
