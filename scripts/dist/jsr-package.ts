// The JSR package: the modules that mod.ts needs, and nothing else, in a folder that `deno publish`
// takes as it is.

import { fileURLToPath } from "node:url";
import { type Build, DistError, ROOT } from "./common.ts";
import { moduleGraph } from "./bundled-packages.ts";

/** Writes the folder `jsr`. */
export async function jsrPackage({ folder }: Build): Promise<void> {
  const { modules } = await moduleGraph("mod.ts");
  const own = modules.filter(({ specifier }) => specifier.startsWith("file:")).map(({ specifier }) => {
    const path = fileURLToPath(specifier);
    if (!path.startsWith(ROOT)) throw new DistError(`mod.ts imports ${path}, which is not part of the checkout`);
    return path.slice(ROOT.length);
  });
  const { name, version, license, exports, compilerOptions } = JSON.parse(await Deno.readTextFile(`${ROOT}deno.json`));
  const { imports } = JSON.parse(await Deno.readTextFile(`${ROOT}import-map.json`));
  const packages = new Set(modules.flatMap(({ npmPackage }) => npmPackage ?? []));
  const used = Object.fromEntries(
    Object.entries(imports as Record<string, string>).filter(([, to]) => packages.has(to.replace("npm:", ""))),
  );
  const files = [...own.filter((path) => path !== "deno.json"), "LICENSE", "README.md"].sort();
  for (const path of files) {
    const to = `${folder}/jsr/${path}`;
    await Deno.mkdir(to.slice(0, to.lastIndexOf("/")), { recursive: true });
    await Deno.copyFile(`${ROOT}${path}`, to);
  }
  const publish = { include: ["deno.json", "mod.ts", "LICENSE", "README.md", "src/**/*.ts"] };
  const manifest = { name, version, license, exports, publish, lock: false, compilerOptions, imports: used };
  await Deno.writeTextFile(`${folder}/jsr/deno.json`, `${JSON.stringify(manifest, null, 2)}\n`);
}
