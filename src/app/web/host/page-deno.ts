// Deno in a page: the names that a machine, its recording and its screens ask. A page has no files,
// no environment and no signals, so that each file is one that does not exist.

/** Errors of the system by their names. */
const ERRORS = ("AlreadyExists BrokenPipe Busy InvalidData IsADirectory NotADirectory NotCapable NotFound PermissionDenied WouldBlock")
  .split(" ");

const errors = Object.fromEntries(ERRORS.map((name) => [
  name,
  class extends Error {
    override readonly name = name;
  },
]));

const noFile = (path: string | URL): never => {
  throw new errors.NotFound(`${path}: a page has no files`);
};

/** Calls that name a file, and return at once, or later. */
const AT_ONCE = ("chmodSync linkSync lstatSync makeTempFileSync mkdirSync openSync readDirSync readFileSync readLinkSync " +
  "readTextFileSync removeSync renameSync statSync").split(" ");
const LATER = "open readFile readTextFile realPath stat".split(" ");

export const pageDeno = {
  build: { os: "linux", standalone: false, target: "page" },
  version: { deno: "", v8: "", typescript: "" },
  env: { get: () => undefined },
  cwd: () => "/",
  // A search for a folder that exists ends at the root.
  realPathSync: (path: string) => path === "/" ? path : noFile(path),
  errors,
  addSignalListener() {},
  removeSignalListener() {},
  ...Object.fromEntries(AT_ONCE.map((name) => [name, noFile])),
  // deno-lint-ignore require-await -- the error comes later, too
  ...Object.fromEntries(LATER.map((name) => [name, async (path: string) => noFile(path)])),
};
