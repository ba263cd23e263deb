// The messages in a text: forms are found by a word that each of their lines has.

import { ACCELERATOR_FORMS } from "./accelerator-forms.ts";
import { AVF_FORMS } from "./avf-forms.ts";
import { BOOT_FORMS } from "./boot-forms.ts";
import { EXCEPTION_FORMS } from "./exception-forms.ts";
import { CROSVM_FORMS, QEMU_FORMS } from "./vmm-forms.ts";
import { type Form, form, valuesOf } from "./form.ts";
import { type Match, matchFormat } from "./format.ts";
import { GENIEZONE_FORMS } from "./geniezone-forms.ts";
import { GUNYAH_FORMS } from "./gunyah-forms.ts";
import { HOST_FORMS } from "./host-forms.ts";
import { KVM_FORMS } from "./kvm-forms.ts";
import { MANAGER_FORMS } from "./manager-forms.ts";
import { RM_FORMS } from "./rm-forms.ts";
import { VENDOR_FORMS } from "./vendor-forms.ts";
import { HYPERVISOR_FORMS, KERNEL_FORMS, SHELL_FORMS } from "./system-forms.ts";

export const FORMS: readonly Form[] = [
  ...[GUNYAH_FORMS, VENDOR_FORMS, GENIEZONE_FORMS, CROSVM_FORMS, AVF_FORMS, QEMU_FORMS],
  ...[HYPERVISOR_FORMS, RM_FORMS, KVM_FORMS, HOST_FORMS, KERNEL_FORMS, SHELL_FORMS],
  ...[ACCELERATOR_FORMS, MANAGER_FORMS, BOOT_FORMS, EXCEPTION_FORMS],
].flatMap((all) => all.map(form));

const BY_WORD: ReadonlyMap<string, readonly Form[]> = Map.groupBy(FORMS, ({ matched }) => matched.word);

/** The words by which forms are found. */
export function wordsOfMessages(words: readonly string[]): string[] {
  return words.filter((word) => BY_WORD.has(word));
}

/** The messages in a text that has these words. */
export function messagesOf(text: string, words: readonly string[]): [Form, Match][] {
  const found: [Form, Match][] = [], seen = new Set<Form>();
  for (const word of words) {
    for (const form of BY_WORD.get(word) ?? []) {
      if (seen.has(form)) continue;
      seen.add(form);
      const match = matchFormat(form.matched, text);
      if (match && isErrno(form, match) && isMeant(form, match)) found.push([form, match]);
    }
  }
  const whole = found.filter(([, { cut }]) => !cut);
  return found.filter(([form, one]) =>
    one.cut
      ? !whole.some(([, other]) => other.start < one.end && one.start < other.end)
      : !whole.some(([other, around]) => other.sign === form.sign && isAround(around, one))
  );
}

/** Whether a message says all that another says, and more. */
const isAround = (around: Match, inner: Match) =>
  around.start <= inner.start && around.end >= inner.end && around.end - around.start > inner.end - inner.start;

/** A kernel's errno is below zero. */
const isErrno = ({ by, names = [] }: Form, { values }: Match) =>
  by !== "gunyah" && by !== "geniezone" || names.every((name, index) => name !== "errno" || !(Number(values[index]) > 0));

const isMeant = ({ only, names, values }: Form, match: Match) => match.cut || only?.({ ...valuesOf(match, names), ...values }) !== false;
