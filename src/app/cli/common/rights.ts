// The Deno permissions of each process of el2: a process gives up those that it does not need
// before it runs a guest. The worker that runs guests has none
// (`session/worker/rights/worker-rights.ts`). Without the flag that this needs, it has those of its
// process.

import { plannedDevices, type SessionPlan } from "../../../model/plans/plan.ts";
import { allowHugePages } from "../../../kit/support/computer/huge-pages.ts";

/** A right that a process of el2 can have. */
export type Right = "read" | "write" | "env" | "net" | "run";

/**
 * Rights that no process of el2 needs any more, however it was started; `ffi` has gone to the
 * worker that starts first (`session/worker/rights/worker-rights.ts`).
 */
const NEVER = ["ffi", "sys", "import"] as const;

/** Every kind of right that Deno knows. */
export const ALL_RIGHTS = ["read", "write", "env", "net", "run", ...NEVER] as const;

/**
 * Commands that start programs: an editor, sessions, mke2fs, QEMU. A word that is not a command
 * may be an option of the demo, which has a screen.
 */
const STARTING = new Set([
  "boot",
  "run",
  "up",
  "attach",
  "open",
  "replay",
  "snapshot",
  "guests",
  "mcp",
  "bench",
  "tour",
  "doctor",
  "publish",
]);

/** Commands that read the images of guests, into huge pages. */
const READING = new Set(["boot", "run"]);

/** A kind of process, for `el2 doctor --rights`. */
export interface ProcessRights {
  readonly id: string;
  readonly rights: readonly Right[];
  /** Purpose of the rights that not every process has. */
  readonly why: string;
}

/** The processes of el2. */
export const PROCESS_RIGHTS: readonly ProcessRights[] = [
  {
    id: "screen",
    rights: ["read", "write", "env", "net", "run"],
    why: "net: its session's socket, NAT, vsock, gdb; run: editor, sessions in the background",
  },
  { id: "headless", rights: ["read", "write", "env", "net"], why: "net: NAT, vsock, gdb" },
  {
    id: "session",
    rights: ["read", "write", "env"],
    why: "net until its socket listens; longer with a network card or vsock",
  },
  { id: "command", rights: ["read", "write", "env", "net"], why: "net: the session's socket" },
  {
    id: "starter",
    rights: ["read", "write", "env", "net", "run"],
    why: `run, for ${[...STARTING].join(", ")}: sessions, dpkg, mke2fs, QEMU, tmux`,
  },
];

/** Gives up rights for the rest of the process. */
export function giveUp(...rights: readonly (Right | typeof NEVER[number])[]): void {
  for (const name of rights) Deno.permissions.revokeSync({ name });
}

/** Gives up what a command line does not need. */
export function giveUpFor([command]: readonly string[]): void {
  if (command !== undefined && READING.has(command)) allowHugePages();
  giveUp(...NEVER);
  if (command === undefined || !/^[a-z]/.test(command) || STARTING.has(command)) return;
  giveUp("run");
}

/** Whether the machine of a plan connects to something, or may once it is loaded. */
export function needsNetwork(plan: SessionPlan): boolean {
  return plan.from !== undefined ||
    plannedDevices(plan).some((device) => device.kind === "vsock" || device.kind === "net" && device.backend !== "none");
}
