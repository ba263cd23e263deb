// The reason why a vCPU stopped running, in the rows of `sched.ls`: as it is written, and as the
// screens read it.

/** Why it stopped: the event that it waits for, or another one's turn. */
export function sliceReason(from: string, blocked: string | undefined): string {
  return blocked === undefined ? `${from} yields` : `${from} waits for ${blocked}`;
}

/** The vCPU of such a reason, without its kind, and the event that it waits for. */
export function parseSliceReason(text: string): { readonly vcpu: string; readonly waits: string | undefined } | undefined {
  const match = /^vcpu:(\S+) (?:waits for (.*)|yields)$/.exec(text);
  return match ? { vcpu: match[1], waits: match[2] } : undefined;
}
