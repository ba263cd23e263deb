// docs/reference/ioctls.md: every request of /dev/gunyah, in each generation, and of /dev/gzvm,
// made from the declarations.

import { GZVM_REQUESTS } from "../../src/machine/abi/ioctl/geniezone.ts";
import { GH_EL2 } from "../../src/machine/abi/ioctl/gunyah.ts";
import { ALL_REQUESTS, PERSONA_NAMES, PERSONAS, personasWith } from "../../src/machine/abi/ioctl/personas.ts";
import type { Request } from "../../src/machine/abi/ioctl/request.ts";
import type { Struct } from "../../src/machine/abi/ioctl/struct.ts";

export function ioctlReference(): string {
  const gunyah = [...new Map(ALL_REQUESTS.map((request) => [request.code, request])).values()];
  const own = Object.values(GH_EL2);
  const structs = new Set([...gunyah, ...own, ...GZVM_REQUESTS].flatMap(({ struct }) => struct ? [struct] : []));
  return [
    "# ioctls",
    "",
    "Generated from the declarations that drivers and traces follow (`src/machine/abi/ioctl`). `el2 reference ioctl CODE` explains one code,",
    "`el2 reference personas` compares the generations.",
    "",
    "## Generations",
    "",
    "| Name | Is found in | Requests |",
    "|---|---|---|",
    ...PERSONA_NAMES.map((name) => `| ${name} | ${PERSONAS[name].title} | ${PERSONAS[name].requests.length} |`),
    "",
    "## /dev/gunyah",
    "",
    ...table(gunyah, (request) => personasWith(request.code).join(", ")),
    "",
    "Requests of el2 alone, which no real driver has:",
    "",
    ...table(own, () => "those with functions"),
    "",
    "## /dev/gzvm",
    "",
    ...table(GZVM_REQUESTS, () => "geniezone"),
    "",
    "## Structures",
    "",
    ...[...structs].flatMap(structSection),
  ].join("\n");
}

function table(requests: readonly Request[], of: (request: Request) => string): string[] {
  const rows = [...requests].sort((a, b) => a.code - b.code).map((request) => {
    const { name, code, on, struct } = request;
    return `| \`0x${code.toString(16).padStart(8, "0")}\` | ${name} | ${on} | ${struct ? struct.name : "a value, or none"} | ${
      of(request)
    } |`;
  });
  return ["| Code | Name | On | Argument | Generations |", "|---|---|---|---|---|", ...rows];
}

function structSection({ name, size, fields }: Struct): string[] {
  const rows = fields.map(({ name, offset, type }) =>
    `| ${offset} | ${typeof type === "string" ? type : `${type.array}[${type.length}]`} | ${name} |`
  );
  return [`### ${name}`, "", `${size} bytes.`, "", "| Offset | Type | Field |", "|---|---|---|", ...rows, ""];
}
