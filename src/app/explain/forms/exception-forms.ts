// Reports of a guest's kernel about exceptions of its own code.

import { type FormEntry, formsOf } from "./form.ts";

const kernel = formsOf("kernel");

/** The function that the kernel was in, in a report of an exception. */
const IN_FUNCTION = { format: "pc : %s+0x%x/0x%x", names: ["function"] };

/** Below this an address is an offset in a structure that is not there. */
const FIRST_PAGE = 0x1000;

/** The kernel's report of an access to an address that it may not access so. */
const badAccess = (what: "null" | "address"): FormEntry =>
  kernel("Unable to handle kernel %s at virtual address %x", {
    names: ["access", "address"],
    sign: "oops",
    values: { what },
    says: ({ access, address }) => `the guest's kernel failed at ${address}: ${access}`,
    only: ({ address }) => (Number(address) < FIRST_PAGE) === (what === "null"),
    shared: true,
  });

/** Its report of an exception, by the words for it. */
const oops = (words: string, what: string, says: string): FormEntry =>
  kernel(`Internal error: ${words}: %x [`, {
    names: ["_"],
    then: IN_FUNCTION,
    sign: "oops",
    values: { what },
    says: (said) => said.function === "?" ? says : `${says}, in ${said.function}`,
    shared: true,
  });

export const EXCEPTION_FORMS: readonly FormEntry[] = [
  ...[
    "Internal error: undefined instruction: %x [",
    "Internal error: Oops - undefined instruction: %x [",
    "Internal error: Oops - Undefined instruction: %x [",
  ]
    .map((format) =>
      kernel(format, {
        names: ["_"],
        sign: "undefined",
        says: "the guest's kernel executed an instruction that its CPU does not have, or that the VMM does not give",
        shared: true,
      })
    ),
  badAccess("null"),
  badAccess("address"),
  kernel("Modules linked in: %s", {
    names: ["modules"],
    sign: "guest",
    says: "the kernel that prints this has drivers of virtio: it runs in a VM",
    only: ({ modules }) => /\bvirtio_/.test(String(modules)),
    own: true,
    quiet: true,
  }),
  oops("Oops", "report", "the guest's kernel ended what it did"),
  oops("Oops - BUG", "bug", "the guest's kernel found itself in a state that its author has excluded"),
  oops("Oops - CFI", "jump", "the guest's kernel called a function by a pointer of another type"),
  oops("Oops - BTI", "jump", "the guest's kernel jumped to where no jump may lead"),
  oops("Oops - FPAC", "jump", "the guest's kernel returned by an address whose signature is wrong"),
  kernel("kernel BUG at %s:%d!", {
    names: ["file", "line"],
    sign: "oops",
    values: { what: "bug" },
    says: ({ file, line }) => `the guest's kernel found a state that its author has excluded, at ${file}:${line}`,
    shared: true,
  }),
  kernel("Internal error: synchronous external abort: %x [", {
    names: ["_"],
    sign: "abort",
    says: "the guest's kernel reached for an address that nothing answers at",
    shared: true,
  }),
];
