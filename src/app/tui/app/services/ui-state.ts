// The user's settings of the screens of a session, kept by its name between runs: screen, filters,
// folds, colors.

import type { KeptMark } from "../../look/vm-marks.ts";

/** It. Plain data. */
export interface UiState {
  readonly screen: string;
  /** Where dividers were put (`Windows.sizes`). */
  readonly sizes: Readonly<Record<string, number>>;
  /** Filters by screen and pane: `2/vcpus`. */
  readonly filters: Readonly<Record<string, string>>;
  readonly folded: readonly string[];
  /** Undefined unless the user has chosen one. */
  readonly theme: string | undefined;
  /** Letters and colors of VMs, by name. */
  readonly vms: Readonly<Record<string, KeptMark>>;
}

/** The state that a file's text says; undefined if it says none. */
export function parseUiState(text: string): UiState | undefined {
  let value: Partial<UiState> | null;
  try {
    value = JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
  if (typeof value?.screen !== "string" || !Array.isArray(value.folded) || typeof value.filters !== "object") return undefined;
  const theme = typeof value.theme === "string" ? value.theme : undefined;
  const filters = Object.entries(value.filters ?? {}).filter(([, filter]) => typeof filter === "string");
  const folded = value.folded.filter((name) => typeof name === "string");
  const isShare = (share: unknown) => typeof share === "number" && share > 0 && share < 1;
  const sizes = Object.entries(value.sizes ?? {}).filter(([, share]) => isShare(share));
  const isMark = (mark: unknown): mark is KeptMark => {
    return Array.isArray(mark) && typeof mark[0] === "string" && mark[0].length === 1 && Number.isInteger(mark[1]) && mark[1] >= 0;
  };
  const vms = Object.entries(value.vms ?? {}).filter(([, mark]) => isMark(mark));
  return {
    screen: value.screen,
    sizes: Object.fromEntries(sizes),
    filters: Object.fromEntries(filters),
    folded,
    theme,
    vms: Object.fromEntries(vms),
  };
}
