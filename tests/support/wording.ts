// Wording that el2's documents, help and screens avoid, as data: a pattern, the advice that a
// finding prints, and a text on either side of the line, which tests/house/wording_test.ts holds.
// To keep a phrase out, add an entry; to check more texts, pass them to `wordingFindings`.

/** A phrase to avoid. */
export interface WordingPattern {
  /** What to look for, in plain text without line breaks, code spans and link targets. */
  readonly pattern: RegExp;
  /** What to write instead. */
  readonly advice: string;
  /** A text with the phrase. */
  readonly bad: string;
  /** A text that comes close, and is fine. */
  readonly good: string;
}

const UNIT =
  "files?|rows?|lines?|blocks?|events?|pages?|bytes?|words?|tables?|bits?|folders?|slots?|process(?:es)?|frames?|columns?|tests?|records?|rules?|calls?|steps?";
const PER =
  "line|group|class|field|action|region|step|turn|file|page|row|object|frame|message|input|kernel|call|instruction|column|event|kind|session|console|device|command|screen|VM|vCPU|CPU|run";

export const PATTERNS: readonly WordingPattern[] = [
  {
    pattern:
      /(?<!\b[tT]here )\b(?:is|are|was|were) no (?!longer\b|more\b|less\b|fewer\b|different\b|better\b|one\b|evidence\b|proof\b|guarantee\b)\w+/,
    advice: "is not a …",
    bad: "a mapped address that is no RAM",
    good: "There is no ramdisk, and there are no modules; it is no longer open",
  },
  {
    pattern: /\b(?:[Gg]oes|go|went|gone|going) on\b(?! (?:the|a|an|its|their|this|that|each|top|screen)\b)/,
    advice: "continues",
    bad: "the machine goes on",
    good: "messages go on the queue; it continues",
  },
  {
    pattern: /\b(?:stands?|stood)\b(?!-| (?:for|out)\b)|\bstanding (?:behind|beside|in|at|there|here|still|below|above|before)\b/,
    advice: "is, is listed, comes after, is paused",
    bad: "the reasons stand in a table",
    good: "an object that stands for a range; a line that stands out",
  },
  {
    pattern: /\bbehind (?:what|which|that of|the (?:last|first|next|other|event|command|option|value|exit|bytes?|header))\b/,
    advice: "after",
    bad: "an event behind that of the step before",
    good: "devices behind virtio-mmio, a network behind NAT",
  },
  { pattern: /\b(?:tells?|told|says?|said) of\b/, advice: "reports, shows", bad: "what a file says of itself", good: "said often" },
  {
    pattern: new RegExp(`\\b(?:an?|one|two|three|five|many|\\d+) (?:${UNIT}) an? (?:${PER})\\b`),
    advice: "per",
    bad: "a file a group, 2,000 bytes a frame",
    good: "one file per group; give one line to a file",
  },
  {
    pattern: /\bone a (?:line|row|page|file|step|column)\b|\b\d[\d.,]* (?:ns|µs|ms|KiB|MiB) an? \w+/,
    advice: "per",
    bad: "guests, one a line; 1 ns an instruction",
    good: "one per line; a page of 4 KiB",
  },
  {
    pattern: /\b(?:once|twice|times|bytes|frames|events) a second\b/,
    advice: "per second",
    bad: "at most 4 times a second",
    good: "a second time; 3.2 per second",
  },
  {
    pattern: /\b(?:is|are|was|were|be|been|never|not|only) looked at\b|\blooks (?:only )?at\b|\b(?:a|two|last) looks? at\b/,
    advice: "checked, read, measured, searched",
    bad: "before its kind is looked at; a client looks at the owner",
    good: "look at the interrupt controller",
  },
  {
    pattern: /\b(?:is|are|was|were) none of (?:a|its|the|this|our)\b/,
    advice: "is not one of",
    bad: "the tag is none of its",
    good: "none of its frames is open",
  },
  { pattern: /\b(?:come|comes|came) of (?:it|that|this)\b/, advice: "the result", bad: "what came of it", good: "it came of age" },
  {
    pattern: /\b[Nn]othing of (?:it|that|them)\b/,
    advice: "no part of it; it leaves no file",
    bad: "nothing of it stays",
    good: "none of its files stays",
  },
  {
    pattern: /\b(?:\d[\d,.]* \w+|one|something|instructions|connections|messages|calls|rings) an? (?:nanosecond|second|minute|hour)\b/,
    advice: "per second",
    bad: "512 connections a second",
    good: "one second; 512 connections per second; a second one",
  },
  {
    pattern: /\bbehind (?:(?:it|its|the|an?) )?(?:info page|image|header|capabilities|breakpoint|list)\b/,
    advice: "after",
    bad: "memory behind its image",
    good: "the wall behind the door, a network behind NAT",
  },
  {
    pattern: /\b(?:is|are|was|were) there(?: again| already)?(?=$|[.,;:])/,
    advice: "exists, is set",
    bad: "once the answers are there",
    good: "how many are there? there is one",
  },
  { pattern: /\bfor people\b(?! who\b)/, advice: "for display", bad: "names, for people and debuggers", good: "for people who learn" },
  { pattern: /\bat hand\b/, advice: "available", bad: "the tools at hand", good: "the tools on hand-held devices" },
  { pattern: /\b(?:by|of) (?:its|their|his) own will\b/, advice: "by itself", bad: "each VM ended by its own will", good: "its will" },
  {
    pattern: /\b(?:is|are|was|were)(?: \w+)? to be seen\b/,
    advice: "visible; what should happen",
    bad: "what is then to be seen",
    good: "it has to be seen",
  },
  {
    pattern:
      /\bof (?:its|their) own(?=$|[.,;:)]| (?:and|or|the|in|on|at|to|for|with|which|that|is|are|here|there|beside|by|from|as|than)\b)/,
    advice: "its own …",
    bad: "a process of its own",
    good: "its own process; the mapping of its own extent",
  },
  {
    pattern: /\bof (?:\w+ ){0,2}\w+'s own(?=$|[.,;:)]| (?:and|or|that|which|in|on|at|to|for|with|is|are|has|while|as)\b)/,
    advice: "el2's own …, in el2 itself",
    bad: "an ioctl of el2's own",
    good: "the tables of the guest's own kernel",
  },
  { pattern: /\bin (?:the |an? )?[\w-]+'s place\b/, advice: "instead of", bad: "a link in the folder's place", good: "an entry's place" },
  { pattern: /\bshall\b/, advice: "must, or the present tense", bad: "the VM that shall stop", good: "a shallow copy" },
  {
    pattern: /\bas far as\b(?! possible\b)/,
    advice: "the … that; up to; if",
    bad: "the bytes, as far as there is room",
    good: "as far as possible",
  },
  {
    pattern: /[;.] [Ee]lse (?!if\b)/,
    advice: "otherwise",
    bad: "the machine waits for it; else it loses output",
    good: "the largest that fits, else the default",
  },
  {
    pattern: /\bwhat would (?:is|are)\b/,
    advice: "name the thing: anything that would change it is refused",
    bad: "what would is refused",
    good: "what would wake it",
  },
  {
    pattern: /\b(?:in|takes?|took|taking) (?:the )?place of\b/,
    advice: "instead of; replaces",
    bad: "a program in place of instructions",
    good: "the first place of the list",
  },
  {
    pattern: /\b(?:Esc|q|ctrl-\S+) leaves\b|\bleaves? with (?:exit )?(?:code )?\d/,
    advice: "quits, cancels, exits with",
    bad: "Esc leaves",
    good: "a scenario leaves a recording",
  },
  { pattern: /\bkept from\b/, advice: "prevented; blocked", bad: "none is kept from coming", good: "what it kept" },
  {
    pattern: /(?:^|\s)\.\.(?! \d)(?=[\s,;:)]|$)|[a-z]\.\.(?! \d)(?=[\s,;:)]|$)/,
    advice: "… or rephrase",
    bad: "fetching ..",
    good: "1..8, 0 lowest .. 63 highest, SPIs 0.., …",
  },
  { pattern: /\b(?:go|goes|went|gone|going) wrong\b/, advice: "fails; fault", bad: "what goes wrong", good: "the wrong way" },
  { pattern: /\b(?:accesses|access) to nothing\b/, advice: "access to an unmapped address", bad: "accesses to nothing", good: "access to" },
  { pattern: /\b[Oo]therwise than\b/, advice: "deviations from; unlike", bad: "Otherwise than designed", good: "otherwise, then" },
  { pattern: /\b[Ww]here nothing is said\b/, advice: "by default", bad: "10 s where nothing is said", good: "where it is said" },
  { pattern: /\bnothing passes\b/, advice: "no rows match", bad: "nothing passes the filter", good: "no rows match the filter" },
  { pattern: /\bat most so many\b/, advice: "at most this many", bad: "at most so many rows", good: "at most this many rows" },
  { pattern: /\bgives? way\b/, advice: "yields", bad: "the vCPU gives way", good: "gives a way" },
  { pattern: /\bgo(?:es)? its (?:\w+'s )?way\b/, advice: "follows", bad: "a replay goes its way", good: "on its way" },
  { pattern: /\b(?:are|is) told (?:at once|by|in|how|that)\b/, advice: "is reported", bad: "errors are told at once", good: "the told" },
  { pattern: /^let\b/, advice: "the verb itself", bad: "let operations fail", good: "outlet" },
  {
    pattern:
      /(?:^|[.!?] )(?:What|Who|Whoever|Whatever) (?!happens\b)(?:is|are|has|had|would|\w+s|[\w']+ (?:has|had|may|must|can|does|did))\b[^?.]*\.(?= |$)/,
    advice: "begin the sentence with a noun",
    bad: "What misses the table is slow.",
    good: "What is a parcel? A range that a VM lends.",
  },
  {
    pattern:
      /\b\w*(?:colour|behaviour|neighbour|favour|honour|catalogue|signall|travell|licence|centre|grey|artefact|synchronis|initialis|recognis|normalis|serialis|organis|whilst)\w*/i,
    advice: "American spelling",
    bad: "its behaviour",
    good: "its behavior",
  },
];

/** Phrases that comments avoid in addition: documents may ask "What is a parcel?". */
export const COMMENT_PATTERNS: readonly WordingPattern[] = [
  {
    pattern: /^(?:@returns? |@param \S+ )?(?:What|Who|Whom|Whose|Whatever|Whoever)\b/,
    advice: 'begin with a noun: "The reader\'s cursor"',
    bad: "What a reader asks",
    good: "The question of a reader",
  },
  {
    pattern: /(?:[.;:] |— )(?:What|Who|Whoever|Whatever) (?!happens\b)[^?]*$/,
    advice: "begin the sentence with a noun",
    bad: "Cached for an hour. What is older goes",
    good: "Cached for an hour. Older entries go",
  },
  {
    pattern: /(?:^|[.;:] )(?:Somebody|Nobody|Everybody|People) /,
    advice: "name the role: the user, a client, the guest",
    bad: "Somebody looks from now on",
    good: "A client watches from now on",
  },
  {
    pattern: /(?<!\b(?:are|is|as|not) )\bso (?:many|much)\b(?! (?:as|that|more|less)\b)/,
    advice: "this many, this much",
    bad: "sleeps for so many ms",
    good: "there are so many that it is full",
  },
  {
    pattern: /\b(?:is|are) told (?:of|about)\b|\bis told (?:what|why|when)\b/,
    advice: "is called with, is notified of",
    bad: "@param problem is told what the guest did",
    good: "@param problem is called with the guest's error",
  },
  {
    pattern: /\b(?:what|or why|and why)(?: is)? wrong with (?:it|them|that|the \w+)\b/,
    advice: "its defect, the error in it",
    bad: "@throws Error that says what is wrong with it",
    good: "@throws Error that names the defect",
  },
  {
    pattern: /@throws (?:[^.]*\s)?where\b|\b(?:[Uu]ndefined|[Ff]alse|null|empty|-1),? where\b/,
    advice: "if",
    bad: "the guest of this name; undefined where the cache has none",
    good: "undefined if the cache has none; the place where it is damaged",
  },
  {
    pattern: /\b(?:what|that|which|(?:if|where|when|that) it|the (?:pane|text|packet|value|place)) (?:is|are) none(?=[.;,)]|$)/,
    advice: "is not one, or the noun",
    bad: "undefined where it is none",
    good: "why there is none; the default is none",
  },
];

export interface WordingFinding {
  readonly phrase: string;
  readonly advice: string;
}

/** The phrases of a text that are to be avoided: one line of prose, a label, a message. */
export function wordingFindings(text: string, patterns: readonly WordingPattern[] = PATTERNS): WordingFinding[] {
  return patterns.flatMap(({ pattern, advice }) => {
    const found = pattern.exec(text);
    return found ? [{ phrase: found[0].trim(), advice }] : [];
  });
}

/** A paragraph, list item, heading or table cell of a Markdown document, in one line. */
export interface Prose {
  readonly text: string;
  /** The line at which it begins, from 1. */
  readonly line: number;
}

/** The prose of a Markdown document: no code blocks, code spans, link targets and HTML comments. */
export function proseOf(markdown: string): Prose[] {
  const prose: { text: string; line: number }[] = [];
  let fenced = false, open = false;
  for (const [index, raw] of markdown.split("\n").entries()) {
    if (/^\s*```/.test(raw)) {
      fenced = !fenced;
      open = false;
      continue;
    }
    if (fenced || (!open && /^ {4}/.test(raw))) continue;
    const line = raw.trim();
    if (line === "" || /^<!--/.test(line)) {
      open = false;
    } else if (/^#{1,6} /.test(line)) {
      prose.push({ text: line.replace(/^#+ /, ""), line: index + 1 });
      open = false;
    } else if (line.startsWith("|")) {
      for (const cell of line.split("|")) prose.push({ text: cell.trim(), line: index + 1 });
      open = false;
    } else if (open && !/^(?:[-*]|\d+\.) /.test(line)) {
      prose.at(-1)!.text += " " + line;
    } else {
      prose.push({ text: line.replace(/^(?:[-*]|\d+\.) /, ""), line: index + 1 });
      open = true;
    }
  }
  return prose.map(({ text, line }) => ({ text: plain(text), line }));
}

/** A text without code and names of parameters. */
export function withoutCode(text: string): string {
  return text.replaceAll(/`[^`]*`/g, "`code`").replace(/^@param \S+/, "@param code");
}

function plain(text: string): string {
  return withoutCode(text).replaceAll(/\]\([^)]*\)/g, "]").replaceAll(/[*_[\]!]/g, "");
}
