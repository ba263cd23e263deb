// lintian, from the distribution's packages in .state/lintian, with the perl that it needs.

import { MULTIARCH, UnpackedPrograms } from "../../scripts/unpacked-programs.ts";
import { exists } from "../../src/kit/support/files/cache.ts";
import { type Outcome, runIn } from "./programs.ts";

const STATE = new URL("../../.state", import.meta.url).pathname;

/** Lintian's report on a package. */
export async function lintian(deb: string): Promise<Outcome> {
  const unpacked = new UnpackedPrograms(`${STATE}/lintian`, `${STATE}/apt-tools`);
  const { root } = unpacked;
  if (!await exists(`${STATE}/lintian/done`)) {
    await unpacked.fetch(["lintian"], [], new Set());
    await Deno.writeTextFile(`${STATE}/lintian/done`, "");
  }
  const perls = Array.from(Deno.readDirSync(`${root}/usr/share/perl`), ({ name }) => name).filter((name) => /^\d/.test(name));
  const modules = [
    "usr/share/perl5",
    `usr/lib/${MULTIARCH}/perl-base`,
    ...perls.flatMap((perl) => [`usr/lib/${MULTIARCH}/perl5/${perl}`, `usr/lib/${MULTIARCH}/perl/${perl}`, `usr/share/perl/${perl}`]),
  ];
  const env = {
    HOME: STATE,
    LC_ALL: "C.UTF-8",
    PATH: `${root}/usr/bin:/usr/bin:/bin`,
    PERL5LIB: modules.map((path) => `${root}/${path}`).join(":"),
    LD_LIBRARY_PATH: unpacked.libraryFolders().join(":"),
  };
  return await runIn(STATE, `${root}/usr/bin/perl`, [
    `${root}/usr/bin/lintian`,
    "--allow-root",
    "--show-overrides",
    "--tag-display-limit",
    "0",
    deb,
  ], env);
}
