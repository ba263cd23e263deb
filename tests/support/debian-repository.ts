// Debian packages and a repository of them in a folder, as tests make them.

import assert from "node:assert/strict";
import { writeTreeFile } from "../../src/app/catalog/deb.ts";
import { sha256 } from "../../src/kit/support/values/sha256.ts";

/** A package with one file. */
export interface TestPackage {
  readonly name: string;
  readonly depends?: string;
  readonly file: string;
  /** Of the file. */
  readonly content?: string;
  readonly mode?: number;
}

/** Control fields that every package of the tests has. */
export const VERSION = "1:1.0-2";

/** Builds the .deb of a tree that `fill` makes in `tree`; all of it is root's. */
export async function buildDeb(
  tree: string,
  deb: string,
  fields: readonly string[],
  fill: (tree: string) => Promise<void>,
): Promise<void> {
  await putFile(`${tree}/DEBIAN/control`, fields.join("\n") + "\n");
  await fill(tree);
  const { success, stderr } = await new Deno.Command("dpkg-deb", { args: ["--root-owner-group", "-b", tree, deb] }).output();
  assert.ok(success, new TextDecoder().decode(stderr));
}

/** Writes a file of a package, and the folders above it, whatever the umask: dpkg-deb looks. */
export const putFile: (path: string, text: string, mode?: number) => Promise<void> = writeTreeFile;

/** Control fields of a package, one per line. */
export function controlFields(name: string, ...more: string[]): string[] {
  return [`Package: ${name}`, `Version: ${VERSION}`, "Architecture: arm64", "Maintainer: el2", ...more];
}

/** Builds .debs and the list of a flat repository in `folder`. */
export async function buildRepository(folder: string, packages: readonly TestPackage[]): Promise<void> {
  const paragraphs: string[] = [];
  for (const { name, depends, file, content = `contents of ${name}`, mode } of packages) {
    const deb = `${name}_1.0-2_arm64.deb`;
    const fields = controlFields(name, "Description: test", ...depends ? [`Depends: ${depends}`] : []);
    await buildDeb(`${folder}/tree-${name}`, `${folder}/${deb}`, fields, (tree) => putFile(`${tree}/${file}`, content, mode));
    const data = await Deno.readFile(`${folder}/${deb}`);
    paragraphs.push([...fields, `Filename: ./${deb}`, `Size: ${data.length}`, `SHA256: ${await sha256(data)}`].join("\n"));
  }
  await Deno.writeTextFile(`${folder}/Packages`, paragraphs.join("\n\n") + "\n");
}
