// Commands and hooks of a session: from the user's own `~/.config/el2/ui.toml`, and from its
// configuration, if the user has trusted that. No other file can have el2 run a program.

import { dirname } from "node:path";
import { ask } from "./ask.ts";
import { trust, trustedFolder } from "./trust.ts";
import { hasUserFile, userFile } from "./user-file.ts";
import { Failure } from "../common/failure.ts";
import { checkedFilter } from "../common/values.ts";
import { readConfig } from "../../configuration/config.ts";
import type { FileCommand, FileHook } from "../../configuration/program-keys.ts";
import { type FilePrograms, readUserFile } from "../../configuration/user-file.ts";
import { EVENTS } from "../../queries/tables.ts";
import { isOfSystem } from "../../support/system-error.ts";
import { NotOurs, readTrustedText } from "../../support/own-files.ts";

/** A command, and the file that it is from. */
export interface OwnCommand extends FileCommand {
  /** Where its program starts. */
  readonly folder: string;
  /** Why it cannot run. */
  readonly off?: string;
}

/** A hook, and where its program starts. */
export interface OwnHook extends FileHook {
  readonly folder: string;
}

/** The programs of a session. */
export interface OwnPrograms {
  readonly commands: readonly OwnCommand[];
  readonly hooks: readonly OwnHook[];
  /** Why some of them do not run. */
  readonly note?: string;
}

/**
 * Treatment of a configuration that is not trusted. `ask`: on a terminal the user is asked,
 * elsewhere it is refused. `pass`: its programs do not run; the caller has asked already.
 */
export type Untrusted = "ask" | "pass";

/**
 * The programs of a session.
 * @param configuration absolute path of its configuration, if it has one
 * @throws Failure
 */
export function ownPrograms(configuration: string | undefined, untrusted: Untrusted): OwnPrograms {
  const own = ownFile(), given = configuration === undefined ? undefined : ofConfiguration(configuration, untrusted);
  const commands = [...own.commands, ...given?.commands ?? []], hooks = [...own.hooks, ...given?.hooks ?? []];
  return { commands, hooks, note: given?.note };
}

function ownFile(): OwnPrograms {
  const file = userFile();
  if (file === undefined || !hasUserFile()) return { commands: [], hooks: [] };
  try {
    const read = readUserFile(file, readTrustedText(file));
    if ("errors" in read) throw new Failure(read.errors.join("\n     "));
    return checked(file, read, Deno.cwd());
  } catch (error) {
    if (error instanceof NotOurs || error instanceof Error && isOfSystem(error)) throw new Failure(error.message);
    throw error;
  }
}

/** The programs that the text of a configuration names. */
export function programsOf(text: string): FilePrograms {
  const result = readConfig(text);
  const config = result.ok ? result.config : result.rest;
  return { commands: config?.file.ui.command ?? [], hooks: config?.file.hook ?? [] };
}

function ofConfiguration(file: string, untrusted: Untrusted): OwnPrograms | undefined {
  // The text that is trusted is the text that is read: the file may change in between.
  const text = textOf(file);
  if (text === undefined || !/hook|command/.test(text)) return undefined;
  const programs = programsOf(text);
  const count = programs.commands.length + programs.hooks.length;
  if (count === 0) return undefined;
  const trusted = trustedFolder(file, text);
  if (trusted !== undefined) return checked(file, programs, trusted);
  const way = `read it, then: el2 trust ${file}`;
  if (untrusted === "ask") {
    if (!Deno.stdin.isTerminal() || !Deno.stderr.isTerminal()) throw new Failure(`${file} runs programs and is not trusted; ${way}`);
    if (ask(`${file} runs programs:\n${programLines(programs).join("\n")}\nTrust it?`)) {
      return checked(file, programs, trust(file, text));
    }
  }
  const off = `not trusted; el2 trust ${file}`, folder = dirname(file);
  const note = `${file} is not trusted, so its commands and hooks do not run; ${way}`;
  return { commands: programs.commands.map((command) => ({ ...command, folder, off })), hooks: [], note };
}

/** A file that is gone has no programs. */
function textOf(file: string): string | undefined {
  try {
    return Deno.readTextFileSync(file);
  } catch (error) {
    if (error instanceof Error && isOfSystem(error)) return undefined;
    throw error;
  }
}

/** Programs as a user reads them before trusting a file: a line each, every word quoted. */
export function programLines({ commands, hooks }: FilePrograms): string[] {
  const words = (run: readonly string[]) => run.map((word) => JSON.stringify(word)).join(" ");
  return [
    ...commands.map(({ name, run }) => `  command ${name}: ${words(run)}`),
    ...hooks.map(({ name, on, run }) => `  hook ${name}, on ${JSON.stringify(on)}: ${words(run)}`),
  ];
}

/** @throws Failure for a filter that is wrong */
function checked(file: string, { commands, hooks }: FilePrograms, folder: string): OwnPrograms {
  for (const { name, on } of hooks) checkedFilter(`${file}: hook ${name}: on`, on, EVENTS);
  return {
    commands: commands.map((command) => ({ ...command, folder })),
    hooks: hooks.map((hook) => ({ ...hook, folder })),
  };
}
