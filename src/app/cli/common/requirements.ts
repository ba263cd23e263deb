// Features of the terminal and programs that some commands need, beside el2 itself. A missing one
// is not an error.

import { characterLocale } from "../../../kit/support/text/locale.ts";
import { colorDepth } from "../../tui/terminal/color.ts";
import { hint, hintText } from "../../../kit/support/text/hint.ts";

/** One or more requirements as found on this computer, and the remedy, empty if none is needed. */
interface Requirement {
  readonly says: string;
  readonly remedy: string;
}

type Environment = (name: string) => string | undefined;

/** Programs that a command starts, with the package that has them, and the command. */
const PROGRAMS = [
  { names: ["mke2fs", "debugfs"], from: "e2fsprogs", command: hintText(hint("guests fetch", "debian", { disk: true })) },
  { names: ["gdb-multiarch", "gdb"], any: true, from: "gdb-multiarch", command: "gdb and --gdb" },
  { names: ["tshark", "wireshark"], any: true, from: "wireshark", command: "captures of trace export" },
  { names: ["qemu-system-aarch64"], from: "qemu-system-arm", command: hintText(hint("bench", { against: "qemu" })) },
] as const;

/** Colors that the environment promises, and how to have all. */
export function colorsOf(environment: Environment): Requirement {
  const depth = colorDepth(environment), term = `TERM=${environment("TERM") ?? ""}`;
  if (environment("NO_COLOR")) return { says: "no colors: NO_COLOR is set", remedy: "for colors: unset NO_COLOR" };
  if (depth === "none") return { says: `no colors: ${term}`, remedy: "for colors: export TERM=xterm-256color" };
  if (depth === "direct") return { says: `direct color, ${term}`, remedy: "" };
  return { says: `${depth} colors, ${term}`, remedy: "if the terminal has direct color: export COLORTERM=truecolor" };
}

/** The character set of the locale. */
export function localeOf(environment: Environment): Requirement {
  const { name, utf8 } = characterLocale(environment);
  if (utf8) return { says: name, remedy: "" };
  return { says: `${name || "none"}: the screens draw only ASCII`, remedy: "for lines and blocks: export LC_ALL=C.UTF-8" };
}

/**
 * Whether texts that the screens copy reach a clipboard.
 * @param setting a setting of the tmux that this runs in
 */
export async function copyingOf(environment: Environment, setting: (name: string) => Promise<string | undefined>): Promise<Requirement> {
  if (!environment("TMUX")) return { says: "y copies to the terminal's clipboard (OSC 52), if the terminal permits that", remedy: "" };
  const clipboard = await setting("set-clipboard");
  if (clipboard === "on") return { says: "y copies to tmux, set-clipboard on", remedy: "" };
  const passed = await setting("allow-passthrough");
  if (passed === "on" || passed === "all") return { says: `y copies through tmux, allow-passthrough ${passed}`, remedy: "" };
  return {
    says: `tmux takes no copies: set-clipboard ${clipboard ?? "is not known"}`,
    remedy: "to copy with y: tmux set -g set-clipboard on",
  };
}

/** Programs that are missing. @param has whether a program is installed */
export function programsOf(has: (name: string) => boolean): Requirement {
  const missing = PROGRAMS.filter(({ names, ...rest }) => "any" in rest ? !names.some(has) : !names.every(has));
  if (missing.length === 0) return { says: PROGRAMS.flatMap(({ names }) => names.filter(has)).join(", "), remedy: "" };
  const says = `not installed: ${missing.map(({ names }) => names.filter((name) => !has(name))[0]).join(", ")}`;
  const remedy = missing.map(({ from, command }) => `for ${command}: install ${from}`).join("\n");
  return { says, remedy };
}
