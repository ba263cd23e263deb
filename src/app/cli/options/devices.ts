// Virtio devices on the command line: `--disk FILE[,MODE]`, `--net BACKEND`, `--forward HOST:GUEST`
// and `--share DIR`, as tables of a configuration's `devices`.

import { Option } from "@commander-js/extra-typings";
import { Failure } from "../common/failure.ts";
import { DEFAULT_TAG, isTag, parseForward, parseNetRule, TAG_LENGTH } from "../../../model/plans/plan.ts";
import { BadArgument } from "../common/values.ts";

const MODES = ["rw", "ro", "overlay"] as const;

/** An entry of `devices`. */
type DeviceTable = Readonly<Record<string, unknown>> & { readonly kind: string };

/** `--disk FILE[,rw|ro|overlay]`, once for each disk. */
export function diskOption() {
  return new Option(
    "--disk <file[,mode]>",
    "add a raw disk image as a virtio disk, mode rw (default), ro or overlay (changes stay in memory); repeatable",
  )
    .argParser(texts(parseDisk));
}

/** `--net user|none[,KEY=VALUE..][,capture=FILE]`, once for each card. */
export function netOption() {
  return new Option(
    "--net <backend[,key=value]>",
    "add a network card: user (NAT to the internet, no root) or none (no cable); user takes host, lan, internet, allow, deny and capture " +
      "(docs/own-guests.md); repeatable",
  ).argParser(texts(parseNet));
}

/** `--forward HOST:GUEST`, once for each port. */
export function forwardOption() {
  return new Option(
    "--forward <[udp:]host:guest>",
    "with --net user, on the first such card: forward a TCP (or UDP) port of 127.0.0.1 to a port of the guest; repeatable",
  )
    .argParser(texts(checkForward));
}

/** `--share DIR[,ro][,tag=NAME]`, once for each folder. */
export function shareOption() {
  return new Option(
    "--share <dir[,ro][,tag=name]>",
    `share a folder with the guest: mount -t 9p -o trans=virtio ${DEFAULT_TAG} /mnt; ro: read-only; repeatable with tags; ` +
      "Debian's cloud kernel has no 9p; use the one of el2 guests fetch debian --disk",
  ).argParser(texts(parseShare));
}

/** Texts that a parser reads, kept as they are for the command line of a session's process. */
const texts = (parse: (text: string) => unknown) => (text: string, before: string[] | undefined): string[] => {
  parse(text);
  return [...before ?? [], text];
};

/** The options for devices, each as it was typed. */
export interface DeviceOptions {
  readonly disk?: readonly string[];
  readonly share?: readonly string[];
  readonly net?: readonly string[];
  readonly forward?: readonly string[];
}

/** The first of the options that asks for a device. */
export function firstDevice({ disk, share, net, forward }: DeviceOptions): string | undefined {
  return disk ? "--disk" : share ? "--share" : net ? "--net" : forward && "--forward";
}

/** The devices of the options, in the order of their slots. */
export function devicesOf({ disk = [], share = [], net = [], forward }: DeviceOptions): DeviceTable[] {
  const cards = net.map(parseNet), folders = share.map(parseShare);
  const connected = cards.find(({ backend }) => backend === "user");
  if (forward && connected === undefined) throw new Failure("--forward needs --net user");
  const tags = folders.map(({ tag }) => tag);
  const twice = tags.find((tag, index) => tags.indexOf(tag) !== index);
  if (twice !== undefined) throw new Failure(`--share: two shares have the tag "${twice}"`, "name one with --share DIR,tag=NAME");
  return [...disk.map(parseDisk), ...folders, ...cards.map((card) => forward && card === connected ? { ...card, forward } : card)];
}

function parseDisk(text: string): DeviceTable {
  const mode = MODES.find((one) => text.endsWith(`,${one}`));
  const image = mode ? text.slice(0, -mode.length - 1) : text;
  if (!image) throw new BadArgument(`"${text}" names no file`, "use for example disk.img or disk.img,overlay");
  return { kind: "block", image, mode: mode ?? "rw" };
}

function checkForward(text: string): void {
  if (!parseForward(text)) throw new BadArgument(`"${text}" is not a pair of ports`, "use for example 2222:22 or udp:5353:53");
}

function parseNet(text: string): DeviceTable {
  const [, backend, keys, capture] = /^([^,]*)((?:,(?!capture=)[^,]*)*)(?:,capture=(.+))?$/.exec(text) ?? [];
  if (backend !== "user" && backend !== "none") {
    throw new BadArgument(`"${text}" is not a network`, "use user, none or user,capture=frames.pcapng");
  }
  if (keys && backend === "none") throw new BadArgument(`"${text}": only user has a policy`);
  const policy = keys ? keys.slice(1).split(",").reduce(withKey, {}) : {};
  return { kind: "net", backend, ...policy, ...capture !== undefined && { capture } };
}

/** A policy. */
interface NetKeys {
  readonly host?: boolean;
  readonly lan?: boolean;
  readonly internet?: boolean;
  readonly allow?: readonly string[];
  readonly deny?: readonly string[];
}

/** A policy with one more key. */
function withKey(policy: NetKeys, text: string): NetKeys {
  const [, key, value] = /^([a-z]+)=(.*)$/.exec(text) ?? [];
  switch (key) {
    case "host":
    case "lan":
    case "internet":
      if (value === "yes" || value === "no") return { ...policy, [key]: value === "yes" };
      throw new BadArgument(`"${text}": use ${key}=yes or ${key}=no`);
    case "allow":
    case "deny":
      if (parseNetRule(value)) return { ...policy, [key]: [...policy[key] ?? [], value] };
      throw new BadArgument(`"${value}" is not an address`, "use for example 192.168.1.0/24 or 10.0.2.2:8080");
    default:
      throw new BadArgument(`"${text}" is not a key of --net user`, "use one of host, lan, internet, allow, deny, capture");
  }
}

function parseShare(text: string): DeviceTable {
  const [, folder, mode, tag] = /^(.*?)(,ro|,rw)?(?:,tag=([^,]*))?$/s.exec(text)!;
  if (!folder) throw new BadArgument(`"${text}" names no folder`, "use for example . or results,tag=out or sources,ro");
  if (tag !== undefined && !isTag(tag)) {
    throw new BadArgument(`"${tag}" is not a tag`, `use up to ${TAG_LENGTH} letters, digits, and . _ -`);
  }
  let isFolder: boolean;
  try {
    isFolder = Deno.statSync(folder).isDirectory;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory) {
      throw new BadArgument(`${folder}: no such folder`);
    }
    throw new BadArgument(`cannot share ${folder}: ${error instanceof Error ? error.message : String(error)}`);
  }
  if (!isFolder) throw new BadArgument(`${folder} is not a folder`);
  return { kind: "9p", folder, mode: mode === ",ro" ? "ro" : "rw", tag: tag ?? DEFAULT_TAG };
}
