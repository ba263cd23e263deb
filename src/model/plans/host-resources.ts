// Uses of this computer by a plan: files, folders, sockets, ports, the network. A plan that comes
// from a file is as untrusted as the file: it may read what lies in the file's own folder, and use
// the network as a card does by default. All else needs the user's consent.

import { CHECKOUT } from "../../kit/support/files/checkout.ts";
import { policyText } from "../../machine/virtio/net/nat/policy.ts";
import { DEFAULT_NET_POLICY, type DevicePlan, imagesOf, type NetPolicy, type PortForward } from "../../machine/virtio/plan.ts";
import { plannedDevices, plannedVariables, type SessionPlan } from "./plan.ts";
import { isLinked, leadsInto, leadsTo } from "../../kit/support/files/real-place.ts";
import { node } from "../../kit/support/node-modules.ts";
import { terminalWord } from "../../kit/support/text/terminal-text.ts";

/** The files that a log replaces when it is full (`session/outside/console-log.ts`). */
const OLDER_LOGS = ", .1 and .2";

/** A file, folder or socket. */
export interface HostPath {
  /** `disk`, `log`, and so on. */
  readonly kind: string;
  /** As the plan spells it. */
  readonly path: string;
  /** Where it leads, without links: what is asked for, kept and opened. */
  readonly place: string;
  /** It is made, changed or connected to, and not only read. */
  readonly written: boolean;
}

export type HostResource =
  | HostPath
  | { readonly kind: "network"; readonly policy: NetPolicy }
  | { readonly kind: "port"; readonly forward: PortForward };

/**
 * The resources that a plan names.
 * @throws TypeError if a device of an untrusted plan is of an unknown kind, or lacks parts of
 * its kind.
 */
export function outsideResources(plan: SessionPlan): readonly HostResource[] {
  const { record, logs = {} } = plan;
  return [
    ...record ? [hostPathOf("recording", record.path, true)] : [],
    ...Object.values(logs).map((path) => hostPathOf("log", path, true)),
    ...plannedVariables(plan).map((path) => hostPathOf("firmware variables", path, true)),
    ...plannedDevices(plan).flatMap(resourcesOf),
  ];
}

/** A file, folder or socket of a plan, by a path that may be relative to the working folder. */
export function hostPathOf(kind: string, path: unknown, written: boolean): HostPath {
  if (typeof path !== "string") throw new TypeError(`the path of a ${kind} is not a text`);
  // A path that the computer cannot resolve is opened by its name, or not at all.
  return { kind, path, place: leadsTo(path) ?? node.path.resolve(path), written };
}

/** The places of a plan's files, folders and sockets by the paths that it has for them. */
export function placesOf(resources: readonly HostResource[]): Readonly<Record<string, string>> {
  return Object.fromEntries(resources.filter(isPath).map(({ path, place }) => [path, place]));
}

/**
 * The resources that a device names.
 * @throws TypeError as `outsideResources`
 */
function resourcesOf(device: DevicePlan): readonly HostResource[] {
  switch (device.kind) {
    case "block":
      return imagesOf(device).flatMap(({ image, mode, content }) => content ? [] : [hostPathOf("disk", image, mode === "rw")]);
    case "9p":
      return [hostPathOf("folder", device.folder, device.mode !== "ro")];
    case "vsock":
      return device.path === undefined ? [] : [hostPathOf("socket", device.path, true)];
    case "net":
      return [
        ...device.backend === "user" ? [{ kind: "network" as const, policy: device.policy ?? DEFAULT_NET_POLICY }] : [],
        ...device.forward.map((forward) => ({ kind: "port" as const, forward })),
        ...device.capture === undefined ? [] : [hostPathOf("capture", device.capture, true)],
      ];
    case "rng":
    case "console":
    case "balloon":
    case "input":
      return [];
    default:
      throw new TypeError("it has a device of an unknown kind");
  }
}

/** A resource in words, such as `folder /home/me (rw)`; texts of the plan are one word each. */
export function resourceText(resource: HostResource): string {
  if (isPath(resource)) {
    const { kind, path, place, written } = resource;
    const leads = isLinked(path, place) ? ` -> ${terminalWord(place)}` : "";
    return `${kind} ${terminalWord(path)}${leads}${kind === "log" ? OLDER_LOGS : ""} (${written ? "rw" : "ro"})`;
  }
  if (resource.kind === "network") return `the network (${policyText(resource.policy)})`;
  return `${resource.forward.protocol} port ${resource.forward.host} of 127.0.0.1`;
}

/** Resources that a list shows; the others are counted. */
const SHOWN = 20;

/** A list of resources in words: those that are written come first. */
export function resourceTexts(resources: readonly HostResource[]): readonly string[] {
  const rank = (resource: HostResource) => isPath(resource) && !resource.written ? 1 : 0;
  const sorted = [...new Set(resources.toSorted((a, b) => rank(a) - rank(b)).map(resourceText))], others = sorted.length - SHOWN;
  return others > 0 ? [...sorted.slice(0, SHOWN), `and ${others} others`] : sorted;
}

export const isPath = (resource: HostResource): resource is HostPath => "path" in resource;

/** A file from which a plan comes, or a request that names a plan's parts and was not typed. */
export interface PlanSource {
  /** The noun of messages: `configuration`, `snapshot`. */
  readonly kind: string;
  readonly path: string;
  /** The folder of which its plan may read the files. */
  readonly folder: string;
  /** Its content, or the digest of that if it is large: consent ends when it changes. */
  readonly content: () => string;
}

/**
 * Obtains the user's consent that a plan uses resources of this computer.
 * @throws an error for the user, who has not consented
 */
export type Consent = (source: PlanSource, resources: readonly HostResource[]) => void;

/** The source of a plan that comes from a file. */
export function sourceFile(kind: string, path: string, content: PlanSource["content"]): PlanSource {
  return { kind, path, folder: node.path.dirname(path), content };
}

/**
 * Those that a machine without connections uses, as in a replay: it reads files and disks, and the
 * variables of firmware.
 */
export function withoutConnections(resources: readonly HostResource[]): readonly HostResource[] {
  return resources.flatMap((resource) => {
    if (!isPath(resource)) return [];
    if (resource.kind === "firmware variables") return [{ ...resource, written: false }];
    return ["configuration", "file", "disk"].includes(resource.kind) ? [resource] : [];
  });
}

/** Guests of this program, which its examples name. */
const OWN_GUESTS = CHECKOUT && decodeURIComponent(new URL("assets/guests", CHECKOUT).pathname);

/** Those that a plan from a file in this folder may not use without consent. */
export function beyondFolder(folder: string, resources: readonly HostResource[]): readonly HostResource[] {
  const readable = OWN_GUESTS === undefined ? [folder] : [folder, OWN_GUESTS];
  return resources.filter((resource) => {
    if (isPath(resource)) return resource.written || !readable.some((each) => leadsInto(resource.place, each));
    return resource.kind === "port" || goesFarther(resource.policy);
  });
}

/** Whether a policy reaches what the default does not. */
function goesFarther({ host, lan, internet, allow }: NetPolicy): boolean {
  const usual = DEFAULT_NET_POLICY;
  return host && !usual.host || lan && !usual.lan || internet && !usual.internet || allow.length > 0;
}
