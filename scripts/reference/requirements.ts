// The page of what must hold before the engine runs.

import { amount, BOUNDS, boundText, CONDITIONS } from "../../src/kit/support/computer/needs.ts";

export function requirementReference(): string {
  const lines = [
    "# Requirements",
    "",
    "Generated from the table that the launchers and `el2 doctor` check (`src/kit/support/computer/needs.ts`). Before the engine (Deno with V8) starts on",
    "Linux, `deno task`, the launcher of `deno task install`, the one file, and the packages for Debian and npm look at all of this. Where",
    "something does not hold, they print one line, `el2: PROBLEM; REMEDY`, and end with exit code 1. N stands for the limit that was found.",
    "",
    "| Needed | Problem | Remedy |",
    "|---|---|---|",
  ];
  for (const bound of BOUNDS) {
    lines.push(`| ${bound.what} (${bound.by}): ${amount(bound.least, bound.unit)} | \`${boundText(bound, "N")}\` | \`${bound.wayOut}\` |`);
  }
  for (const [name, { says, wayOut }] of Object.entries(CONDITIONS)) {
    lines.push(`| ${NEEDED[name as keyof typeof NEEDED]} | \`${says}\` | \`${wayOut}\` |`);
  }
  return `${lines.join("\n")}\n`;
}

const NEEDED: Readonly<Record<keyof typeof CONDITIONS, string>> = {
  folder: "a current folder",
  proc: "/proc",
  code: "memory that can be made executable",
  loader: "glibc 2.27 or later",
};
