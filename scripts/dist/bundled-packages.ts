// The npm packages and the font inside the bundle: names, versions, licenses, for the SBOM and the
// notices that their licenses ask for.

import { outputOf, ROOT } from "./common.ts";

/** A package of npm that is part of the bundle. */
export interface BundledPackage {
  readonly name: string;
  readonly version: string;
  /** SPDX expression. */
  readonly license: string;
  /** The license's text, with the copyright notice. */
  readonly notice: string;
  /** Hex digits of the SHA-512 of its archive, or of the file that is not a package of npm. */
  readonly sha512: string;
  /** Its package URL without the version; by default that of a package of npm. */
  readonly purl?: string;
}

interface ModuleGraph {
  readonly modules: readonly { readonly kind: string; readonly specifier: string; readonly npmPackage?: string }[];
  readonly npmPackages: Readonly<Record<string, { readonly name: string; readonly version: string; readonly localPath: string }>>;
}

/** The modules that a file of the checkout needs. */
export async function moduleGraph(file: string): Promise<ModuleGraph> {
  return JSON.parse(await outputOf("deno info", Deno.execPath(), ["info", "--json", file], ROOT));
}

/** Those with code in the bundle of a source, by name. @param modules the paths of its modules */
export async function bundledPackages(modules: readonly string[], source = "main.ts"): Promise<BundledPackage[]> {
  const { npmPackages } = await moduleGraph(source), paths = modules.join("\n");
  const lock = JSON.parse(await Deno.readTextFile(`${ROOT}deno.lock`)) as { npm: Record<string, { integrity: string }> };
  const ids = Object.keys(npmPackages).filter((id) => paths.includes(`/${npmPackages[id].name}/${npmPackages[id].version}/`)).sort();
  return await Promise.all(ids.map(async (id) => {
    const { name, version, localPath } = npmPackages[id];
    const { license } = JSON.parse(await Deno.readTextFile(`${localPath}/package.json`)) as { license: string };
    return { name, version, license, notice: await licenseText(localPath), sha512: hex(lock.npm[id].integrity) };
  }));
}

async function licenseText(folder: string): Promise<string> {
  for (const { name } of Deno.readDirSync(folder)) {
    if (/^licen[sc]e(\.md|\.txt)?$/i.test(name)) return (await Deno.readTextFile(`${folder}/${name}`)).trim();
  }
  return "The package names its license in package.json, and has no file with the text.";
}

function hex(integrity: string): string {
  return Uint8Array.fromBase64(integrity.replace(/^sha512-/, "")).toHex();
}

/**
 * The notices as a text file. The LGPL-3.0 adds to the GPL-3.0, whose text goes with it.
 * @param file name of the file that has the packages
 */
export async function noticesText(packages: readonly BundledPackage[], file = "el2.js"): Promise<string> {
  const parts = packages.map(({ name, version, license, notice }) => `${name} ${version} (${license})\n\n${notice}\n`);
  if (packages.some(isLesser)) parts.push(await Deno.readTextFile(new URL("gpl-3.0-license.txt", import.meta.url)));
  return `The file ${file} contains these packages of npm.\n\n${parts.join(`\n${"-".repeat(72)}\n\n`)}`;
}

/** The same as a comment of JavaScript, for a file that goes alone; nothing without packages. */
export async function noticesComment(packages: readonly BundledPackage[], file: string): Promise<string> {
  return packages.length === 0 ? "" : `/*! ${(await noticesText(packages, file)).replaceAll("*/", "* /")}*/\n`;
}

/** Whether a package's license refers to the GNU General Public License, version 3. */
export const isLesser = ({ license }: BundledPackage): boolean => /\bLGPL-3\.0/.test(license);
