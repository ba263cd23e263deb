// Uses of this computer by a plan: files, folders, sockets, ports, the network. A plan that comes
// from a file is as untrusted as the file: it may read what lies in the file's own folder, and use
// the network as a card does by default. All else needs the user's consent.

import { CHECKOUT } from "../../kit/support/files/checkout.ts";
import { policyText } from "../../machine/virtio/net/nat/policy.ts";
import { DEFAULT_NET_POLICY, type DevicePlan, type NetPolicy, type PortForward } from "../../machine/virtio/plan.ts";
import { plannedDevices, plannedVariables, type SessionPlan } from "./plan.ts";
import { leadsInto } from "../../kit/support/files/real-place.ts";
import { node } from "../../kit/support/node-modules.ts";

/** A file, folder or socket. */
export interface HostPath {
  /** `disk`, `log`, and so on. */
  readonly kind: string;
  readonly path: string;
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
    ...record ? [pathOf("recording", record.path, true)] : [],
    ...Object.values(logs).map((path) => pathOf("log", path, true)),
    ...plannedVariables(plan).map((path) => pathOf("firmware variables", path, true)),
    ...plannedDevices(plan).flatMap(resourcesOf),
  ];
}

function pathOf(kind: string, path: unknown, written: boolean): HostPath {
  if (typeof path !== "string") throw new TypeError(`the path of a ${kind} is not a text`);
  return { kind, path, written };
}

/**
 * The resources that a device names.
 * @throws TypeError as `outsideResources`
 */
function resourcesOf(device: DevicePlan): readonly HostResource[] {
  switch (device.kind) {
    case "block":
      return [pathOf("disk", device.image, device.mode === "rw")];
    case "9p":
      return [pathOf("folder", device.folder, device.mode !== "ro")];
    case "vsock":
      return device.path === undefined ? [] : [pathOf("socket", device.path, true)];
    case "net":
      return [
        ...device.backend === "user" ? [{ kind: "network" as const, policy: device.policy ?? DEFAULT_NET_POLICY }] : [],
        ...device.forward.map((forward) => ({ kind: "port" as const, forward })),
        ...device.capture === undefined ? [] : [pathOf("capture", device.capture, true)],
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

/** A resource in words, such as `folder /home/me (rw)`. */
export function resourceText(resource: HostResource): string {
  if (isPath(resource)) return `${resource.kind} ${resource.path} (${resource.written ? "rw" : "ro"})`;
  if (resource.kind === "network") return `the network (${policyText(resource.policy)})`;
  return `${resource.forward.protocol} port ${resource.forward.host} of 127.0.0.1`;
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
    if (isPath(resource)) return resource.written || !readable.some((each) => leadsInto(resource.path, each));
    return resource.kind === "port" || goesFarther(resource.policy);
  });
}

/** Whether a policy reaches what the default does not. */
function goesFarther({ host, lan, internet, allow }: NetPolicy): boolean {
  const usual = DEFAULT_NET_POLICY;
  return host && !usual.host || lan && !usual.lan || internet && !usual.internet || allow.length > 0;
}
