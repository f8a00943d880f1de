/** What a certificate for a test says; the rest is as `ssh-keygen -s` has it. Times are seconds since 1970. */
export interface TestCertificate {
  /** Of the key: a plain public key. */
  readonly publicKey: Uint8Array;
  readonly kind?: number;
  readonly principals?: readonly string[];
  readonly validFrom?: bigint;
  readonly validUntil?: bigint;
  readonly criticalOptions?: Uint8Array;
  /** Behind its end. */
  readonly rest?: Uint8Array;
}

/** A certificate that no authority has signed, for whoever only reads it: as a line of `id_ed25519-cert.pub`. */
export function testCertificate(of: TestCertificate): string {
  const { publicKey, kind = 1, principals = ['deploy'], validFrom = 0n, validUntil = 2n ** 64n - 1n } = of;
  const lengthOfType = Buffer.from(publicKey).readUInt32BE(0);
  const type = `${Buffer.from(publicKey).toString('latin1', 4, 4 + lengthOfType)}-cert-v01@openssh.com`;
  const blob = Buffer.concat([
    sshString(type),
    sshString('nonce'),
    publicKey.subarray(4 + lengthOfType),
    uint64(7n),
    uint32(kind),
    sshString('a test'),
    sshString(Buffer.concat(principals.map(sshString))),
    uint64(validFrom),
    uint64(validUntil),
    sshString(of.criticalOptions ?? ''),
    sshString(Buffer.concat([sshString('permit-pty'), sshString('')])),
    sshString(''),
    sshString(Buffer.concat([sshString('ssh-ed25519'), sshString('the authority')])),
    sshString(Buffer.concat([sshString('ssh-ed25519'), sshString('its signature')])),
    of.rest ?? Buffer.alloc(0),
  ]);
  return `${type} ${blob.toString('base64')} a comment`;
}

export function sshString(content: string | Uint8Array): Buffer {
  const bytes = Buffer.from(content as Uint8Array);
  return Buffer.concat([uint32(bytes.length), bytes]);
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

function uint64(value: bigint): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(value);
  return bytes;
}
