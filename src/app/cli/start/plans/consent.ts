// The user's consent that a plan from a file uses resources of this computer: by option, from the
// store of consents, or asked for on the terminal.

import { resolve } from "node:path";
import { consent, hasConsent } from "./consent-store.ts";
import { Failure } from "../../common/failure.ts";
import {
  beyondFolder,
  type Consent,
  type HostPath,
  type HostResource,
  isPath,
  type PlanSource,
  resourceText,
  resourceTexts,
} from "../../../../model/plans/host-resources.ts";
import type { PlanReader } from "../../../configuration/plan-run.ts";
import { isWithin } from "../../../../kit/support/files/real-place.ts";
import { sayOnStderr } from "../../../../kit/support/warn.ts";

/** Words of `--allow-host` that are not paths. */
const ALL = "all", NET = "net";
const WAY_OUT = `allow them with --allow-host PATH (the place, not a link to it), --allow-host ${NET} or --allow-host ${ALL}`;
/** Bytes of an answer. */
const ANSWER = 64;

/** The consent that `--allow-host` gives; beyond it, the user is asked. */
export function hostConsent(allowed: readonly string[] = [], ask: (text: string) => boolean = asked): Consent {
  return (source, resources) => {
    const wanted = resources.filter((resource) => !isAllowed(resource, allowed));
    if (wanted.length === 0) return;
    const known = consentText(source, wanted);
    if (hasConsent(source.path, known)) return;
    const texts = resourceTexts(wanted), what = `${source.kind} ${source.path}: its machine needs host resources`;
    if (!ask([`${what}:`, ...texts.map((text) => `  ${text}`)].join("\n"))) throw new Failure(`${what}: ${texts.join(", ")}`, WAY_OUT);
    consent(source.path, known);
  };
}

/** The user has typed what a command plans; a configuration among it needs consent. */
export function typedBy(allowed: readonly string[] | undefined): PlanReader {
  return { consent: hostConsent(allowed) };
}

/** The same for a machine without connections. */
export function aloneBy(allowed: readonly string[] | undefined): PlanReader {
  return { ...typedBy(allowed), alone: true };
}

/**
 * Checks what the machine of a file's plan uses.
 * @throws Failure without consent
 */
export function checkUse(source: PlanSource, resources: readonly HostResource[], given: Consent): void {
  const wanted = beyondFolder(source.folder, resources);
  if (wanted.length > 0) given(source, wanted);
}

/** A path of the option is a place: a link in it, which may be a stranger's, is not followed. */
function isAllowed(resource: HostResource, allowed: readonly string[]): boolean {
  if (allowed.includes(ALL)) return true;
  if (!isPath(resource)) return allowed.includes(NET);
  return allowed.some((path) => isWithin(resource.place, resolve(path)));
}

/** The subject of a consent: another content, another resource or another place of it has none. */
function consentText({ content }: PlanSource, wanted: readonly HostResource[]): string {
  return [content(), ...wanted.map(subject)].join("\0");
}

/** A file by its place: its spelling is part of the content. */
function subject(resource: HostResource): string {
  return isPath(resource) ? JSON.stringify([resource.kind, resource.place, resource.written]) : resourceText(resource);
}

/**
 * The files of this computer that may be copied into a recording or a page, of those that it names.
 * Their names are shown whole, and the answer counts once: they may be other files the next time.
 * @param copy the command and its copy, as the question names them
 */
export function mayCopy(copy: string, files: readonly HostPath[], allowed: readonly string[] = []): readonly HostPath[] {
  const [may, wanted] = [true, false].map((is) => files.filter((file) => isAllowed(file, allowed) === is));
  if (wanted.length === 0) return files;
  return asked([`${wouldHave(copy)}:`, ...wanted.map((file) => `  ${resourceText(file)}`)].join("\n"), "Copy them? [y/N]") ? files : may;
}

const wouldHave = (copy: string): string => `${copy} would have these files of this computer`;

/**
 * Checks that all of these files may be copied.
 * @throws Failure without consent
 */
export function checkCopied(copy: string, files: readonly HostPath[], allowed: readonly string[] = []): void {
  const may = mayCopy(copy, files, allowed), wanted = files.filter((file) => !may.includes(file)), what = wouldHave(copy);
  if (wanted.length === 0) return;
  throw new Failure(
    `${what}: ${resourceTexts(wanted).join(", ")}`,
    `allow them with --allow-host PATH (a file or folder) or --allow-host ${ALL}`,
  );
}

/** Asks on the terminal; without one the answer is no. */
function asked(text: string, last = "Allow this as long as the file does not change? [y/N]"): boolean {
  if (!Deno.stdin.isTerminal() || !Deno.stderr.isTerminal()) return false;
  const question = `el2: ${text}\n${last}`;
  for (const line of question.split("\n")) sayOnStderr(line);
  const bytes = new Uint8Array(ANSWER), count = Deno.stdin.readSync(bytes) ?? 0;
  return /^y(es)?\s*$/i.test(new TextDecoder().decode(bytes.subarray(0, count)));
}
