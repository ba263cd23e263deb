// Wording that el2's documents, help and screens avoid, as data: a pattern, the advice that a
// finding prints, and a text on either side of the line, which tests/house/wording_test.ts holds.
// These are the sixteen that readers stumble over most; to add one, take another out.

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
    pattern:
      /\bbehind (?:(?:it|its|the|an?) )?(?:what|which|that of|last|first|next|other|event|command|option|value|exit|bytes?|header|info page|image|capabilities|breakpoint|list)\b/,
    advice: "after",
    bad: "an event behind that of the step before; memory behind its image",
    good: "devices behind virtio-mmio, a network behind NAT",
  },
  { pattern: /\b(?:tells?|told|says?|said) of\b/, advice: "reports, shows", bad: "what a file says of itself", good: "said often" },
  {
    pattern: new RegExp(
      `\\b(?:an?|one|two|three|five|many|\\d+) (?:${UNIT}) an? (?:${PER})\\b|\\b(?:once|twice|times|bytes|frames|events) a second\\b`,
    ),
    advice: "per",
    bad: "a file a group, 2,000 bytes a frame",
    good: "one file per group; give one line to a file",
  },
  { pattern: /\bfor people\b(?! who\b)/, advice: "for display", bad: "names, for people and debuggers", good: "for people who learn" },
  { pattern: /\bat hand\b/, advice: "available", bad: "the tools at hand", good: "the tools on hand-held devices" },
  {
    pattern:
      /\bof (?:its|their) own(?=$|[.,;:)]| (?:and|or|the|in|on|at|to|for|with|which|that|is|are|here|there|beside|by|from|as|than)\b)/,
    advice: "its own …",
    bad: "a process of its own",
    good: "its own process; the mapping of its own extent",
  },
  {
    pattern: /\b(?:in|takes?|took|taking) (?:the )?place of\b/,
    advice: "instead of; replaces",
    bad: "a program in place of instructions",
    good: "the first place of the list",
  },
  { pattern: /\bkept from\b/, advice: "prevented; blocked", bad: "none is kept from coming", good: "what it kept" },
  {
    pattern: /(?:^|\s)\.\.(?! \d)(?=[\s,;:)]|$)|[a-z]\.\.(?! \d)(?=[\s,;:)]|$)/,
    advice: "… or rephrase",
    bad: "fetching ..",
    good: "1..8, 0 lowest .. 63 highest, SPIs 0.., …",
  },
  {
    pattern:
      /(?:^|[.!?] )(?:What|Who|Whoever|Whatever) (?!happens\b)(?:is|are|has|had|would|\w+s|[\w']+ (?:has|had|may|must|can|does|did))\b[^?.]*\.(?= |$)/,
    advice: "begin the sentence with a noun",
    bad: "What misses the table is slow.",
    good: "What is a parcel? A range that a VM lends.",
  },
  { pattern: /\b[Mm]end(?:s|ed|ing)?\b/, advice: "fix", bad: "mend the pointer", good: "amend or recommend it" },
  { pattern: /\b[Rr]esource manager/, advice: "Resource Manager", bad: "the resource manager refuses", good: "the Resource Manager" },
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
