// Limits, memory and writable folders of the computer, for `el2 doctor` and for runs.

import { dirname } from "node:path";
import { namedCacheFolder } from "../../../kit/support/files/folder-names.ts";
import { foundLimits, groupMemory, type Limits, LIMITS_VARIABLE, lowLimits } from "../../../kit/support/computer/limits.ts";
import { amount, BOUNDS, unmetText, unmetWayOut } from "../../../kit/support/computer/needs.ts";
import { GiB, MiB, PAGE_SIZE, WASM_PAGE_SIZE } from "../../../kit/support/values/sizes.ts";
import { stateFolder } from "../../../kit/support/files/state-folder.ts";
import { isOfSystem } from "../../../kit/support/system-error.ts";

/** The result of one check. */
export interface Finding {
  readonly id: string;
  readonly ok: boolean;
  readonly says: string;
  /** The remedy, of one or more lines; empty if none is needed. */
  readonly remedy: string;
}

/** Wasm memory of a machine with 1 GiB for its guests, bytes. */
const MACHINE_SIZE = 1.25 * GiB;
/** Memory of a session besides its machine's, bytes: the engine, the program, translated code. */
const BESIDE = 128 * MiB;

/** The limits that the launcher has found; undefined if Deno was started without one. */
function limitsHere(): Limits | undefined {
  return foundLimits(Deno.env.get(LIMITS_VARIABLE));
}

/** Whether the limits of this process suffice for the engine, from the launchers' list. */
export function limits(): Finding {
  const id = "limits", found = limitsHere();
  if (found === undefined) {
    const says = "not known: only the launchers of el2 read them, and none has started this Deno";
    return { id, ok: true, says, remedy: Deno.build.os === "linux" ? "start el2 with deno task el2, or with its installed program" : "" };
  }
  const low = lowLimits(found);
  if (low.length) return { id, ok: false, says: low.map(unmetText).join(", "), remedy: low.map(unmetWayOut).join("\n") };
  const set = BOUNDS.flatMap((bound) => {
    const limit = found.get(bound.code) ?? Infinity;
    return limit === Infinity ? [] : [`${bound.what} ${amount(limit, bound.unit)} (${bound.by})`];
  });
  return { id, ok: true, says: set.join(", ") || "none is set", remedy: "" };
}

/** Whether there is memory for a machine of common size. */
export function memory(): Finding {
  const id = "memory", group = groupMemory(limitsHere());
  try {
    const pages = MACHINE_SIZE / WASM_PAGE_SIZE;
    new WebAssembly.Memory({ initial: pages, maximum: pages });
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    const remedy = "use --memory 512MiB, or raise the limits of memory: ulimit -v unlimited; ulimit -d unlimited";
    return { id, ok: false, says: "not enough for a machine with 1 GiB of RAM", remedy };
  }
  const says = "enough for a machine with 1 GiB of RAM";
  if (GiB + BESIDE <= group) return { id, ok: true, says, remedy: "" };
  const most = amount(Math.max(group - BESIDE, 0), "bytes").replace(" ", "");
  return {
    id,
    ok: true,
    says: `the control group allows ${amount(group, "bytes")}`,
    remedy: `give machines at most --memory ${most}, or allow the group more`,
  };
}

/**
 * A warning where the control group allows less than a machine may use.
 * @param memory its RAM, bytes
 */
export function groupWarning(memory: number): string | undefined {
  const group = groupMemory(limitsHere());
  if (memory + BESIDE <= group) return undefined;
  const uses = `${amount(memory, "bytes")} of RAM and ${amount(BESIDE, "bytes")} for el2 itself`;
  return `the control group allows ${amount(group, "bytes")}, and this machine may use ${uses}; the system would kill el2: ` +
    "use less --memory, or allow more";
}

/** Whether el2 can write where it keeps things. */
export function folders(): Finding {
  const id = "folders", says: string[] = [], remedies: string[] = [];
  let ok = true;
  for (
    const [what, folder, wayOut] of [
      ["cache", namedCacheFolder(), "set EL2_CACHE to a writable folder"],
      ["recordings, consents", stateFolder("recordings"), "set XDG_STATE_HOME to a writable folder"],
    ] as const
  ) {
    // A missing name of the cache folder is reported with the guests.
    const problem = folder === undefined ? undefined : writeProblem(folder);
    if (problem === undefined) continue;
    ok = false;
    says.push(`${what}: ${problem}`);
    remedies.push(wayOut);
  }
  return { id, ok, says: says.join("; ") || "cache and state can be written", remedy: remedies.join("\n") };
}

/** Why nothing can be written in a folder, or where it would be made. */
function writeProblem(folder: string): string | undefined {
  let place = folder;
  while (place !== dirname(place) && !exists(place)) place = dirname(place);
  try {
    const file = Deno.makeTempFileSync({ dir: place, prefix: ".el2-" });
    try {
      Deno.writeFileSync(file, new Uint8Array(PAGE_SIZE));
    } finally {
      Deno.removeSync(file);
    }
    return undefined;
  } catch (error) {
    if (!isOfSystem(error) || !(error instanceof Error)) throw error;
    // Deno's answer for devices and /proc names rights that el2 cannot have.
    const why = error instanceof Deno.errors.NotCapable ? "not a folder for files" : error.message.split(":")[0];
    return `${folder} cannot be written: ${why}`;
  }
}

function exists(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch (error) {
    // A folder that cannot be looked at is there: writing says why.
    if (!isOfSystem(error)) throw error;
    return !(error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory);
  }
}
