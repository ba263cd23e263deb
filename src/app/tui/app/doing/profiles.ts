// The flame graph of the run so far: counted aside, one view after the other.

import type { AppServices } from "../services/app-services.ts";
import { FlameOverlay, type ShownProfile } from "../overlays/flame-overlay.ts";
import type { FlameFrame } from "../../panes/flame.ts";
import type { Problem } from "../../../../kit/support/problem.ts";

/** Kinds of frames, in the order of their views. */
export const PROFILED = ["function", "line", "process", "wait"] as const;
export type Profiled = typeof PROFILED[number];

/** Writes the run so far as a recording, with images of its disks. */
export type SaveRun = (path: string) => Promise<Problem | undefined>;

/**
 * Repeats the run so far and counts; `tell` gets the instructions so far, and all. Ends early once
 * `signal` is aborted.
 */
export type Profiler = (
  by: Profiled,
  save: SaveRun,
  tell: (done: number, all?: number) => void,
  signal: AbortSignal,
) => Promise<{ readonly root: FlameFrame } | { readonly problem: Problem }>;

/** The units of weights. */
const UNITS: Readonly<Record<Profiled, string>> = { function: "samples", line: "instructions", process: "instructions", wait: "ns" };

export class Profiles {
  constructor(readonly app: AppServices, readonly profiler: Profiler | undefined) {}

  /** Why there can be none. */
  get off(): string | undefined {
    return this.profiler ? undefined : "off: runs cannot be repeated here";
  }

  /** Counts, and shows the graph. */
  show(by: Profiled = "function"): void {
    const { app } = this;
    if (this.off !== undefined) return app.say(`flame graph: ${this.off}`, "bad");
    void app.works.begin("flame graph", async ({ signal, tell }) => {
      tell("saving the run");
      const profile = await this.#profile(by, tell, signal);
      if ("problem" in profile) return profile;
      const known = new Map([[by, profile]]);
      const shown: FlameOverlay = new FlameOverlay(profile, { next: () => this.#next(shown, known), cancel: () => app.works.cancel() });
      return { shown };
    });
  }

  /** Shows the next view, which is counted once. */
  #next(shown: FlameOverlay, known: Map<Profiled, ShownProfile>): void {
    const { app } = this, at = PROFILED.findIndex((one) => one === shown.by), by = PROFILED[(at + 1) % PROFILED.length];
    const before = known.get(by);
    if (before) return shown.show(before);
    if (shown.progress !== undefined) return;
    void app.works.beginIn(shown, `by ${by}`, `counting by ${by}`, async ({ signal, tell }) => {
      const profile = await this.#profile(by, tell, signal);
      if ("problem" in profile) return profile.problem;
      known.set(by, profile);
      if (!signal.aborted) shown.show(profile);
      return undefined;
    });
  }

  async #profile(
    by: Profiled,
    tell: (done: number, all?: number) => void,
    signal: AbortSignal,
  ): Promise<ShownProfile | { readonly problem: Problem }> {
    if (!this.profiler) throw new Error("there is no profiler");
    const found = await this.profiler(by, (path) => this.app.asker.saveRecording(path, true), tell, signal);
    return "problem" in found ? found : { by, unit: UNITS[by], root: found.root };
  }
}
