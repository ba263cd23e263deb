// `[[ui.command]]`: the user's programs, in the menu of actions, in the palette and on keys.
// The fields of the selected row are in their arguments and their environment; no shell reads them.

import type { AppServices } from "../services/app-services.ts";
import { DangerOverlay } from "../overlays/danger.ts";
import { LinesOverlay, type MenuItem } from "../overlays/overlay.ts";
import type { Choice } from "../overlays/palette.ts";
import type { FileCommand } from "../../../configuration/keys/commands.ts";
import { kindOf, nameOf, vmId, vmIn } from "../../../../model/queries/ids.ts";
import type { Json, Selected } from "../../../../model/queries/table.ts";
import { shellQuoted } from "../../../../kit/support/text/shell.ts";

/** Output and end of a command's program. */
export interface CommandOutput {
  /** Why it failed; undefined for exit code 0. */
  readonly problem: string | undefined;
  readonly output: string;
  readonly cut: boolean;
}

/** Fields of the selected row, by name. */
export type RowFields = Readonly<Record<string, Json>>;

/** Starts the program of a command with these words; `fields`: of the selected row. */
export type RunCommand = (command: FileCommand, run: readonly string[], fields: RowFields | undefined) => Promise<CommandOutput>;

/** The commands of the user. */
export class OwnCommands {
  readonly #running = new Set<string>();

  constructor(
    readonly app: AppServices,
    readonly commands: readonly FileCommand[],
    readonly start: RunCommand | undefined,
  ) {}

  /** Runs the command of a key, if one has it for the selected row; says whether one does. */
  key(name: string): boolean {
    const command = this.commands.find(({ key, where }) => key === name && this.#suits(where));
    if (command) this.#begin(command);
    return command !== undefined;
  }

  /** Those for the selected row, as lines of the menu of actions. */
  items(danger: boolean): MenuItem[] {
    return this.commands.filter(({ where, confirm }) => this.#suits(where) && (!danger || confirm)).map((command) => ({
      key: command.key,
      label: command.name,
      detail: shellText(command.run),
      reason: this.#reason(command),
      danger: command.confirm,
      run: () => this.#begin(command),
    }));
  }

  /** Those for the selected row, as lines of the palette. */
  choices(): Choice[] {
    return this.commands.filter(({ where }) => this.#suits(where)).map((command) => ({
      text: command.name,
      detail: shellText(command.run),
      key: command.key,
      off: this.#reason(command),
      run: () => this.#begin(command),
    }));
  }

  get #selection(): Selected | undefined {
    return this.app.windows.focus.selection;
  }

  /** A command without kinds is for every screen. */
  #suits(where: readonly string[] | undefined): boolean {
    const selected = this.#selection;
    return where === undefined || selected !== undefined && where.some((kind) => kind === kindOf(selected.row.id));
  }

  #reason({ read_only }: FileCommand): string | undefined {
    return this.app.readOnly && !read_only ? "off: read-only" : undefined;
  }

  #begin(command: FileCommand): void {
    const { app } = this, { name } = command;
    const selected = this.#selection, fields = selected && fieldsOf(selected), reason = this.#reason(command);
    if (reason !== undefined || !this.start) return app.say(`${name}: ${reason ?? "programs cannot run here"}`, "bad");
    if (this.#running.has(name)) return app.say(`${name} is still running`, "warn");
    const filled = withFields(command.run, fields);
    if ("problem" in filled) return app.say(`${name}: ${filled.problem}`, "bad");
    if (!command.confirm) return void this.#run(command, filled.words, fields);
    app.show(
      new DangerOverlay({
        question: selected && command.where ? `Run ${name} on ${selected.row.id}?` : `Run ${name}?`,
        act: `run ${name}`,
        effect: "Starts this program of yours on this computer.",
        lost: "what the program changes",
        stays: "everything else",
        command: shellText(filled.words),
      }, () => void this.#run(command, filled.words, fields)),
    );
  }

  async #run(command: FileCommand, words: readonly string[], fields: RowFields | undefined): Promise<void> {
    const { app } = this, { name, output: shown } = command;
    this.#running.add(name);
    app.say(`${name}: running …`);
    const { problem, output, cut } = await this.start!(command, words, fields);
    this.#running.delete(name);
    const lines = output.replaceAll("\t", "    ").trimEnd().split("\n");
    const last = lines.at(-1), outcome = problem ?? "done";
    if (shown === "pane" && output.trim() !== "") {
      const texts = cut ? [...lines, "… more output was dropped"] : lines;
      app.show(new LinesOverlay(`${name}  ${outcome}`, texts.map((text) => ({ text }))));
    }
    const detail = last && (shown === "message" || problem !== undefined) ? `: ${last}` : "";
    app.say(`${name}: ${outcome}${detail}`, problem === undefined ? "ok" : "failed");
    app.changed();
  }
}

/** The fields of a row; each has the VM and the name that are in its id. */
export function fieldsOf({ row }: Pick<Selected, "row">): RowFields {
  const vm = vmIn(row.id);
  return { name: nameOf(row.id), ...vm !== undefined && { vm: vmId(vm) }, ...row };
}

/**
 * The words of a command with the fields of a row for `{FIELD}`; `{{` is a brace. A field stays in
 * its word, whatever it contains, and cannot make an option of it.
 */
export function withFields(
  run: readonly string[],
  fields: RowFields | undefined,
): { readonly words: readonly string[] } | { readonly problem: string } {
  const words: string[] = [];
  for (const word of run) {
    let problem: string | undefined;
    const filled = word.replaceAll(/\{\{|\{([a-z_]+)\}/g, (whole, field?: string) => {
      if (field === undefined) return "{";
      const value = fields?.[field];
      if (value === undefined) {
        const known = fields && Object.keys(fields).join(", ");
        problem ??= fields ? `this row has no field ${whole}; use one of ${known}` : `${whole} needs a selected row`;
        return "";
      }
      return value === null ? "" : typeof value === "object" ? JSON.stringify(value) : String(value);
    });
    if (problem === undefined && filled.includes("\0")) problem = `a field of ${JSON.stringify(word)} has a NUL character`;
    if (problem === undefined && filled.startsWith("-") && !word.startsWith("-")) {
      problem = `${JSON.stringify(word)} would be the option ${JSON.stringify(filled)}; put it after an option, such as "--name={id}"`;
    }
    if (problem !== undefined) return { problem };
    words.push(filled);
  }
  return { words };
}

/** Words as a shell would read them, for display; placeholders in braces stay as they are. */
function shellText(words: readonly string[]): string {
  return words.map((word) => /^[\w@%+=:,./{}-]+$/.test(word) ? word : shellQuoted(word)).join(" ");
}
