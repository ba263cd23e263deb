#!/usr/bin/env node
// Starts the bundle with the deno binary of this platform's npm package. The binary is started
// directly: the launcher of the package `deno` would add a second node-like layer to every start.

"use strict";

const { spawn } = require("node:child_process");
const { createRequire } = require("node:module");
const { constants } = require("node:os");
const path = require("node:path");

const PACKAGES = {
  "linux x64": "linux-x64-glibc",
  "linux arm64": "linux-arm64-glibc",
  "darwin x64": "darwin-x64",
  "darwin arm64": "darwin-arm64",
  "win32 x64": "win32-x64",
  "win32 arm64": "win32-arm64",
};

function fail(message) {
  console.error(`el2: ${message}`);
  process.exit(1);
}

function findDeno() {
  const name = PACKAGES[`${process.platform} ${process.arch}`];
  if (name === undefined) fail(`${process.platform} on ${process.arch} is not supported; there are ${Object.keys(PACKAGES).join(", ")}`);
  try {
    // Where a package manager nests packages, only deno's own place sees the platform's package.
    const ofDeno = createRequire(require.resolve("deno/package.json"));
    const folder = path.dirname(ofDeno.resolve(`@deno/${name}/package.json`));
    return path.join(folder, process.platform === "win32" ? "deno.exe" : "deno");
  } catch {
    fail(`the package @deno/${name} is not installed; install again without --omit=optional (Linux needs glibc)`);
  }
}

/** What keeps the surroundings out of the start: no configuration, package or module of others. */
const PERMISSIONS = [
  ...["--allow-read", "--allow-write", "--allow-env", "--allow-net", "--allow-run", "--allow-ffi", "--no-prompt"],
  ...[
    "--unstable-worker-options",
    "--deny-import=worker-options.el2.invalid",
    "--v8-flags=--max-semi-space-size=8,--wasm-tiering-budget=1000000,--invocation-count-for-maglev=1000,--invocation-count-for-turbofan=100000,--no-wasm-stack-checks,--experimental-wasm-wide-arithmetic",
  ],
];
const FLAGS = ["run", "-q", ...PERMISSIONS, "--no-config", "--no-lock", "--no-npm", "--no-remote", "--cached-only"];

const cache = process.env.EL2_CACHE ||
  (process.env.XDG_CACHE_HOME
    ? path.join(process.env.XDG_CACHE_HOME, "el2")
    : process.env.HOME && path.join(process.env.HOME, ".cache", "el2"));
const MALLOC = { MALLOC_TRIM_THRESHOLD_: "4194304", MALLOC_MMAP_THRESHOLD_: "1048576", GLIBC_TUNABLES: "glibc.malloc.hugetlb=1" };
const env = { ...process.env, ...MALLOC, DENO_NO_UPDATE_CHECK: "1", DENO_NO_PACKAGE_JSON: "1" };
if (cache && process.platform !== "win32") env.DENO_DIR = path.join(cache, "deno");

const child = spawn(findDeno(), [...FLAGS, path.join(__dirname, "el2.js"), ...process.argv.slice(2)], { stdio: "inherit", env });

// The keys of a terminal reach the whole foreground group, so the child has had its SIGINT then; a
// second one would end it at once.
const onTerminal = [0, 1, 2].some((fd) => require("node:tty").isatty(fd));
process.on("SIGINT", () => onTerminal || child.kill("SIGINT"));
process.on("SIGQUIT", () => onTerminal || child.kill("SIGQUIT"));
for (const signal of ["SIGTERM", "SIGHUP"]) process.on(signal, () => child.kill(signal));

child.on("error", (error) => fail(`${child.spawnfile}: ${error.message}`));
child.on("exit", (code, signal) => process.exit(signal === null ? code : 128 + constants.signals[signal]));
