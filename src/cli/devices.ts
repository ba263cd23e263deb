// Virtio devices on the command line: `--disk FILE[,MODE]`, `--net BACKEND`, `--forward HOST:GUEST`.

import { InvalidArgumentError } from "commander";
import { Option } from "@commander-js/extra-typings";
import type { DevicePlan, PortForward } from "../workstation/plan.ts";

/** Context id of the primary VM. */
const PRIMARY_CID = 3;
const MODES = ["rw", "ro", "overlay"] as const;

/** `--disk FILE[,rw|ro|overlay]`, once for each disk. */
export function diskOption() {
  return new Option(
    "--disk <file[,mode]>",
    "raw disk image as a virtio disk, mode rw (default), ro or overlay (changes stay in memory); repeatable",
  )
    .argParser((text: string, before: DevicePlan[] | undefined): DevicePlan[] => [...before ?? [], parseDisk(text)]);
}

/** `--net user|none`. */
export function netOption() {
  return new Option("--net <backend>", "a network card: user (NAT to the host's network, no root) or none (no cable)").choices(
    ["user", "none"] as const,
  );
}

/** `--forward HOST:GUEST`, once for each port. */
export function forwardOption() {
  return new Option("--forward <host:guest>", "with --net user: a TCP port of 127.0.0.1 that leads to one of the guest; repeatable")
    .argParser((text: string, before: PortForward[] | undefined): PortForward[] => [...before ?? [], parseForward(text)]);
}

/** `--vsock PATH`. */
export function vsockOption() {
  return new Option(
    "--vsock <path>",
    "a socket device: port P of the host is the Unix socket PATH_P; PATH takes CONNECT P for the guest's ports",
  );
}

/** What the options of `boot` ask for, in the order of their slots. */
export function devicesOf(options: { disk?: DevicePlan[]; net?: "user" | "none"; forward?: PortForward[]; vsock?: string }): DevicePlan[] {
  if (options.forward && options.net !== "user") throw new InvalidArgumentError("--forward needs --net user.");
  return [
    ...options.disk ?? [],
    ...options.vsock ? [{ kind: "vsock", cid: PRIMARY_CID, path: options.vsock } as const] : [],
    ...options.net ? [{ kind: "net", backend: options.net, forward: options.forward ?? [] } as const] : [],
  ];
}

function parseDisk(text: string): DevicePlan {
  const mode = MODES.find((one) => text.endsWith(`,${one}`));
  const image = mode ? text.slice(0, -mode.length - 1) : text;
  if (!image) throw new InvalidArgumentError(`"${text}" names no file; write it like disk.img or disk.img,overlay.`);
  return { kind: "block", image, mode: mode ?? "rw" };
}

function parseForward(text: string): PortForward {
  const match = /^(\d+):(\d+)$/.exec(text);
  const [host, guest] = match ? [Number(match[1]), Number(match[2])] : [0, 0];
  if (host < 1 || host > 65535 || guest < 1 || guest > 65535) {
    throw new InvalidArgumentError(`"${text}" is no pair of ports; write it like 2222:22.`);
  }
  return { protocol: "tcp", host, guest };
}
