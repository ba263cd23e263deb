// `el2 reference personas`: the generations of the Gunyah driver side by side, as
// `src/machine/abi/ioctl/personas.ts` declares them.

import type { ReferencePage } from "./page.ts";
import { printListing } from "../../common/list-options.ts";
import { output } from "../../common/print.ts";
import { GH, GH_ANDROID, GH_LEGACY, GH_V6 } from "../../../../machine/abi/ioctl/gunyah.ts";
import { type Persona, PERSONA_NAMES, PERSONAS } from "../../../../machine/abi/ioctl/personas.ts";
import type { Request } from "../../../../machine/abi/ioctl/request.ts";
import { formatId } from "../../../../model/queries/ids.ts";
import { documentText, type FieldsOf, listingOf, PERSONA } from "../../../../model/queries/documents.ts";
import type { Json } from "../../../../model/queries/table.ts";

export const PERSONAS_PAGE: ReferencePage = {
  name: "personas",
  doc: "print the generations of the Gunyah driver side by side: request codes, checks, order of calls",
  words: [],
  form: "list",
  examples: ["personas", "personas --json | jq 'select(.name == \"v14\").requests'"],
  async print(_, options) {
    const make = () => PERSONA_NAMES.map((name) => personaAsJson(PERSONAS[name]));
    await printListing(listingOf(PERSONA, "there is no generation"), options, make, (rows) => {
      if (!options.json) return output(`${personasAsText()}\n`);
      for (const row of rows) output(`${documentText(PERSONA, row)}\n`);
    });
  },
};

/** A generation as plain data. */
export function personaAsJson({ memory, devicetree, functions, requests, ...persona }: Persona): FieldsOf<typeof PERSONA> {
  return {
    id: formatId({ kind: "persona", name: persona.name }),
    name: persona.name,
    title: persona.title,
    device: persona.device,
    requests: requests.map(requestAsJson),
    unknown_request: persona.unknownRequest,
    memory: rulesAsJson(memory),
    devicetree: rulesAsJson(devicetree),
    functions: functions ? rulesAsJson(functions) : null,
    vmid_at_create: persona.vmidAtCreate,
    start: persona.start,
    start_again: persona.startAgain,
    any_rm_error_is_invalid: persona.anyRmErrorIsInvalid,
    teardown: persona.teardown,
    stop_reason: persona.stopReason,
    asks_own_vmid: persona.asksOwnVmid,
    loses_failed_vmid: persona.losesFailedVmid,
    protected_as_parcel: persona.protectedAsParcel,
  };
}

/** Rules by JSON name: `uniqueLabels` becomes `unique_labels`; null: no such check. */
function rulesAsJson(rules: Persona["memory"] | Persona["devicetree"] | NonNullable<Persona["functions"]>): Json {
  const named = (name: string) => name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
  return Object.fromEntries(Object.entries<Json | undefined>({ ...rules }).map(([name, value]) => [named(name), value ?? null]));
}

/** A request as plain data. */
export function requestAsJson({ name, code, on, struct }: Request): Readonly<Record<string, Json>> {
  const fields = struct?.fields.map(({ name, offset, type }) => ({
    name,
    offset,
    type: typeof type === "string" ? type : `${type.array}[${type.length}]`,
  }));
  return {
    name,
    code: `0x${code.toString(16).padStart(8, "0")}`,
    on,
    ...struct && { struct: { name: struct.name, size: struct.size, fields: fields ?? [] } },
  };
}

type PersonaRow = readonly [title: string, value: (persona: Persona) => string];

/** The code of the first of these requests that the generation has. */
function codeOf(...requests: Request[]): PersonaRow[1] {
  return (persona) => {
    const request = requests.find((each) => persona.requests.includes(each));
    return request ? `0x${request.code.toString(16)}` : "-";
  };
}

const yes = (value: boolean) => value ? "yes" : "no";

const ROWS: readonly PersonaRow[] = [
  ["CREATE_VM", codeOf(GH.CREATE_VM, GH_V6.CREATE_VM, GH_LEGACY.CREATE_VM)],
  ["SET_USER_MEM_REGION", codeOf(GH.SET_USER_MEM_REGION, GH_V6.SET_USER_MEM_REGION)],
  ["LEND_USER_MEM", codeOf(GH_ANDROID.LEND_USER_MEM)],
  ["CREATE_GUEST_MEM", codeOf(GH.CREATE_GUEST_MEM)],
  ["MAP_MEM", codeOf(GH.MAP_MEM)],
  ["SET_DTB_CONFIG", codeOf(GH.SET_DTB_CONFIG, GH_V6.SET_DTB_CONFIG)],
  ["START", codeOf(GH.START, GH_V6.START)],
  ["ADD_FUNCTION", codeOf(GH.ADD_FUNCTION)],
  ["RUN", codeOf(GH.RUN, GH_LEGACY.RUN)],
  ["memory changes hands", ({ memory }) => memory.given],
  ["size 0 deletes", ({ memory }) => yes(memory.deleteBySize0)],
  ["wrap is EOVERFLOW", ({ memory }) => yes(memory.wrapChecked)],
  ["label used once", ({ memory }) => yes(memory.uniqueLabels)],
  ["memory limit", ({ memory }) => yes(memory.limited)],
  ["creator only", ({ memory }) => yes(memory.callerChecked)],
  ["shared is executable", ({ memory }) => yes(memory.sharedExecutable)],
  ["VMID allocated", ({ vmidAtCreate }) => vmidAtCreate ? "at create" : "at START"],
  ["START again", ({ startAgain }) => startAgain],
  ["RM errors", ({ anyRmErrorIsInvalid }) => anyRmErrorIsInvalid ? "EINVAL" : "by table"],
  ["vCPU descriptors", ({ functions }) => yes(functions !== undefined)],
  ["resume action", ({ functions }) => yes(functions?.resumeAction === true)],
];

/** The table, a column a generation, and the orders of START below. */
export function personasAsText(): string {
  const shown = PERSONA_NAMES.map((name) => PERSONAS[name]);
  const columns = [["", ...ROWS.map(([title]) => title)]];
  for (const persona of shown) columns.push([persona.name, ...ROWS.map(([, value]) => persona.device ? value(persona) : "-")]);
  const widths = columns.map((cells) => Math.max(...cells.map((cell) => cell.length)));
  const lines = [...ROWS, 0].map((_, row) => columns.map((cells, column) => cells[row].padEnd(widths[column])).join("  ").trimEnd());
  const orders = shown.filter(({ start }) => start.length > 0).flatMap(({ name, title, start, teardown }) => [
    `${name}: ${title}`,
    `  START     ${start.join(", ")}`,
    `  teardown  ${teardown.join(", ")}`,
  ]);
  return [...lines, "", ...orders].join("\n");
}
