// Schemas of the files that keys name.

import * as v from "valibot";
import { COMMAND_LINE_MAX } from "../../../model/plans/limits.ts";
import { facts } from "../../../kit/support/values/described.ts";
import { hostPath } from "./host-paths.ts";
import { text } from "./values.ts";

/** `catalog:GUEST/FILE`, instead of a path. */
export const orCatalog = facts<string>({ pattern: "^(?!catalog:)|^catalog:[^/]+/[^/]+$" });
/** A file that is read, and one that can be of the catalog. */
export const path = v.optional(v.pipe(text, hostPath("file")));
export const file = v.optional(v.pipe(text, hostPath("file"), orCatalog));
/** The file that keeps variables of firmware. */
export const variables = v.optional(v.pipe(text, hostPath("firmware variables", true)));
/** A devicetree; empty: generated, as without. */
export const devicetree = v.optional(
  v.pipe(text, hostPath("file", false, ""), v.transform((file): string | undefined => file || undefined)),
);

export const commandLine = v.pipe(text, v.maxLength(COMMAND_LINE_MAX, `has more than ${COMMAND_LINE_MAX} characters`));

/** Instead of a file: the image itself is the hypervisor. */
export const SELF = "self";
export const hypervisor = v.optional(v.pipe(text, hostPath("file", false, SELF)));
