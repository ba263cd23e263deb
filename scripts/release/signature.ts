// The signature of a release: OpenPGP, so that gpg, sq and every distribution's tools can check it.

import { createMessage, decryptKey, type PrivateKey, readPrivateKey, sign as signMessage } from "openpgp";
import { DistError } from "../dist/common.ts";

/** A detached signature, and the key to check it with. Both armored. */
export interface Signed {
  readonly signature: string;
  readonly publicKey: string;
  /** Hex digits. */
  readonly fingerprint: string;
}

/**
 * Signs bytes with an armored private key.
 * @throws DistError if it is not one, or the passphrase does not open it
 */
export async function sign(bytes: Uint8Array, armoredKey: string, passphrase: string | undefined): Promise<Signed> {
  const key = await privateKey(armoredKey, passphrase);
  const message = await createMessage({ binary: bytes });
  return {
    signature: await signMessage({ message, signingKeys: key, detached: true }),
    publicKey: key.toPublic().armor(),
    fingerprint: key.getFingerprint(),
  };
}

async function privateKey(armoredKey: string, passphrase: string | undefined): Promise<PrivateKey> {
  try {
    const key = await readPrivateKey({ armoredKey });
    return key.isDecrypted() ? key : await decryptKey({ privateKey: key, passphrase: passphrase ?? "" });
  } catch (error) {
    throw new DistError(`EL2_RELEASE_KEY, EL2_RELEASE_PASSPHRASE: ${error instanceof Error ? error.message : error}`);
  }
}
