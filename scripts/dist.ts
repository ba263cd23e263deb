// `deno task dist [FOLDER] [--only PART,..]`: all that el2 is published as. Without a folder, in
// dist/:
//
//   el2.js                        the bundle, for deno run with the permissions of the launchers
//   el2-VERSION-TARGET            one executable file, for each platform whose deno npm has
//   npm/, el2-VERSION.tgz         the npm package
//   el2_VERSION_ARCHITECTURE.deb  the Debian package
//   jsr/                          the JSR package: deno publish
//   el2-vscode-VERSION.vsix       the extension for VS Code
//   demo/                         the demo in a browser: static files
//   el2-VERSION.spdx.json         what is in the bundle
//   SHA256SUMS
//
// An older folder stays until the new one is complete.

import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { VERSION } from "../src/kit/support/version.ts";
import { bundledPackages } from "./dist/bundled-packages.ts";
import { type Build, buildTime, digest, DistError, ROOT } from "./dist/common.ts";
import { demoPage } from "./dist/demo-page.ts";
import { debianPackage } from "./dist/debian-package.ts";
import { jsrPackage } from "./dist/jsr-package.ts";
import { npmPackage } from "./dist/npm-package.ts";
import { compile, compileRuntime, pack, programName } from "./dist/one-file.ts";
import { writePage } from "./dist/page.ts";
import { sbom } from "./dist/sbom.ts";
import { bundle, split } from "./dist/split.ts";
import { denoOf, TARGETS } from "./dist/targets.ts";
import { vscodeExtension } from "./dist/vscode-extension.ts";

const PARTS = ["file", "others", "npm", "deb", "jsr", "vscode", "demo", "sbom"] as const;
/** Parts that hold a program, which makes pages of recordings, or are such a page. */
const WITH_PAGE = ["file", "others", "npm", "deb", "demo"] as const;

const { positionals, values } = parseArgs({ args: Deno.args, allowPositionals: true, options: { only: { type: "string" } } });
const dist = resolve(positionals[0] ?? `${ROOT}dist`);
const parts = new Set(values.only?.split(",") ?? PARTS);
const folder = await Deno.makeTempDir({ prefix: "el2-dist-" });

try {
  for (const part of parts) {
    if (!PARTS.some((name) => name === part)) throw new DistError(`--only: no part "${part}"; use one of ${PARTS.join(", ")}`);
  }
  const build: Build = {
    folder,
    bundle: `${folder}/el2.js`,
    split: `${folder}/split`,
    page: `${folder}/page`,
    time: await buildTime(),
  };
  const runtime = parts.has("file") ? await compileRuntime() : undefined;
  const packs = parts.has("others") || parts.has("file") && runtime === undefined;
  const [modules] = await Promise.all([bundle(build.bundle), packs ? split(build.split) : undefined]);
  if (WITH_PAGE.some((part) => parts.has(part))) await writePage(build.page);
  const { files, folders, said } = await makeParts(build, modules, runtime);
  await Deno.writeTextFile(`${folder}/SHA256SUMS`, await checksums(files));
  await Deno.mkdir(dist, { recursive: true });
  for (const name of folders) await replaceFolder(`${folder}/${name}`, `${dist}/${name}`);
  for (const name of [...files, "SHA256SUMS"]) await replace(`${folder}/${name}`, `${dist}/${name}`);
  for (const line of said) console.log(line);
} catch (error) {
  if (!(error instanceof DistError)) throw error;
  console.error(`dist: ${error.message}`);
  Deno.exitCode = 1;
} finally {
  await Deno.remove(folder, { recursive: true });
}

/**
 * Builds the parts that were asked for: their files, their folders, and what to print.
 * @param modules the paths of those in the bundle
 * @param runtime that of `deno compile`; with it, that makes the one file of this platform
 */
async function makeParts(build: Build, modules: readonly string[], runtime?: string) {
  const files: string[] = ["el2.js"], folders: string[] = [], said: string[] = [];
  const packages = ["npm", "deb", "sbom"].some((part) => parts.has(part)) ? await bundledPackages(modules) : [];
  const made = (name: string, how: string) => {
    files.push(name);
    said.push(`${dist}/${name}: ${how}`);
  };
  if (parts.has("npm")) {
    made(await npmPackage(build, packages), "npm");
    folders.push("npm");
  }
  if (parts.has("jsr")) {
    await jsrPackage(build);
    folders.push("jsr");
    said.push(`${dist}/jsr: JSR`);
  }
  if (parts.has("vscode")) made(await vscodeExtension(build), "VS Code");
  if (parts.has("demo")) {
    await demoPage(build);
    folders.push("demo");
    said.push(`${dist}/demo: the demo in a browser, for any web server`);
  }
  if (parts.has("sbom")) {
    await Deno.writeTextFile(
      `${folder}/el2-${VERSION}.spdx.json`,
      sbom(packages, await digest(await Deno.readFile(build.bundle)), build.time),
    );
    made(`el2-${VERSION}.spdx.json`, "SPDX");
  }
  for (const target of TARGETS) {
    const own = target.target === Deno.build.target;
    const wanted = parts.has(own ? "file" : "others");
    if (!wanted && !(own && parts.has("deb"))) continue;
    const program = programName(target.target);
    if (target.npm.startsWith("win32")) {
      said.push(`left out: ${program} (a shell starts the one file; npm's el2 is for Windows)`);
      continue;
    }
    const compiled = own && wanted && runtime !== undefined;
    if (compiled) made(program, await compile(build, runtime));
    if (compiled && !parts.has("deb")) continue;
    const deno = await denoOf(target, folder);
    if (typeof deno === "string") {
      said.push(`left out: ${program} (${deno})`);
      continue;
    }
    if (wanted && !compiled) made(program, await pack(build, target.target, deno));
    if (target.debian && parts.has("deb")) made(await debianPackage(build, target, deno, packages), "Debian");
  }
  return { files, folders, said };
}

/** Moves a file into another folder, in one step there. */
async function replace(from: string, to: string): Promise<void> {
  const part = `${to}.part`;
  await Deno.copyFile(from, part);
  await Deno.rename(part, to);
}

/** The same for a folder, which is gone for a moment. */
async function replaceFolder(from: string, to: string): Promise<void> {
  const part = `${to}.part`;
  await Deno.remove(part, { recursive: true }).catch(unlessMissing);
  await copyFolder(from, part);
  await Deno.remove(to, { recursive: true }).catch(unlessMissing);
  await Deno.rename(part, to);
}

function unlessMissing(error: unknown): void {
  if (!(error instanceof Deno.errors.NotFound)) throw error;
}

async function copyFolder(from: string, to: string): Promise<void> {
  await Deno.mkdir(to);
  for await (const { name, isDirectory } of Deno.readDir(from)) {
    if (isDirectory) await copyFolder(`${from}/${name}`, `${to}/${name}`);
    else await Deno.copyFile(`${from}/${name}`, `${to}/${name}`);
  }
}

async function checksums(names: readonly string[]): Promise<string> {
  const lines = await Promise.all(names.map(async (name) => `${await digest(await Deno.readFile(`${folder}/${name}`))}  ${name}\n`));
  return lines.join("");
}
