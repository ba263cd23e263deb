// docs/reference/hypercalls.md: every hypercall with its shape and errors, made from the
// declarations. Each section of the specification, which has their semantics, is a table.

import { ErrorCode } from "../../src/machine/abi/errors.ts";
import { HYPERCALL_ERRORS } from "../../src/machine/abi/hypercall-errors.ts";
import { HVC_BASE, type HypercallName, HYPERCALLS, type HypercallSignature, SMCCC_BASE } from "../../src/machine/abi/hypercalls.ts";

const hex = (value: number) => `0x${value.toString(16)}`;

export function hypercallReference(): string {
  const names = (Object.keys(HYPERCALLS) as HypercallName[]).sort((a, b) => HYPERCALLS[a].number - HYPERCALLS[b].number);
  const codes = Object.entries(ErrorCode).map(([name, code]) => `| ${code} | ${name} |`);
  const sections = [...new Set(names.map((name) => HYPERCALL_ERRORS[name].section))].sort(bySection);
  return [
    "# Hypercalls",
    "",
    "Generated from the declarations that decode, encode and trace them (`src/machine/abi/hypercalls.ts`, `src/machine/abi/hypercall-errors.ts`).",
    "The sections of the specification say what each call does.",
    "",
    `\`HVC #(${hex(HVC_BASE)} + n)\` with arguments from X0; or SMCCC function ${hex(SMCCC_BASE)} + n with arguments from X1. X0 is the`,
    "error of every call but hypervisor_identify, results follow. `cap` is a capability id, `res0` and `res1` are reserved: all zeros, all ones.",
    "",
    ...sections.flatMap((section) => table(section, names.filter((name) => HYPERCALL_ERRORS[name].section === section))),
    "## Errors",
    "",
    "| Code | Name |",
    "|---|---|",
    ...codes,
    "",
  ].join("\n");
}

/** Orders `hypervisor 4.9` before `hypervisor 4.10`. */
const bySection = (a: string, b: string) => a.localeCompare(b, "en", { numeric: true });

function table(section: string, names: readonly HypercallName[]): string[] {
  return [
    `## ${linkOf(section)}`,
    "",
    "| n | Call | Arguments | Results | Errors |",
    "|---|---|---|---|---|",
    ...names.map(row),
    "",
  ];
}

/** A link to the section that `hypervisor 4.1` names, with its title. */
function linkOf(section: string): string {
  const [book, number] = section.split(" ");
  const text = Deno.readTextFileSync(new URL(`../../docs/spec/${book}.md`, import.meta.url));
  const heading = [...text.matchAll(/^#+ (.*)$/gm)].map(([, heading]) => heading).find((heading) => heading.split(/\.? /, 1)[0] === number);
  if (heading === undefined) throw new Error(`docs/spec/${book}.md has no section ${number}`);
  const anchor = heading.toLowerCase().replaceAll(/[^\p{L}\p{N} _-]/gu, "").replaceAll(" ", "-");
  return `[${heading}](../spec/${book}.md#${anchor})`;
}

function row(name: HypercallName): string {
  const { number, arguments: args, results }: HypercallSignature = HYPERCALLS[name];
  const { errors, unreachable } = HYPERCALL_ERRORS[name];
  const fields = (all: Readonly<Record<string, string>>) =>
    Object.entries(all).map(([field, kind]) => `${field} \`${kind}\``).join(", ") || "none";
  const never = Object.entries(unreachable).map(([error, why]) => `${error} (${why})`).join(", ");
  const cell = `${errors.join(", ") || "none"}${never && `; specified, but not possible on el2: ${never}`}`;
  return `| ${hex(number)} | ${name} | ${fields(args)} | ${fields(results)} | ${cell} |`;
}
