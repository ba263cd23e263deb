// The guests of classes of verdicts, built once for a file of tests, and systems
// of one of them.

import assert from "node:assert/strict";
import type { GuestSystem } from "../../src/session/assembly/system/guest-system.ts";
import { buildGuest } from "../../scripts/guests.ts";
import { nativeProgram } from "../../scripts/native-tools.ts";
import type { VerdictFact } from "../../src/model/queries/facts/verdict.ts";
import { demoSystem, rows } from "../session/inspection/system.ts";

/** How a VM of a guest is configured. */
export interface Setting {
  readonly vcpus?: number;
  readonly cmdline?: string;
  readonly keys?: string;
  /** Rules of faults from the start. */
  readonly inject?: readonly string[];
}

export class ClassGuests {
  private constructor(readonly folder: string, readonly names: readonly string[]) {}

  /** Builds the guests of `guests/NAME.c`; the folder goes when the tests end. */
  static async build(source: "classes" | "sources" | "peers" | "ends"): Promise<ClassGuests> {
    const path = new URL(`guests/${source}.c`, import.meta.url).pathname;
    const folder = await Deno.makeTempDir({ prefix: "el2-classes-" });
    globalThis.addEventListener("unload", () => Deno.removeSync(folder, { recursive: true }));
    const [, list] = /enum guest \{([^}]*)\}/.exec(await Deno.readTextFile(path)) ?? assert.fail("no enum guest");
    const names = list.replaceAll(/\/\/.*/g, "").split(",").map((name) => name.trim()).filter((name) => name !== "");
    await buildGuest(path, `${folder}/linked.elf`, `${folder}/guest.bin`);
    // The image lies at the VM's base; its file is linked at 0.
    const args = ["--change-addresses=0x80000000", `${folder}/linked.elf`, `${folder}/guest.elf`];
    assert.ok((await new Deno.Command(await nativeProgram("aarch64-linux-gnu-objcopy"), { args }).output()).success);
    return new ClassGuests(folder, names);
  }

  /** A VM whose guest is this one. */
  vm(guest: string, { vcpus = 1, cmdline = "", keys = "" }: Setting = {}, name = "x"): string {
    const number = this.names.indexOf(guest);
    assert.ok(number >= 0, guest);
    return `[vm.${name}]\nimage = "guest.bin"\nsymbols = "guest.elf"\nmemory = "4MiB"\nvcpus = ${vcpus}\n` +
      `cmdline = "case=${number} ${cmdline}"\n${keys}\n`;
  }

  configuration(sections: string): string {
    return `el2 = 1\n[machine]\ncpus = 4\n${sections}`;
  }

  /** A machine of these sections of a configuration. */
  system(sections: string, inject?: readonly string[]): Promise<GuestSystem> {
    return demoSystem(this.configuration(sections), inject, this.folder);
  }
}

/** The verdict on a VM now, as its row. */
export function verdictOn(system: GuestSystem, vm: string) {
  return rows(system, "diagnose", { filter: `id=vm:${vm}` })[0];
}

/** Whether a value has what is expected of it; texts match regular expressions too. */
export function fits(value: unknown, expected: unknown): boolean {
  if (expected instanceof RegExp) return typeof value === "string" && expected.test(value);
  if (Array.isArray(expected)) {
    return Array.isArray(value) && value.length === expected.length && expected.every((one, index) => fits(value[index], one));
  }
  if (typeof expected !== "object" || expected === null) return value === expected;
  return typeof value === "object" && value !== null &&
    Object.entries(expected).every(([key, one]) => fits((value as Record<string, unknown>)[key], one));
}

/** Parts of a fact: its code, and those of its values that matter. */
export type FactPart = { readonly code: VerdictFact["code"] } & Readonly<Record<string, unknown>>;
