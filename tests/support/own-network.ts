// Scripts in a network namespace that the test makes, without root: their addresses and listeners
// are nobody else's.

import assert from "node:assert/strict";

/** Addresses that a namespace gives this computer, for `setUp`. */
export interface OwnAddresses {
  readonly four: readonly string[];
  readonly six: readonly string[];
}

/** Shell commands that give the namespace its addresses. */
function setUp({ four, six }: OwnAddresses): string {
  // A kernel without dummy devices has the addresses on its loopback.
  return [
    "device=lo; ip link set lo up; ip link add own0 type dummy 2>/dev/null && ip link set own0 up && device=own0",
    ...four.map((address) => `ip addr add ${address}/32 dev $device || exit`),
    ...six.map((address) => `ip -6 addr add ${address}/128 dev $device nodad || exit`),
    'exec "$@"',
  ].join("\n");
}

/**
 * Runs a script in its own network. Returns the JSON document that it prints.
 * @param rights options of `deno run`
 */
export async function inOwnNetwork(
  addresses: OwnAddresses,
  rights: readonly string[],
  script: string,
  ...args: readonly string[]
  // deno-lint-ignore no-explicit-any -- the script's own document
): Promise<any> {
  const program = [Deno.execPath(), "run", "-q", "--no-check", "--no-prompt", ...rights, script, ...args];
  const { success, stdout, stderr } = await new Deno.Command("unshare", {
    args: ["--map-root-user", "--net", "--", "sh", "-c", setUp(addresses), "sh", ...program],
  }).output();
  assert.ok(success, new TextDecoder().decode(stderr));
  return JSON.parse(new TextDecoder().decode(stdout));
}
