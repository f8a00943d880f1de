/**
 * What the gateway agrees to, in its order of preference. A client's own order decides (RFC 4253 section 7.1), and nothing is negotiated that does not stand here. The first key
 * exchange resists quantum computers, and is offered where Node has ML-KEM.
 *
 * Left out on purpose: everything with SHA-1, MD5 or CBC, Diffie-Hellman groups of 2,048 bits and below, and chacha20-poly1305@openssh.com, which is the cipher
 * that an attacker in the middle could cut messages from before strict key exchange (CVE-2023-48795) and which costs twice as much here as AES-GCM. Compression is
 * never agreed to: it would tell an observer what masked and unmasked text have in common.
 */
export const keyExchanges = [
  'mlkem768x25519-sha256',
  'curve25519-sha256',
  'curve25519-sha256@libssh.org',
  'ecdh-sha2-nistp256',
  'ecdh-sha2-nistp384',
  'ecdh-sha2-nistp521',
] as const;

export const ciphers = ['aes128-gcm@openssh.com', 'aes256-gcm@openssh.com', 'aes256-ctr', 'aes128-ctr'] as const;

/** Those of them that need no MAC besides, which is half the time. */
export const authenticatedCiphers: ReadonlySet<string> = new Set(ciphers.filter((name) => name.includes('gcm')));

/** For AES in counter mode only; AES-GCM authenticates by itself. The last two for clients that know no encrypt-then-MAC (Dropbear). */
export const macs = ['hmac-sha2-256-etm@openssh.com', 'hmac-sha2-512-etm@openssh.com', 'hmac-sha2-256', 'hmac-sha2-512'] as const;

/** Of the gateway itself: it has one key, of Ed25519. */
export const ownHostKeys = ['ssh-ed25519'] as const;

/** Of targets; their key is pinned besides. */
export const targetHostKeys = [
  'ssh-ed25519',
  'ecdsa-sha2-nistp256',
  'ecdsa-sha2-nistp384',
  'ecdsa-sha2-nistp521',
  'rsa-sha2-512',
  'rsa-sha2-256',
] as const;

/** With which clients may sign. `sallyport token --ssh` makes Ed25519 keys and nothing else. */
export const clientKeys: ReadonlySet<string> = new Set(['ssh-ed25519']);
