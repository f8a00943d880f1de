import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { it } from 'node:test';
import * as fc from 'fast-check';
import { nodeCrypto } from '../../net/crypto.ts';
import { tlsServerEndPoint } from './channel-binding.ts';

it('the certificate is hashed by its signature’s own hash, SHA-256 in place of MD5 and SHA-1', () => {
  for (const { name, hash, der } of certificates) {
    const certificate = Buffer.from(der, 'base64');
    const expected = hash === undefined ? undefined : createHash(hash).update(certificate).digest('hex');
    const found = tlsServerEndPoint(certificate, nodeCrypto);
    assert.equal(found === undefined ? undefined : Buffer.from(found).toString('hex'), expected, name);
  }
});

it('what is not a certificate has no channel binding, and never faults', () => {
  for (const { der } of certificates) {
    const certificate = new Uint8Array(Buffer.from(der, 'base64'));
    for (let end = 0; end < certificate.length; end += 1) {
      assert.equal(tlsServerEndPoint(certificate.subarray(0, end), nodeCrypto), undefined, `cut at ${end}`);
    }
  }
  // Indefinite length, which DER forbids; a length field of 2^32-1; a length of five bytes.
  for (const start of [
    [0x30, 0x80],
    [0x30, 0x84, 0xff, 0xff, 0xff, 0xff],
    [0x30, 0x85, 0, 0, 0, 0, 4],
  ]) {
    assert.equal(tlsServerEndPoint(new Uint8Array([...start, 0x30, 0, 0x30, 0]), nodeCrypto), undefined);
  }
  const seed = new Uint8Array(Buffer.from(certificates[2]!.der, 'base64'));
  fc.assert(
    fc.property(fc.nat(seed.length - 1), fc.nat(255), (at, byte) => {
      const damaged = seed.slice();
      damaged[at] = byte;
      const found = tlsServerEndPoint(damaged, nodeCrypto);
      assert.ok(found === undefined || found.length >= 32);
    }),
    { numRuns: 20_000 },
  );
});

/** Self-signed with OpenSSL 3.0, one for each kind of signature; RSA keys of 1,024 bits, to be short. */
const certificates: readonly { name: string; hash: string | undefined; der: string }[] = [
  {
    name: 'rsa-md5',
    hash: 'sha256',
    der:
      'MIIBpjCCAQ8CFCgWvKCKl3ar5QGcxwUG9XC93ikEMA0GCSqGSIb3DQEBBAUAMBIxEDAOBgNVBAMMB3JzYS1tZDUwHhcNMjYxMTIyMDAyMzM4Wh' +
      'cNMzYxMTE5MDAyMzM4WjASMRAwDgYDVQQDDAdyc2EtbWQ1MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDHEx4IMHDKnijFhDckOybdmwlW' +
      'h6aM4cxLMmAjFPM1xw1m30mZpNVbcHmGy3A6xScsBNs+WCfNjbEBUSYMZSOyC4h77mMohpU4G3T01TdltS5p/kbxyKLFj2DG768NOFeWLNI/MB' +
      'k3LUIZL4AepOvNf6LB0oMVlVB8b9pxHNRhQwIDAQABMA0GCSqGSIb3DQEBBAUAA4GBALTBx44+HpLZUTavCPZy2zj8ueQSFGl+8VSIGxgCMEGh' +
      'Kspj4KrzxGfgMmrGcn3B98Dk1ZKTPktKD37f6Kvn9m0PgCUqiSivtfQ9v+zr2ib6zN5smkovGGqgik/C9pJV0UmVeUlERJyqm8Y55I0dCZcFyn' +
      'GkIeBfoSaG4OUvyS1k',
  },
  {
    name: 'rsa-sha1',
    hash: 'sha256',
    der:
      'MIIBqDCCARECFA9emP9SIIlQxzoJbyLzbDNv8NqkMA0GCSqGSIb3DQEBBQUAMBMxETAPBgNVBAMMCHJzYS1zaGExMB4XDTI2MTEyMjAwMjMzOF' +
      'oXDTM2MTExOTAwMjMzOFowEzERMA8GA1UEAwwIcnNhLXNoYTEwgZ8wDQYJKoZIhvcNAQEBBQADgY0AMIGJAoGBAMcTHggwcMqeKMWENyQ7Jt2b' +
      'CVaHpozhzEsyYCMU8zXHDWbfSZmk1VtweYbLcDrFJywE2z5YJ82NsQFRJgxlI7ILiHvuYyiGlTgbdPTVN2W1Lmn+RvHIosWPYMbvrw04V5Ys0j' +
      '8wGTctQhkvgB6k681/osHSgxWVUHxv2nEc1GFDAgMBAAEwDQYJKoZIhvcNAQEFBQADgYEAKyqxPTEwwjHTZW/8WcppmetTfLl/tzVQe+7ebyBz' +
      'NRbIfAspsjTcaQMB3gMA4D5VJzEFbW+By1thjdvRdrFZtyhUxYtiJ0wrboTlqAxB8C0aNNfGdAkhGSUgU0IvHUjLX3ubFvo6MXkLt2OahSw143' +
      'iSSPOrGJscMsWs2bprwjc=',
  },
  {
    name: 'rsa-sha256',
    hash: 'sha256',
    der:
      'MIIBrDCCARUCFHDcRMQy2NN6d9A4guZFQ5zQwKG+MA0GCSqGSIb3DQEBCwUAMBUxEzARBgNVBAMMCnJzYS1zaGEyNTYwHhcNMjYxMTIyMDAyMz' +
      'M4WhcNMzYxMTE5MDAyMzM4WjAVMRMwEQYDVQQDDApyc2Etc2hhMjU2MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDHEx4IMHDKnijFhDck' +
      'OybdmwlWh6aM4cxLMmAjFPM1xw1m30mZpNVbcHmGy3A6xScsBNs+WCfNjbEBUSYMZSOyC4h77mMohpU4G3T01TdltS5p/kbxyKLFj2DG768NOF' +
      'eWLNI/MBk3LUIZL4AepOvNf6LB0oMVlVB8b9pxHNRhQwIDAQABMA0GCSqGSIb3DQEBCwUAA4GBAKoYJs68GCYMHW73g3Z3JLAMyGjYnB2nINyh' +
      'NjUPuwJ5CM3xrXmm1cR1lZPc3pXIwVh/O4o3g1LRqlMe6DsC58TPJaiGzjkYBCTSadxwOwz0HccukzeUdtnBoJVIjL5ngmMftLhiI47QJz4UM+' +
      'mn6qAB7+/N7/SsaE9V9LWqapJg',
  },
  {
    name: 'rsa-sha384',
    hash: 'sha384',
    der:
      'MIIBrDCCARUCFAaxMtiomrY6uL3anIlPXAV2qPvvMA0GCSqGSIb3DQEBDAUAMBUxEzARBgNVBAMMCnJzYS1zaGEzODQwHhcNMjYxMTIyMDAyMz' +
      'M4WhcNMzYxMTE5MDAyMzM4WjAVMRMwEQYDVQQDDApyc2Etc2hhMzg0MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDHEx4IMHDKnijFhDck' +
      'OybdmwlWh6aM4cxLMmAjFPM1xw1m30mZpNVbcHmGy3A6xScsBNs+WCfNjbEBUSYMZSOyC4h77mMohpU4G3T01TdltS5p/kbxyKLFj2DG768NOF' +
      'eWLNI/MBk3LUIZL4AepOvNf6LB0oMVlVB8b9pxHNRhQwIDAQABMA0GCSqGSIb3DQEBDAUAA4GBACsaMBZvxilB7CHjI0NHceUCEb/Uqx8QQOwh' +
      'aEybckhGyMKaEBfF2UJ35KDH8X0nGR9nZZwcaQb+XvUogIpewSid1Z/aZHsYEBzmCHyRkRMl/dx3NA4v7YhHkzhaE8qlA4w6WtYUrkut/0B5Oz' +
      'FNNMsHH8vGJTPBBYZSGEC4djJo',
  },
  {
    name: 'rsa-sha512',
    hash: 'sha512',
    der:
      'MIIBrDCCARUCFHm6N99HFGVvYSCAls/n3WpK5eGGMA0GCSqGSIb3DQEBDQUAMBUxEzARBgNVBAMMCnJzYS1zaGE1MTIwHhcNMjYxMTIyMDAyMz' +
      'M4WhcNMzYxMTE5MDAyMzM4WjAVMRMwEQYDVQQDDApyc2Etc2hhNTEyMIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDHEx4IMHDKnijFhDck' +
      'OybdmwlWh6aM4cxLMmAjFPM1xw1m30mZpNVbcHmGy3A6xScsBNs+WCfNjbEBUSYMZSOyC4h77mMohpU4G3T01TdltS5p/kbxyKLFj2DG768NOF' +
      'eWLNI/MBk3LUIZL4AepOvNf6LB0oMVlVB8b9pxHNRhQwIDAQABMA0GCSqGSIb3DQEBDQUAA4GBAHdQklT4iesGBYI7pYZ/48pBGYtsLGhjhJRu' +
      'MpL4+X/johcwhiflBsMleSR12T2dwzHUgYT4ei3KDOZJwJo/shR9n2QQ+9Ta0h1PlHAGIW826FSUwnqNFeTtoKKoSco6Lqq45g0pTisFwcPJKX' +
      'X+ls0+R90L1ifT3eaO/5Xs1OQ9',
  },
  {
    name: 'ec-sha1',
    hash: 'sha256',
    der:
      'MIIBHDCBxAIUVP8WPXO/b9/UIlGfY16LdwTRG7owCQYHKoZIzj0EATASMRAwDgYDVQQDDAdlYy1zaGExMB4XDTI2MTEyMjAwMjMzOFoXDTM2MT' +
      'ExOTAwMjMzOFowEjEQMA4GA1UEAwwHZWMtc2hhMTBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABELiz/DnySDnHK54UXTH2/rkifEjGtOKthN6' +
      'V2NPon+0WAP6G+dA1JPWLF4gNGnXWU0mWpAalObsZ1RkJnMKCrowCQYHKoZIzj0EAQNIADBFAiEA4RnX+zRDc1MCjy7n5gTobgE0BriI+nZ1KY' +
      '0Sz3nalZoCIGgieIg84VIFUZYr6LTTHpu5Qd+xtbvqKruKymSl97cg',
  },
  {
    name: 'ec-sha256',
    hash: 'sha256',
    der:
      'MIIBITCByQIUUuBY6ZLNEqPql0HtypO26tuzfVAwCgYIKoZIzj0EAwIwFDESMBAGA1UEAwwJZWMtc2hhMjU2MB4XDTI2MTEyMjAwMjMzOFoXDT' +
      'M2MTExOTAwMjMzOFowFDESMBAGA1UEAwwJZWMtc2hhMjU2MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEQuLP8OfJIOccrnhRdMfb+uSJ8SMa' +
      '04q2E3pXY0+if7RYA/ob50DUk9YsXiA0addZTSZakBqU5uxnVGQmcwoKujAKBggqhkjOPQQDAgNHADBEAiBjz9memyE3ttnVwviGoRStmxMLHU' +
      'EfGPK6PsbLb757fAIgJPfhi8hbZDa3dWOwZFQHq4L+0PC8ep5DFGFHgd5pBvY=',
  },
  {
    name: 'ec-sha384',
    hash: 'sha384',
    der:
      'MIIBIjCByQIUPm0n9haIU/G4vGAdvGjJRilPS7YwCgYIKoZIzj0EAwMwFDESMBAGA1UEAwwJZWMtc2hhMzg0MB4XDTI2MTEyMjAwMjMzOFoXDT' +
      'M2MTExOTAwMjMzOFowFDESMBAGA1UEAwwJZWMtc2hhMzg0MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEQuLP8OfJIOccrnhRdMfb+uSJ8SMa' +
      '04q2E3pXY0+if7RYA/ob50DUk9YsXiA0addZTSZakBqU5uxnVGQmcwoKujAKBggqhkjOPQQDAwNIADBFAiAmxrxjXOC9pRWxv7Rq/ZfgNorkXL' +
      'NObDq0TnM2uLwQLwIhANg0b9fjG2/upYAWb/+dmYf9mBZYT/lRlAzrJsSOq64J',
  },
  {
    name: 'ec-sha512',
    hash: 'sha512',
    der:
      'MIIBIzCByQIULBQuzaFJJmqTTgpw/Oj7XcgfDQMwCgYIKoZIzj0EAwQwFDESMBAGA1UEAwwJZWMtc2hhNTEyMB4XDTI2MTEyMjAwMjMzOFoXDT' +
      'M2MTExOTAwMjMzOFowFDESMBAGA1UEAwwJZWMtc2hhNTEyMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEQuLP8OfJIOccrnhRdMfb+uSJ8SMa' +
      '04q2E3pXY0+if7RYA/ob50DUk9YsXiA0addZTSZakBqU5uxnVGQmcwoKujAKBggqhkjOPQQDBANJADBGAiEAm9QbhYU/61JcrLwkTXYE/ereHW' +
      'XA7eGBTGthcAjqQNYCIQCSPqPXpdFzWQCZDhRDsx517UAkrIYO2baPaWSjJeMCZw==',
  },
  {
    name: 'pss-sha1',
    hash: 'sha256',
    der:
      'MIIBqDCCARECFEC4DrqoqTCGAM4paLJ9GAzYDzMNMA0GCSqGSIb3DQEBCjAAMBMxETAPBgNVBAMMCHBzcy1zaGExMB4XDTI2MTEyMjAwMjMzOF' +
      'oXDTM2MTExOTAwMjMzOFowEzERMA8GA1UEAwwIcHNzLXNoYTEwgZ8wDQYJKoZIhvcNAQEBBQADgY0AMIGJAoGBAMcTHggwcMqeKMWENyQ7Jt2b' +
      'CVaHpozhzEsyYCMU8zXHDWbfSZmk1VtweYbLcDrFJywE2z5YJ82NsQFRJgxlI7ILiHvuYyiGlTgbdPTVN2W1Lmn+RvHIosWPYMbvrw04V5Ys0j' +
      '8wGTctQhkvgB6k681/osHSgxWVUHxv2nEc1GFDAgMBAAEwDQYJKoZIhvcNAQEKMAADgYEARfdYCtPBLwI6nbMl83pQO/kxIVhio8MO5pYEJ+Ur' +
      '06HRx3xeV9YKnLqMtjxtYc5SZbt9BXhFMGH4c+hvY7a5FVWIvj+usVGAs1rwqq0JAuIiKbqNt7U7Vg2hRzK6j4fJiwOiZy3DJ5V6OnYQQq0fzc' +
      '6+QaSyTC+ZUQja0EA7teA=',
  },
  {
    name: 'pss-sha256',
    hash: 'sha256',
    der:
      'MIICFDCCAUkCFGTRoD9hHpmtf3lj5WCF++WJugQfMEEGCSqGSIb3DQEBCjA0oA8wDQYJYIZIAWUDBAIBBQChHDAaBgkqhkiG9w0BAQgwDQYJYI' +
      'ZIAWUDBAIBBQCiAwIBIDAVMRMwEQYDVQQDDApwc3Mtc2hhMjU2MB4XDTI2MTEyMjAwMjMzOFoXDTM2MTExOTAwMjMzOFowFTETMBEGA1UEAwwK' +
      'cHNzLXNoYTI1NjCBnzANBgkqhkiG9w0BAQEFAAOBjQAwgYkCgYEAxxMeCDBwyp4oxYQ3JDsm3ZsJVoemjOHMSzJgIxTzNccNZt9JmaTVW3B5hs' +
      'twOsUnLATbPlgnzY2xAVEmDGUjsguIe+5jKIaVOBt09NU3ZbUuaf5G8ciixY9gxu+vDThXlizSPzAZNy1CGS+AHqTrzX+iwdKDFZVQfG/acRzU' +
      'YUMCAwEAATBBBgkqhkiG9w0BAQowNKAPMA0GCWCGSAFlAwQCAQUAoRwwGgYJKoZIhvcNAQEIMA0GCWCGSAFlAwQCAQUAogMCASADgYEANTsLVE' +
      'DAYjkPWkjldDBrVxskwORZcA/23xUTQfqIPYapVBgmpEMX/RGAQCPx6Xt+YCH6vpDbjZWO2QZdIs0C7w3k1Drhw+1k7J767Bed7/C2oSDqLaWE' +
      'a7AY7N7B91PgDoS1f9rx7uVY53V/BPEoCynDBuyfIpAxRnYclGlByM8=',
  },
  {
    name: 'pss-sha384',
    hash: 'sha384',
    der:
      'MIICFDCCAUkCFFm32JQLpqYnZbEYI0UvVCYCcdScMEEGCSqGSIb3DQEBCjA0oA8wDQYJYIZIAWUDBAICBQChHDAaBgkqhkiG9w0BAQgwDQYJYI' +
      'ZIAWUDBAICBQCiAwIBIDAVMRMwEQYDVQQDDApwc3Mtc2hhMzg0MB4XDTI2MTEyMjAwMjMzOFoXDTM2MTExOTAwMjMzOFowFTETMBEGA1UEAwwK' +
      'cHNzLXNoYTM4NDCBnzANBgkqhkiG9w0BAQEFAAOBjQAwgYkCgYEAxxMeCDBwyp4oxYQ3JDsm3ZsJVoemjOHMSzJgIxTzNccNZt9JmaTVW3B5hs' +
      'twOsUnLATbPlgnzY2xAVEmDGUjsguIe+5jKIaVOBt09NU3ZbUuaf5G8ciixY9gxu+vDThXlizSPzAZNy1CGS+AHqTrzX+iwdKDFZVQfG/acRzU' +
      'YUMCAwEAATBBBgkqhkiG9w0BAQowNKAPMA0GCWCGSAFlAwQCAgUAoRwwGgYJKoZIhvcNAQEIMA0GCWCGSAFlAwQCAgUAogMCASADgYEAMHlhXD' +
      'Usra3GxrsTyQFSNOIuhl2a5v8w6AS6sHimJcrQnyChdDBHf1w/7DQSMva/ZHa3B3KaqAR+BfqrJ9+nTE+bS4ck16GBFCwnD/uIRQiWp4F9Wd/o' +
      '31O+DNmiVJMCRdZeg3HXA4pO265/w/rzO8BtSAe6Ec9cqqOPH5LhWxU=',
  },
  {
    name: 'ed25519',
    hash: undefined,
    der:
      'MIHeMIGRAhQli+0BvGzznS0vBHM0VlZo9QJ8QjAFBgMrZXAwEjEQMA4GA1UEAwwHZWQyNTUxOTAeFw0yNjExMjIwMDIzMzhaFw0zNjExMTkwMD' +
      'IzMzhaMBIxEDAOBgNVBAMMB2VkMjU1MTkwKjAFBgMrZXADIQBR1be6d6uX1qBw4xdCsktycvRMh3iYBBcckh9uNBJnrzAFBgMrZXADQQC3MNqU' +
      'EL09o6rxR8PZHgAjgf83SqwW/X6UE881NSyVt8KUs7aScsW3QAudONGyjsYi6nu8AhvGBvPV9JVX8JAH',
  },
  {
    name: 'rsa-sha224',
    hash: undefined,
    der:
      'MIIBrDCCARUCFED+srzNBL8GLbz5U6Ui0gR61RxAMA0GCSqGSIb3DQEBDgUAMBUxEzARBgNVBAMMCnJzYS1zaGEyMjQwHhcNMjYxMTIyMDAyMz' +
      'M4WhcNMzYxMTE5MDAyMzM4WjAVMRMwEQYDVQQDDApyc2Etc2hhMjI0MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDHEx4IMHDKnijFhDck' +
      'OybdmwlWh6aM4cxLMmAjFPM1xw1m30mZpNVbcHmGy3A6xScsBNs+WCfNjbEBUSYMZSOyC4h77mMohpU4G3T01TdltS5p/kbxyKLFj2DG768NOF' +
      'eWLNI/MBk3LUIZL4AepOvNf6LB0oMVlVB8b9pxHNRhQwIDAQABMA0GCSqGSIb3DQEBDgUAA4GBAKp5g6ap9YcVcBDEGvbI9FkZl1PvpAzkJ5tP' +
      'KRp1S2bBz247h6zL4NK/S5hY3NED8h7HRx0/hYNRZ5zwJfmX9mdyTiUSPuASiOAZEHQETq1F4/QACJFZo9BiYleB5/aiaX5vwx/7oYFlfokPqw' +
      '2I2Dk8PdlYMSmytc5OMyCXik8W',
  },
];
