// Options of commands that make a machine from a file.

import { Option } from "@commander-js/extra-typings";

/** `--allow-host PATH`, once for each. */
export function hostOption(): Option<"--allow-host <path>", undefined, string[], undefined, false, string[] | undefined> {
  return new Option(
    "--allow-host <path>",
    "let a configuration, scenario, recording or snapshot use this file, folder or socket outside its folder; net: the network; all: everything that it names; repeatable",
  ).argParser((text: string, before: string[] | undefined) => [...before ?? [], text]);
}

export const anywayOption = new Option("--anyway", "open a file that another engine made: its run may be another one here");
