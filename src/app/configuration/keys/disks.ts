// The keys of a disk, and of the images that make one.

import * as v from "valibot";
import { wrong } from "../../../model/plans/config-fact.ts";
import { GPT_NAME, GUID_PATTERN } from "../../../kit/formats/gpt.ts";
import { PARTITIONS_MAX, SECTOR_SIZES } from "../../../machine/virtio/plan.ts";
import { orCatalog } from "./files.ts";
import { hostPath } from "./host-paths.ts";
import { entriesOf, keysOf } from "./key.ts";
import { mustBe, oneOf, table, text, whole } from "./values.ts";

const image = v.pipe(text, hostPath("disk", "mode"), orCatalog);
const mode = v.optional(oneOf(["ro", "rw", "overlay"]), "rw");
const label = v.pipe(
  text,
  v.minLength(1, "is empty"),
  v.maxLength(GPT_NAME, wrong("is too long", `a partition's name has up to ${GPT_NAME} characters`)),
);
const guid = v.pipe(text, v.regex(new RegExp(GUID_PATTERN), mustBe("a GUID", '"0fc63daf-8483-4772-8e79-3d69d8477de4"')));
/** A place on a disk, in bytes that a number counts. */
const offset = v.optional(whole(0, Number.MAX_SAFE_INTEGER));

export const PARTITION = keysOf({
  label: { type: v.optional(label), doc: "its name in the disk's GUID partition table" },
  guid: { type: v.optional(guid), doc: "its PARTUUID; by default one that is the same in each run" },
  image: { type: image, doc: "its image; it takes whole pages of the disk" },
  mode: { type: mode, doc: "as of a disk" },
  offset: { type: offset, doc: "instead of label: the byte at which the image begins, on a disk without a table of el2's" },
});

export const BLOCK = keysOf({
  kind: { type: v.literal("block"), doc: "a virtio disk" },
  image: { type: v.optional(image), doc: "the disk's image" },
  mode: { type: mode, doc: "overlay: changes stay in memory" },
  partitions: {
    type: v.optional(v.pipe(
      v.array(v.object(entriesOf(PARTITION), table), mustBe("a list of partitions")),
      v.minLength(1, "names no partition"),
      v.maxLength(PARTITIONS_MAX, wrong("is too long", `a disk has up to ${PARTITIONS_MAX} images`)),
    )),
    doc: "instead of image: the images that make the disk",
  },
  sector: { type: v.optional(v.picklist(SECTOR_SIZES, mustBe("512 or 4096"))), doc: "bytes of a sector: 512 (default) or 4096" },
});

interface ListedImage {
  readonly label?: string | undefined;
  readonly guid?: string | undefined;
  readonly offset?: number | undefined;
}

/** Notes that a key is wrong; without a message, that it is missing. */
type Refuse = (keys: readonly (string | number)[], value: unknown, message?: string) => void;

const fields = v.object(entriesOf(BLOCK));

/** A disk is an image, or made of several. */
const checkDisk = v.rawCheck<v.InferOutput<typeof fields>>(({ dataset, addIssue }) => {
  if (!dataset.typed) return;
  const { image, mode, partitions } = dataset.value;
  const refuse: Refuse = (keys, value, message) => {
    const path = keys.map((key) => ({ type: "unknown", origin: "value", input: dataset.value, key, value }) as const);
    const [first, ...others] = path;
    addIssue({
      message: message ?? "is missing",
      input: value,
      path: [first, ...others],
      ...value === undefined && { received: "undefined" },
    });
  };
  if (partitions === undefined) {
    if (image === undefined) refuse(["image"], undefined);
    return;
  }
  if (image !== undefined) refuse(["image"], image, wrong("is beside partitions", "make it one of them"));
  if (mode !== "rw") refuse(["mode"], mode, wrong("is that of one image", "give each partition its mode"));
  if (partitions.some(({ offset }) => offset !== undefined)) checkPlaces(partitions, refuse);
  else checkLabels(partitions, refuse);
});

/** All partitions are in a table. */
function checkLabels(partitions: readonly ListedImage[], refuse: Refuse): void {
  const taken = new Set<string>();
  for (const [index, { label, guid }] of partitions.entries()) {
    const at = ["partitions", index];
    if (label === undefined) refuse([...at, "label"], undefined);
    for (const [key, value] of [["label", label], ["guid", guid?.toLowerCase()]] as const) {
      if (value === undefined) continue;
      if (taken.has(`${key} ${value}`)) refuse([...at, key], value, wrong("is that of an earlier partition", "change one"));
      taken.add(`${key} ${value}`);
    }
  }
}

/** All images have a place. */
function checkPlaces(partitions: readonly ListedImage[], refuse: Refuse): void {
  let least = 0;
  for (const [index, { label, guid, offset }] of partitions.entries()) {
    const at = ["partitions", index];
    for (const [key, value] of Object.entries({ label, guid })) {
      if (value !== undefined) {
        refuse([...at, key], value, wrong("is of a table, which a disk with offsets brings", "remove it, or offset"));
      }
    }
    if (offset === undefined) refuse([...at, "offset"], undefined);
    else if (offset < least) refuse([...at, "offset"], offset, wrong("is not after the one before it", `use at least ${least}`));
    else least = offset + 1;
  }
}

export const disk = v.pipe(fields, checkDisk);
