import { signAwsRequest } from '../../config/secrets/aws-signature.ts';
import { awsFieldNames, type AwsCredentialConfig } from '../../config/upstream-credential.ts';
import { GatewayFault } from '../../core/fault.ts';
import type { UpstreamCredential } from './credential.ts';

/**
 * AWS Signature Version 4 over exactly what goes out: method, path, query, all fields and the body. What its client has signed already (a presigned URL, a body of
 * signed chunks) does not pass: its own signature would stand beside the gateway's, or inside of what that covers.
 */
export function awsCredential(config: AwsCredentialConfig, now: () => number): UpstreamCredential {
  const { region, service } = config;
  const credentials = {
    accessKeyId: config.accessKeyId.text(),
    secretAccessKey: config.secretAccessKey.text(),
    sessionToken: config.sessionToken?.text(),
  };
  return {
    fieldNames: awsFieldNames,
    fieldsFor({ method, host, target, fields, body }) {
      if (/[?&]x-amz-(?:signature|credential|security-token)=/i.test(target)) throw signedAlready('its query has a signature');
      if (fields.some(({ name, value }) => name === 'content-encoding' && /aws-chunked/i.test(value))) {
        throw signedAlready('its body is made of signed chunks (aws-chunked)');
      }
      if (/\?.*\+/.test(target)) {
        throw new GatewayFault('unclassified', {
          publicMessage: 'a "+" in the query cannot be signed: some services of AWS take it for a space',
          hint: 'Write %20 for a space, %2B for a plus.',
        });
      }
      if (body === 'streamed' && service !== 's3') {
        throw new GatewayFault('limit-exceeded', {
          publicMessage: 'a signature of AWS covers the whole body, and this one is too long to be gathered',
          hint: 'Send less at once.',
        });
      }
      const bytes = body === 'streamed' ? undefined : body === 'none' ? new Uint8Array() : body;
      return signAwsRequest({ method, host, target, fields, body: bytes }, credentials, { region, service, timeMs: now() });
    },
    refused: () => false,
  };
}

function signedAlready(why: string): GatewayFault {
  return new GatewayFault('unsupported', {
    publicMessage: `the request is signed for AWS already, but only the gateway signs: ${why}`,
    hint: 'Let the client send unsigned requests (of the AWS command line: --no-sign-request).',
  });
}
