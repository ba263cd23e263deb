// The maker of recordings and snapshots: version, commit and engine of an el2. The engine is a
// digest of everything that decides a run, besides its plan and its inputs; only the engine that
// made a recording gives the same run.

import { CHECKOUT } from "./checkout.ts";
import { headCommit } from "./git-head.ts";
import { BUILD, programChanged, sourcesDigest } from "../program-identity.ts";
import { VERSION } from "../version.ts";

/**
 * The sources that decide a run: rooms, folders and files below src/ (tests/house/engine_test.ts).
 * Screens, commands and readers do not.
 */
export const ENGINE: readonly string[] = [
  ...["cpu/core", "cpu/isa"],
  ...["machine/abi", "machine/devices", "machine/devicetree", "machine/hardware", "machine/host", "machine/hypervisor"],
  ...["machine/platform", "machine/resource-manager", "machine/virtio"],
  ...["kit/formats", "kit/support/values"],
  // The machine of a plan, and the meaning of rules of faults.
  ...["app/configuration", "inside/images", "model/plans", "model/queries/fault-rule.ts"],
  ...["session/assembly", "session/engine", "session/outside", "session/recordings", "session/snapshots", "session/state"],
  // How a recorded action is carried out.
  "session/inspection/rules",
];

/** Hexadecimal digits of an id. */
const ID_LENGTH = 16;

/** The el2 that made a file. */
export interface Maker {
  /** Version of el2. */
  readonly version: string;
  /** The engine's id; undefined if the sources changed after the program had started. */
  readonly engine?: string | undefined;
  /** Commit that the program was built from, or that its checkout has, perhaps with changes. */
  readonly commit?: string | undefined;
  /** Whether the build was released under its version. */
  readonly released?: true | undefined;
}

let own: Maker | undefined;

/** This el2. A program that runs from its sources reads them for this, when it is first asked. */
export function thisMaker(): Maker {
  return own ??= made();
}

function made(): Maker {
  const commit = BUILD.commit ?? (CHECKOUT && headCommit(CHECKOUT)), released = BUILD.releases === undefined ? undefined : true;
  const engine = programChanged(performance.timeOrigin, ENGINE) ? undefined : engineIn(ENGINE);
  return { version: VERSION, ...engine && { engine }, ...commit && { commit }, ...released && { released } };
}

/** The id that these sources give. */
export function engineIn(sources: readonly string[]): string {
  return sourcesDigest(sources).slice(0, ID_LENGTH);
}

const FORMS = {
  version: /^\d[\w.+-]{0,39}$/,
  engine: /^[0-9a-f]{16}$/,
  commit: /^[0-9a-f]{40}$/,
} as const;

/**
 * The maker of a file by its header, which anybody may have written: a value of another form is
 * not known.
 */
export function makerOf(header: Readonly<Record<string, unknown>>): Maker {
  const known = (name: keyof typeof FORMS) => {
    const value = header[name];
    return typeof value === "string" && FORMS[name].test(value) ? value : undefined;
  };
  const engine = known("engine"), commit = known("commit");
  return {
    version: known("version") ?? "of an unknown version",
    ...engine && { engine },
    ...commit && { commit },
    ...header.released === true && { released: true },
  };
}

/** The sentence that a file is of another engine than this one; undefined if it is of the same. */
export function otherEngine(file: string, maker: Maker): string | undefined {
  const own = thisMaker();
  if (maker.engine !== undefined && maker.engine === own.engine) return undefined;
  return `${file} was made by another engine: ${makerText(maker)}; this is ${makerText(own)}`;
}

/** `el2 0.1.0, engine 1a2b.., commit 3c4d..`. */
export function makerText({ version, engine, commit }: Maker): string {
  return [`el2 ${version}`, engine === undefined ? "an unknown engine" : `engine ${engine}`, ...commit ? [`commit ${commit}`] : []].join(
    ", ",
  );
}
