// SHA-256 by the runtime itself, without a module of node that would have to be loaded for it.

/** SHA-256 of `data` in lower-case hexadecimal. */
export async function sha256(data: Uint8Array): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", data as BufferSource);
  return new Uint8Array(digest).toHex();
}
