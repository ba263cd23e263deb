// The wrong configurations of tests/invalid-configs, as a JSON Schema sees them.

import type { ValidateFunction } from "ajv";
import { parse, TomlError } from "smol-toml";
import { repositoryFiles, ROOT } from "../../support/files.ts";

const INVALID = "tests/invalid-configs/";

const FILES = "a schema does not open the files that are named";
const NUMBERS = "draft 07 does not compare two values, nor numbers inside text";
const TWICE = "draft 07 does not compare the items of a list by one of their keys";
const NAMES = "draft 07 does not compare a value with the names of other tables";

/** Wrong configurations that a schema cannot refuse, with the reason. */
export const UNKNOWABLE: Readonly<Record<string, string>> = {
  "base-end.toml": NUMBERS,
  "block-image.toml": FILES,
  "catalog.toml": FILES,
  "devices-two.toml": "draft 07 does not count the items of one kind",
  "consoles-twice.toml": TWICE,
  "context-ids.toml": TWICE,
  "dtb.toml": FILES,
  "firmware-two.toml": FILES,
  "host-el2.toml": "keys that a hypervisor at EL2 does not have yet are not a matter of the form",
  "host-el2-args.toml": "whether el2 is a file depends on its value",
  "host-memory.toml": NUMBERS,
  "host-vcpus.toml": NUMBERS,
  "image-empty.toml": FILES,
  "image-folder.toml": FILES,
  "image-missing.toml": FILES,
  "kernel-no-image.toml": FILES,
  "link-label-clash.toml": NUMBERS,
  "link-self.toml": NUMBERS,
  "link-vm.toml": NAMES,
  "log.toml": FILES,
  "memory-multiple.toml": NUMBERS,
  "memory-range.toml": NUMBERS,
  "memory-sum.toml": NUMBERS,
  "rm-files.toml": FILES,
  "rm-no-elf.toml": FILES,
  "shm-vm.toml": NAMES,
  "start-after.toml": NAMES,
  "theme-prototype.toml": "the form of a name allows it",
  "vcpus-cpus.toml": NUMBERS,
  "vm-constructor.toml": "the form of a name allows it",
  "windows-eager.toml": NAMES,
};

/** Names of the wrong configurations that a schema accepts, sorted. */
export function acceptedBy(validate: ValidateFunction): string[] {
  const accepted = [...repositoryFiles(INVALID, ".toml")].filter((path) => {
    try {
      return validate(parse(Deno.readTextFileSync(new URL(path, ROOT))));
    } catch (error) {
      // Invalid TOML never reaches a schema.
      if (!(error instanceof TomlError)) throw error;
      return false;
    }
  });
  return accepted.map((path) => path.slice(INVALID.length)).sort();
}
