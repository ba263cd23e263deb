// Rights of a thread, found by trying: Deno's answer to the question is about paths and hosts that
// it must be told.

/** Rights, each with something that only it allows. */
const TRIES: readonly (readonly [right: string, act: () => void])[] = [
  ["read", () => void Deno.statSync("/")],
  ["write", () => Deno.removeSync(Deno.makeTempFileSync({ prefix: "el2-" }))],
  ["env", () => void Deno.env.get("PATH")],
  ["net", () => Deno.listen({ hostname: "127.0.0.1", port: 0 }).close()],
  ["run", () => void new Deno.Command("true", { stdout: "null", stderr: "null" }).outputSync()],
  ["ffi", () => Deno.dlopen("/", {}).close()],
  ["sys", () => void Deno.osRelease()],
  ["caches", () => needs("caches")],
  ["Worker", () => needs("Worker")],
];

/** @throws NotCapable if this thread gave up a service of Deno (`given-up.ts`) */
function needs(name: string): void {
  if (!(name in globalThis)) throw new Deno.errors.NotCapable(name);
}

/** The rights that this thread has. */
export function triedRights(): string[] {
  return TRIES.filter(([, act]) => {
    try {
      act();
    } catch (error) {
      // Another failure, such as a full disk, comes after Deno has allowed it.
      return !(error instanceof Deno.errors.NotCapable);
    }
    return true;
  }).map(([right]) => right);
}
