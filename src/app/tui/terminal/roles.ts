// Roles: the meaning of a color on the screen. Cells keep roles; `color-map.ts` maps them to the
// terminal's colors, `themes.ts` has the colors.

/** Backgrounds of rows. */
export const GROUNDS = ["bg", "raised", "overlay", "sel", "selq"] as const;

/** Backgrounds that say something about a row. */
export const TINTS = ["badbg", "warnbg", "okbg", "pastbg", "accbg", "hitbg"] as const;

/** Inks, and what chips and graphs are filled with. */
export const INKS = [
  "strong",
  "text",
  "dim",
  "faint",
  "border",
  "accent",
  "ok",
  "warn",
  "bad",
  "past",
  "link",
  "ink",
  "fink",
  "g0",
  "g1",
  "g2",
  "g3",
] as const;

/** Inks of VMs by slot, the hypervisor last: for names and ids. */
export const VM_INKS = ["vm0", "vm1", "vm2", "vm3", "vm4", "vm5", "vm6", "vm7", "hyp"] as const;

/** Fills of VMs by slot: for chips, bars, maps, lanes and histories. */
export const VM_FILLS = ["fill0", "fill1", "fill2", "fill3", "fill4", "fill5", "fill6", "fill7", "fillhyp"] as const;

/** All, in the order of their numbers in cells. */
export const ROLES = [...GROUNDS, ...TINTS, ...INKS, ...VM_INKS, ...VM_FILLS] as const;

/** The meaning of a color. */
export type Role = typeof ROLES[number];

/** Slots of VMs that have their own colors. */
export const SLOTS = VM_INKS.length - 1;
