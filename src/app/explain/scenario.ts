// A scenario that shows what a log has: the mystery of its first cause, or a fault that makes the
// same call fail in the demo.

import type { Explanation } from "./explain.ts";
import type { Ranked } from "./rank.ts";
import type { Explained, SignValues } from "./forms/sign.ts";

/** The mysteries of this program. */
export interface Mysteries {
  /** The files of a mystery's folder by their names; undefined if there is none. */
  readonly files: (folder: string) => ReadonlyMap<string, Uint8Array> | undefined;
  /** The path from the copies to a file of the program, such as `assets/guests/hello.bin`. */
  readonly ownFile: (path: string) => string;
}

export interface ShownScenario {
  readonly text: string;
  /** Files beside it, in the folder that it names: configurations, and what they name. */
  readonly files: ReadonlyMap<string, Uint8Array>;
}

const SCENARIO = "mystery.test.toml";

/** Messages of a VM's start, which the demo's host sends for each VM. */
const OF_START: ReadonlySet<string> = new Set(["MEM_LEND", "VM_CONFIG_IMAGE", "VM_INIT", "VM_GET_HYP_RESOURCES", "VM_START"]);
/** Requests of a VM's start, which the demo's host makes for each VM. */
const CALLS: ReadonlySet<string> = new Set(["GH_CREATE_VM", "GH_VM_SET_DTB_CONFIG", "GH_VM_START", "GH_VM_ADD_FUNCTION"]);

/**
 * The scenario; undefined if nothing of the log can be shown.
 * @param folder the name of the folder for its files
 */
export function scenarioOf({ causes, files, lines }: Explanation, folder: string, mysteries: Mysteries): ShownScenario | undefined {
  const head = (text: string) => [`# ${text}`, ...files.map((file) => `# From: ${file.replaceAll(/[^\x20-\x7e]/g, "?")}`), ""].join("\n");
  for (const { cause } of causes) {
    const shown = cause.mystery === undefined ? undefined : mysteries.files(cause.mystery), text = shown && textOf(shown, SCENARIO);
    if (shown === undefined || text === undefined) continue;
    const body = text.replace(/^(?:#.*\n)+/, "").replaceAll(/^(boot = ")([^"]+\.toml")/gm, `$1${folder}/$2`);
    return { text: `${head(`${cause.id}: ${cause.says}`)}${body}`, files: copied(shown, mysteries) };
  }
  const fault = faultOf([...causes.flatMap((one: Ranked) => one.lines), ...lines]);
  if (fault === undefined) return undefined;
  const text = `${head("The same refusal in the demo.")}el2_test = 1
inject = [${JSON.stringify(fault.rule)}]

[[step]]
boot = "demo"

[[step]]
expect_why = ${JSON.stringify(`call=${fault.call}`)}
within = "1s"
`;
  return { text, files: new Map() };
}

function textOf(files: ReadonlyMap<string, Uint8Array>, name: string): string | undefined {
  const bytes = files.get(name);
  return bytes && new TextDecoder().decode(bytes);
}

/** The files of a mystery; configurations name the program's guests from their new place. */
function copied(files: ReadonlyMap<string, Uint8Array>, { ownFile }: Mysteries): ReadonlyMap<string, Uint8Array> {
  const copies = [...files].filter(([name]) => !name.endsWith(".test.toml") && !name.endsWith(".md"));
  return new Map(copies.map(([name, bytes]) => {
    if (!name.endsWith(".toml")) return [name, bytes];
    const text = new TextDecoder().decode(bytes).replace(/^#:schema .*\n/, "").replaceAll(
      /\.\.\/\.\.\/\.\.\/(assets\/[\w./-]+)/g,
      (_, path) => ownFile(path),
    );
    return [name, new TextEncoder().encode(text)];
  }));
}

/** The rule that refuses what a line says was refused, and the request that fails by it. */
function faultOf(lines: readonly Explained[]): { rule: string; call: string } | undefined {
  for (const { sign: { kind, values } } of lines) {
    const { message, error, call, errno }: SignValues = values;
    if (kind === "rpc" && OF_START.has(String(message)) && error !== undefined) {
      return { rule: `rpc msg=${message} -> ${error}`, call: "GH_VM_START" };
    }
    if (kind === "call" && CALLS.has(String(call)) && errno !== undefined) {
      return { rule: `ioctl name=${call} -> ${errno}`, call: String(call) };
    }
  }
  return undefined;
}
