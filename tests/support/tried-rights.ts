// Which rights a thread has, found by trying each: Deno's answer to the question is about paths and
// hosts that it must be told.

/** Rights, each with something that only it allows. */
const TRIES: readonly (readonly [right: string, act: () => unknown])[] = [
  ["read", () => Deno.statSync("/")],
  ["write", () => Deno.removeSync(Deno.makeTempFileSync({ prefix: "el2-" }))],
  ["env", () => Deno.env.get("PATH")],
  ["net", () => Deno.listen({ hostname: "127.0.0.1", port: 0 }).close()],
  ["run", () => new (deno("Command"))("true", { stdout: "null", stderr: "null" }).outputSync()],
  ["ffi", () => Deno.dlopen("/", {}).close()],
  ["sys", () => deno("osRelease")()],
  // A try would load code from there.
  ["import", () => asks({ name: "import", host: "deno.land:443" } as Deno.PermissionDescriptor)],
  ["caches", () => needs("caches")],
  ["Worker", () => needs("Worker")],
  ["node:Worker", () => new (builtin("node:worker_threads").Worker)("1", { eval: true }).terminate()],
];

/** The last tries: they need no right of Deno's. */
const SERVICES = 3;

const builtin = (name: "node:worker_threads") => globalThis.process.getBuiltinModule(name);

/** A member of `Deno`. @throws NotCapable if this thread gave it up */
function deno<Name extends "Command" | "osRelease">(name: Name): typeof Deno[Name] {
  if (!(name in Deno)) throw new Deno.errors.NotCapable(name);
  return Deno[name];
}

/** @throws NotCapable if this thread gave up a service of Deno */
function needs(name: string): void {
  if (!(name in globalThis)) throw new Deno.errors.NotCapable(name);
}

/** @throws NotCapable if Deno says that this thread has no such right */
function asks(right: Deno.PermissionDescriptor): void {
  if (Deno.permissions.querySync(right).state !== "granted") throw new Deno.errors.NotCapable(right.name);
}

/**
 * The rights that this thread has.
 * @param services whether services count that need no right of a process
 */
export function triedRights(services = true): string[] {
  return TRIES.slice(0, services ? TRIES.length : -SERVICES).filter(([, act]) => {
    try {
      act();
    } catch (error) {
      // Another failure, such as a full disk, comes after Deno has allowed it.
      return !(error instanceof Deno.errors.NotCapable);
    }
    return true;
  }).map(([right]) => right);
}
