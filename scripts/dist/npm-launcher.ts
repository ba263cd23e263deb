// Starts the bundle with the deno binary of this platform's npm package. The binary is started
// directly: the launcher of the package `deno` would add a second node-like layer to every start.
// It runs in Node, bundled into one file (npm-package.ts).

import { spawn, spawnSync } from "node:child_process";
import { accessSync, constants as files, existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeSync } from "node:fs";
import { createRequire } from "node:module";
import { constants } from "node:os";
import path from "node:path";
import { isatty } from "node:tty";
import { ALONE, PERMISSIONS } from "../../src/app/cli/common/runtime.ts";
import { RESET } from "../../src/app/tui/terminal/terminal-modes.ts";
import { MALLOC_SETTINGS } from "../../src/kit/support/computer/garbage.ts";
import { killedText, LIMITS_VARIABLE, limitsText, lowLimits, readLimits, type ReadText } from "../../src/kit/support/computer/limits.ts";
import { LAUNCHER_VARIABLE } from "../../src/kit/support/computer/launcher.ts";
import { LOADERS, type Unmet, unmetText, unmetWayOut } from "../../src/kit/support/computer/needs.ts";

/** The file that this becomes. */
declare const __filename: string;

const PACKAGES: Readonly<Record<string, string>> = {
  "linux x64": "linux-x64-glibc",
  "linux arm64": "linux-arm64-glibc",
  "darwin x64": "darwin-x64",
  "darwin arm64": "darwin-arm64",
  "win32 x64": "win32-x64",
  "win32 arm64": "win32-arm64",
};

/** Names of architectures in files of Linux. */
const MACHINES: Readonly<Record<string, keyof typeof LOADERS>> = { x64: "x86_64", arm64: "aarch64" };

const FLAGS = ["run", "-q", ...PERMISSIONS, ...ALONE];

const here = path.dirname(__filename);

function fail(message: string): never {
  console.error(`el2: ${message}`);
  process.exit(1);
}

function refuse(unmet: Unmet): never {
  fail(`${unmetText(unmet)}; ${unmetWayOut(unmet)}`);
}

const read: ReadText = (file) => {
  try {
    return readFileSync(file, "utf8");
  } catch {
    // A file that cannot be read sets no limit.
    return undefined;
  }
};

const limits = readLimits(read);

/** Ends where the engine would end with a dump. */
function checkLinux(): void {
  if (read("/proc/self/limits") === undefined) refuse({ code: "proc" });
  const machine = MACHINES[process.arch];
  if (!existsSync(LOADERS[machine])) refuse({ code: "loader" });
  for (const unmet of lowLimits(limits)) refuse(unmet);
  const { error, status } = spawnSync(`${here}/code-probe-${machine}`);
  if (error === undefined && status !== 0) refuse({ code: "code" });
}

/** The path of deno for this platform. */
function findDeno(): string {
  const platform = `${process.platform} ${process.arch}`, name = PACKAGES[platform];
  if (name === undefined) fail(`${process.platform} on ${process.arch} is not supported; there are ${Object.keys(PACKAGES).join(", ")}`);
  try {
    const folder = path.dirname(createRequire(__filename).resolve(`@deno/${name}/package.json`));
    return path.join(folder, process.platform === "win32" ? "deno.exe" : "deno");
  } catch {
    const others = otherPackages(path.join(here, "../@deno"));
    if (others.length) fail(`node_modules has Deno for ${others.join(", ")}, and this is ${name}; remove node_modules and install here`);
    fail(`the package @deno/${name} is not installed; install again without --omit=optional`);
  }
}

/** Platforms whose packages are in a folder. */
function otherPackages(folder: string): string[] {
  return existsSync(folder) ? readdirSync(folder).filter((name) => Object.values(PACKAGES).includes(name)) : [];
}

/** The folder, of which others can change nothing: the engine executes code from its cache. */
function ownFolder(folder: string): string {
  const wayOut = "name a folder of yours with EL2_CACHE";
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
  } catch {
    // The engine says what it cannot write.
    return folder;
  }
  const { uid, mode } = statSync(folder);
  if (uid !== 0 && uid !== process.geteuid?.()) fail(`${folder} belongs to another user; ${wayOut}`);
  if (mode & 0o022) fail(`others can change ${folder}; chmod go-w ${folder}, or ${wayOut}`);
  return folder;
}

if (process.platform === "linux") checkLinux();
try {
  process.cwd();
} catch {
  refuse({ code: "folder" });
}
const deno = findDeno();
if (process.platform !== "win32") {
  try {
    accessSync(deno, files.X_OK);
  } catch {
    fail(`${deno} cannot be executed: its file system is mounted noexec; install el2 on another one`);
  }
}

const cache = process.env.EL2_CACHE ||
  (process.env.XDG_CACHE_HOME
    ? path.join(process.env.XDG_CACHE_HOME, "el2")
    : process.env.HOME && path.join(process.env.HOME, ".cache", "el2"));
const env: NodeJS.ProcessEnv = {
  ...process.env,
  ...MALLOC_SETTINGS,
  [LIMITS_VARIABLE]: limitsText(limits),
  [LAUNCHER_VARIABLE]: String(process.pid),
  DENO_NO_UPDATE_CHECK: "1",
  DENO_NO_PACKAGE_JSON: "1",
};
if (cache && process.platform !== "win32") env.DENO_DIR = ownFolder(path.join(cache, "deno"));

/** The terminal's modes, as stty writes them; undefined without a terminal. */
const modes = process.platform !== "win32" && isatty(0) ? stty("-g") : undefined;

/** The output of stty; undefined if it fails. */
function stty(argument: string): string | undefined {
  const { status, stdout } = spawnSync("stty", [argument], { stdio: ["inherit", "pipe", "ignore"], encoding: "utf8" });
  return status === 0 ? stdout.trim() : undefined;
}

/** Gives the terminal back as it was: a program that is killed cannot. */
function restoreTerminal(): void {
  if (modes === undefined || !stty("-a")?.includes("-isig")) return;
  stty(modes);
  if (isatty(1)) writeSync(1, RESET);
}

const child = spawn(deno, [...FLAGS, path.join(here, "el2.js"), ...process.argv.slice(2)], { stdio: "inherit", env });

// The keys of a terminal reach the whole foreground group, so the child has had its SIGINT then; a
// second one would end it at once.
const onTerminal = [0, 1, 2].some((fd) => isatty(fd));
process.on("SIGINT", () => onTerminal || child.kill("SIGINT"));
process.on("SIGQUIT", () => onTerminal || child.kill("SIGQUIT"));
for (const signal of ["SIGTERM", "SIGHUP"] as const) process.on(signal, () => child.kill(signal));

child.on("error", (error) => fail(`${deno}: ${error.message}`));
child.on("exit", (code, signal) => {
  if (code !== 0) restoreTerminal();
  if (signal === "SIGKILL") console.error(`el2: ${killedText(limits)}`);
  process.exit(signal === null ? code ?? 1 : 128 + constants.signals[signal]);
});
