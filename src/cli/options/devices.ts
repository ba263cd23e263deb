// Virtio devices on the command line: `--disk FILE[,MODE]`, `--net BACKEND`,
// `--forward HOST:GUEST`, `--share DIR` and so on.

import { Option } from "@commander-js/extra-typings";
import { InvalidArgumentError } from "commander";
import { Failure } from "../common/failure.ts";
import {
  DEFAULT_NET_POLICY,
  DEFAULT_TAG,
  type DevicePlan,
  INPUT_TYPES,
  type InputType,
  isTag,
  type NetPolicy,
  parseForward,
  parseNetRule,
  type PortForward,
  PRIMARY_CID,
  TAG_LENGTH,
} from "../../plans/plan.ts";

const MODES = ["rw", "ro", "overlay"] as const;

/** `--disk FILE[,rw|ro|overlay]`, once for each disk. */
export function diskOption() {
  return new Option(
    "--disk <file[,mode]>",
    "add a raw disk image as a virtio disk, mode rw (default), ro or overlay (changes stay in memory); repeatable",
  )
    .argParser((text: string, before: DevicePlan[] | undefined): DevicePlan[] => [...before ?? [], parseDisk(text)]);
}

/** `--net user|none[,KEY=VALUE..][,capture=FILE]`. */
export function netOption() {
  return new Option(
    "--net <backend[,key=value]>",
    "add a network card: user (NAT to the internet, no root) or none (no cable); user takes host=yes (this computer as 10.0.2.2), lan=yes " +
      "(private networks), internet=no, allow=CIDR[:PORT], deny=CIDR[:PORT]; capture=FILE, at the end, writes its frames to a pcapng file",
  ).argParser(parseNet);
}

/** `--forward HOST:GUEST`, once for each port. */
export function forwardOption() {
  return new Option(
    "--forward <[udp:]host:guest>",
    "with --net user: forward a TCP (or UDP) port of 127.0.0.1 to a port of the guest; repeatable",
  )
    .argParser((text: string, before: PortForward[] | undefined): PortForward[] => [...before ?? [], forwardOf(text)]);
}

/** `--vsock PATH`. */
export function vsockOption() {
  return new Option(
    "--vsock <path>",
    "add a vsock device: port P of the host is the Unix socket PATH_P; to reach the guest's port P, write CONNECT P to PATH",
  );
}

/** `--share DIR[,ro][,tag=NAME]`, once for each folder. */
export function shareOption() {
  return new Option(
    "--share <dir[,ro][,tag=name]>",
    `share a folder with the guest: mount -t 9p -o trans=virtio ${DEFAULT_TAG} /mnt; ro: read-only; repeatable with tags`,
  ).argParser((text: string, before: DevicePlan[] | undefined): DevicePlan[] => [...before ?? [], parseShare(text)]);
}

/** `--balloon`. */
export function balloonOption() {
  return new Option("--balloon", "add a memory balloon; set its size with el2 vm balloon");
}

/** `--input keyboard|tablet`, once for each. */
export function inputOption() {
  return new Option("--input <type>", "add an input device, keyboard or tablet, for el2 input; repeatable")
    .argParser((text: string, before: InputType[] | undefined): InputType[] => {
      const type = INPUT_TYPES.find((one) => one === text);
      if (!type) throw new InvalidArgumentError(`"${text}" is not an input device; use ${INPUT_TYPES.join(" or ")}.`);
      return [...before ?? [], type];
    });
}

/** The device options of `boot`. */
export interface DeviceOptions {
  readonly disk?: DevicePlan[];
  readonly share?: DevicePlan[];
  readonly vsock?: string;
  readonly balloon?: true;
  readonly input?: InputType[];
  readonly net?: NetChoice;
  readonly forward?: PortForward[];
}

/** The devices of the options, in the order of their slots. */
export function devicesOf(command: string, options: DeviceOptions): DevicePlan[] {
  if (options.forward && options.net?.backend !== "user") throw new Failure(`${command}: --forward needs --net user`);
  const shares = options.share ?? [];
  const tags = shares.map((share) => share.kind === "9p" ? share.tag : "");
  const twice = tags.find((tag, index) => tags.indexOf(tag) !== index);
  if (twice !== undefined) throw new Failure(`${command}: two shares have the tag "${twice}"; name one with --share DIR,tag=NAME`);
  return [
    ...options.disk ?? [],
    ...shares,
    ...options.vsock ? [{ kind: "vsock", cid: PRIMARY_CID, path: options.vsock } as const] : [],
    ...options.balloon ? [{ kind: "balloon" } as const] : [],
    ...(options.input ?? []).map((type) => ({ kind: "input", type }) as const),
    ...options.net ? [{ kind: "net", ...options.net, forward: options.forward ?? [] } as const] : [],
  ];
}

function parseDisk(text: string): DevicePlan {
  const mode = MODES.find((one) => text.endsWith(`,${one}`));
  const image = mode ? text.slice(0, -mode.length - 1) : text;
  if (!image) throw new InvalidArgumentError(`"${text}" names no file; use for example disk.img or disk.img,overlay.`);
  return { kind: "block", image, mode: mode ?? "rw" };
}

function forwardOf(text: string): PortForward {
  const forward = parseForward(text);
  if (!forward) throw new InvalidArgumentError(`"${text}" is not a pair of ports; use for example 2222:22 or udp:5353:53.`);
  return forward;
}

/** The card that `--net` asks for. */
interface NetChoice {
  readonly backend: "user" | "none";
  readonly capture?: string;
  readonly policy?: NetPolicy;
}

function parseNet(text: string): NetChoice {
  const [, backend, keys, capture] = /^([^,]*)((?:,(?!capture=)[^,]*)*)(?:,capture=(.+))?$/.exec(text) ?? [];
  if (backend !== "user" && backend !== "none") {
    throw new InvalidArgumentError(`"${text}" is not a network; use user, none or user,capture=frames.pcapng.`);
  }
  const captured = capture === undefined ? {} : { capture };
  if (!keys) return { backend, ...captured };
  if (backend === "none") throw new InvalidArgumentError(`"${text}": only user has a policy.`);
  return { backend, policy: keys.slice(1).split(",").reduce(withKey, DEFAULT_NET_POLICY), ...captured };
}

/** A policy with one more key. */
function withKey(policy: NetPolicy, text: string): NetPolicy {
  const [, key, value] = /^([a-z]+)=(.*)$/.exec(text) ?? [];
  switch (key) {
    case "host":
    case "lan":
    case "internet":
      if (value === "yes" || value === "no") return { ...policy, [key]: value === "yes" };
      throw new InvalidArgumentError(`"${text}": use ${key}=yes or ${key}=no.`);
    case "allow":
    case "deny": {
      const rule = parseNetRule(value);
      if (rule) return { ...policy, [key]: [...policy[key], rule] };
      throw new InvalidArgumentError(`"${value}" is not an address; use for example 192.168.1.0/24 or 10.0.2.2:8080.`);
    }
    default:
      throw new InvalidArgumentError(`"${text}" is not a key of --net user; there are host, lan, internet, allow, deny and capture.`);
  }
}

function parseShare(text: string): DevicePlan {
  const [, folder, mode, tag] = /^(.*?)(,ro|,rw)?(?:,tag=([^,]*))?$/s.exec(text)!;
  if (!folder) throw new InvalidArgumentError(`"${text}" names no folder; use for example . or results,tag=out or sources,ro.`);
  if (tag !== undefined && !isTag(tag)) {
    throw new InvalidArgumentError(`"${tag}" is not a tag; use up to ${TAG_LENGTH} letters, digits, and . _ -`);
  }
  let isFolder: boolean;
  try {
    isFolder = Deno.statSync(folder).isDirectory;
  } catch (error) {
    throw new InvalidArgumentError(`cannot share ${folder}: ${error instanceof Error ? error.message : String(error)}`);
  }
  if (!isFolder) throw new InvalidArgumentError(`${folder} is not a folder.`);
  return { kind: "9p", folder, mode: mode === ",ro" ? "ro" : "rw", tag: tag ?? DEFAULT_TAG };
}
