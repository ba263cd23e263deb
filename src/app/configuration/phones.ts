// Profiles of phones: the values in which they differ, with the source of each (docs/spec/phones.md
// §A). What el2 makes of them is in phone-settings.ts.

import type { PhoneName } from "./keys/names.ts";

/**
 * How sure a value is: read in the source, inferred, claimed by one user; or the value of
 * `generic`, as no source gives one.
 */
type Mark = "R" | "I" | "U" | "generic";

interface PhoneValue {
  readonly value: string | number | boolean;
  /** Where it is from: a short name of docs/spec/phones.md, or el2. */
  readonly source: string;
  readonly mark: Mark;
}

/** A value in which phones differ. */
export interface PhoneKey {
  readonly doc: string;
  /** The value without a source. */
  readonly generic: string | number | boolean;
  /** Every machine of el2 behaves by the generic value, so that there is no key. */
  readonly always?: true;
}

/** The values, in the order of docs/spec/phones.md §A7. */
export const PHONE_KEYS = {
  "kernel": { doc: "generation of the Gunyah driver", generic: "union" },
  "gzvm": { doc: "GenieZone's device exists", generic: false },
  "rm.parcels": { doc: "most parcels that a VM owns", generic: 64 },
  "rm.parcels-held": { doc: "parcels that Android holds at boot", generic: 0 },
  "rm.entries": { doc: "most entries of a memory list in one request", generic: 512, always: true },
  "rm.reserved-memory": {
    doc: "how START compares parcels with nodes of /reserved-memory: any, must-match, or never",
    generic: "any",
  },
  "rm.size-max": {
    doc: "memory that size-max limits: private memory, or all that a VM accepts",
    generic: "private",
  },
  "ipa.bits": { doc: "width of VMs' addresses", generic: 36 },
  "rm.lend": { doc: "in how many parcels memory can be lent", generic: "any" },
  "rm.map-other": { doc: "accepting a parcel on behalf of a guest", generic: "refused", always: true },
  "vmid.base": { doc: "first VMID of VMs that the host makes", generic: 0x80, always: true },
  "vmid.scm-max": { doc: "greatest VMID that the secure world has an id for", generic: "none" },
  "host.memlock": { doc: "RLIMIT_MEMLOCK", generic: "unlimited" },
  "host.max-order": { doc: "order of the largest block of kernel memory", generic: 10 },
  "host.cma-pages-unpinnable": {
    doc: "share of the host's pages that cannot be pinned, in percent",
    generic: 0,
  },
  "boot-context": { doc: "what SET_BOOT_CONTEXT answers", generic: "as-generation" },
  "ids.randomize": { doc: "form of capability ids", generic: "plain" },
  "timer.hz": { doc: "rate of the guests' timers", generic: 62_500_000, always: true },
  "pv-time": { doc: "VMs can read how much time was stolen from their vCPUs", generic: false },
  "midr": { doc: "MIDR_EL1 of guests", generic: "0x000f0480", always: true },
  "hwcap": { doc: "features that /proc/cpuinfo of the host lists", generic: "none" },
  "watchdog.disable-when-off": { doc: "turning off a watchdog that is off", generic: "accept" },
  "reset.waits-forever": { doc: "the driver waits without a limit for the end of VM_RESET", generic: false },
} as const satisfies Readonly<Record<string, PhoneKey>>;

export type PhoneKeyName = keyof typeof PHONE_KEYS;
export const PHONE_KEY_NAMES = Object.keys(PHONE_KEYS) as PhoneKeyName[];

interface Phone {
  readonly title: string;
  readonly values: Readonly<Partial<Record<PhoneKeyName, PhoneValue>>>;
}

const read = (value: PhoneValue["value"], source: string): PhoneValue => ({ value, source, mark: "R" });
const claimed = (value: PhoneValue["value"], source: string): PhoneValue => ({ value, source, mark: "U" });

/** The first features of each chip below. */
const BASE_FEATURES =
  "fp asimd evtstrm aes pmull sha1 sha2 crc32 atomics fphp asimdhp cpuid asimdrdm jscvt fcma lrcpc dcpop sha3 sm3 sm4 " +
  "asimddp sha512";
const features = (more: string) => read(`${BASE_FEATURES} ${more}`, "SOCS");
const ARMV9_FEATURES = "asimdfhm dit uscat ilrcpc flagm ssbs sb paca pacg dcpodp flagm2 frint i8mm bf16";

/** Values that all phones with Gunyah share. */
const GUNYAH = {
  "rm.parcels": read(1024, "RM+, DV"),
  "rm.entries": read(512, "RM"),
  "rm.size-max": read("span", "DV"),
  "ipa.bits": read(40, "CV"),
  "rm.map-other": read("refused", "DV"),
  "host.memlock": read("64KiB", "DV"),
  "ids.randomize": read("random", "DV"),
} as const;

const PHONES: Readonly<Record<PhoneName, Phone>> = {
  generic: { title: "no phone: what el2 does by default", values: {} },
  sm8550: {
    title: "Snapdragon 8 Gen 2, kernel 5.15 with the vendor's driver",
    values: { ...GUNYAH, "kernel": read("legacy", "HV#24, PG#1"), "hwcap": features(`${ARMV9_FEATURES} bti`) },
  },
  sm8650: {
    title: "Snapdragon 8 Gen 3, android14-6.1",
    values: {
      ...GUNYAH,
      "kernel": read("ack-6.1", "DV, X14, PG#5"),
      "rm.reserved-memory": read("must-match", "DV"),
      "rm.lend": claimed("single", "DV"),
      "vmid.scm-max": read(0x3f, "X14, 8G3"),
      "boot-context": read("ENODEV", "DV"),
      "hwcap": features(`${ARMV9_FEATURES} dgh bti ecv afp`),
      "watchdog.disable-when-off": read("refuse", "WDT"),
      "reset.waits-forever": read(true, "ACK"),
    },
  },
  sm8750: {
    title: "Snapdragon 8 Elite, android15-6.6",
    values: {
      ...GUNYAH,
      "kernel": read("ack-6.6", "DV, PG#11, EDK"),
      "rm.reserved-memory": read("never", "DV"),
      "rm.lend": claimed("chunks of at most 256MiB", "DV"),
      "timer.hz": read(19_200_000, "DV#12"),
      "pv-time": read(true, "DV#12"),
      "midr": read("0x000f0480", "DV#12, PG"),
      "hwcap": features(`${ARMV9_FEATURES} rng bti ecv afp rpres`),
      "watchdog.disable-when-off": read("accept", "WDT"),
    },
  },
  sm8850: {
    title: "Snapdragon 8 Elite Gen 5, android16-6.12",
    values: {
      ...GUNYAH,
      "kernel": read("ack-6.12", "HV#44, EDK"),
      "rm.reserved-memory": read("never", "DV"),
      "hwcap": features(
        "sve asimdfhm dit uscat ilrcpc flagm ssbs sb paca pacg dcpodp sve2 sveaes svepmull svesha3 svesm4 flagm2 frint svei8mm svebf16 " +
          "i8mm bf16 rng bti ecv afp rpres sme smei8i32 smef16f32 smeb16f32 smef32f32 lrcpc3",
      ),
    },
  },
  mt6989: {
    title: "Dimensity 9300, GenieZone",
    values: {
      "gzvm": read(true, "uobe1, QZ"),
      "hwcap": features("asimdfhm dit uscat ilrcpc flagm ssbs sb dcpodp flagm2 frint i8mm bf16 dgh bti ecv afp wfxt"),
    },
  },
  mt6991: {
    title: "Dimensity 9400, GenieZone",
    values: {
      "gzvm": read(true, "uobe1, QZ"),
      "hwcap": features(
        "sve asimdfhm dit uscat ilrcpc flagm sb paca pacg dcpodp sve2 sveaes svepmull svebitperm svesha3 svesm4 flagm2 frint svei8mm " +
          "svebf16 i8mm bf16 dgh bti ecv afp wfxt",
      ),
    },
  },
};

export function phoneTitle(name: PhoneName): string {
  return PHONES[name].title;
}

/** A value of a profile that has a source. */
export function ownValue(name: PhoneName, key: PhoneKeyName): PhoneValue | undefined {
  return PHONES[name].values[key];
}

/** A value of a profile: its own, or that of `generic`. */
export function phoneValue(name: PhoneName, key: PhoneKeyName): PhoneValue {
  return ownValue(name, key) ?? { value: PHONE_KEYS[key].generic, source: "el2", mark: "generic" };
}
