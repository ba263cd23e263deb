// Text in XML 1.0.

const ENTITIES: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" };

/**
 * Text for XML 1.0, which allows no control characters but tabs and line breaks, and neither U+FFFE
 * nor U+FFFF. Guests choose parts of it.
 */
export function xmlText(text: string): string {
  return text.replaceAll(/[&<>"]/g, (sign) => ENTITIES[sign]).replaceAll(/[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]/g, "\ufffd");
}

/** The text that `xmlText` was made of, but for characters that XML does not allow. */
export function fromXmlText(text: string): string {
  return Object.entries(ENTITIES).reverse().reduce((rest, [sign, entity]) => rest.replaceAll(entity, sign), text);
}
