// docs/reference/hypercalls.md: every hypercall with its shape and errors, made from the
// declarations.

import { ErrorCode } from "../../src/abi/errors.ts";
import { HYPERCALL_ERRORS } from "../../src/abi/hypercall-errors.ts";
import { HVC_BASE, type HypercallName, HYPERCALLS, type HypercallSignature, SMCCC_BASE } from "../../src/abi/hypercalls.ts";

const hex = (value: number) => `0x${value.toString(16)}`;

export function hypercallReference(): string {
  const names = (Object.keys(HYPERCALLS) as HypercallName[]).sort((a, b) => HYPERCALLS[a].number - HYPERCALLS[b].number);
  const codes = Object.entries(ErrorCode).map(([name, code]) => `| ${code} | ${name} |`);
  return [
    "# Hypercalls",
    "",
    "Generated from the declarations that decode, encode and trace them (`src/abi/hypercalls.ts`, `src/abi/hypercall-errors.ts`).",
    "",
    `\`HVC #(${hex(HVC_BASE)} + n)\` with arguments from X0; or SMCCC function ${hex(SMCCC_BASE)} + n with arguments from X1. X0 is the`,
    "error of every call but hypervisor_identify, results follow. `cap` is a capability id, `res0` and `res1` are reserved: all zeros, all ones.",
    "",
    ...names.flatMap(section),
    "## Errors",
    "",
    "| Code | Name |",
    "|---|---|",
    ...codes,
    "",
  ].join("\n");
}

function section(name: HypercallName): string[] {
  const { number, arguments: args, results }: HypercallSignature = HYPERCALLS[name];
  const { section, errors, unreachable } = HYPERCALL_ERRORS[name];
  const fields = (all: Readonly<Record<string, string>>) =>
    Object.entries(all).map(([field, kind]) => `${field} \`${kind}\``).join(", ") || "none";
  const never = Object.entries(unreachable).map(([error, why]) => `${error} (${why})`);
  return [
    `## ${name}`,
    "",
    `n = ${hex(number)}, ${section}.`,
    "",
    `- Arguments: ${fields(args)}`,
    `- Results: ${fields(results)}`,
    `- Errors: ${errors.join(", ") || "none"}`,
    ...never.length ? [`- Specified, but not possible on el2: ${never.join(", ")}`] : [],
    "",
  ];
}
