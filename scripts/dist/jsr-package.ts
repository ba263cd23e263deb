// The JSR package: the modules that mod.ts needs, and nothing else, in a folder that `deno publish`
// takes as it is.

import { fileURLToPath } from "node:url";
import { ENGINE } from "../../src/kit/support/files/maker.ts";
import { identityText, programDigest, sourcesDigest } from "../../src/kit/support/program-identity.ts";
import { type Build, buildPlace, DistError, ROOT } from "./common.ts";
import { moduleGraph } from "./bundled-packages.ts";
import { withDigest } from "./split.ts";

/** The source that has its place. */
const IDENTITY = "src/kit/support/program-identity.ts";

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
  const files = [...own.filter((path) => path.endsWith(".ts")), "LICENSE", "README.md"].sort();
  // A package from a registry cannot read its own sources.
  const identity = identityText(programDigest(), new Map([[ENGINE.join(), sourcesDigest(ENGINE)]]), await buildPlace());
  for (const path of files) {
    const to = `${folder}/jsr/${path}`;
    await Deno.mkdir(to.slice(0, to.lastIndexOf("/")), { recursive: true });
    if (!path.endsWith(".ts")) await Deno.copyFile(`${ROOT}${path}`, to);
    else {
      const text = withFiles(path, await Deno.readTextFile(`${ROOT}${path}`));
      await Deno.writeTextFile(to, path === IDENTITY ? withDigest(text, identity) : text);
    }
  }
  const publish = { include: ["deno.json", "mod.ts", "LICENSE", "README.md", "src/**/*.ts"] };
  const manifest = { name, version, license, exports, publish, lock: false, compilerOptions, imports: used };
  await Deno.writeTextFile(`${folder}/jsr/deno.json`, `${JSON.stringify(manifest, null, 2)}\n`);
}

/** A module with the content of the files that it imports: JSR does not take those as modules. */
function withFiles(path: string, text: string): string {
  return text.replaceAll(
    /^import (\w+) from "([^"]+)" with \{ type: "(text|bytes)" \};$/gm,
    (_, name: string, from: string, type: string) => {
      const file = new URL(from, `file://${ROOT}${path}`);
      const content = type === "text"
        ? JSON.stringify(Deno.readTextFileSync(file))
        : `Uint8Array.fromBase64("${Deno.readFileSync(file).toBase64()}")`;
      return `const ${name} = ${content};`;
    },
  );
}
