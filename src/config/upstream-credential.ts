import type { Secret } from './secret.ts';

/** The gateway's own credential at a target of a request protocol. */
export type UpstreamCredentialConfig =
  | { readonly kind: 'bearer'; readonly token: Secret }
  | { readonly kind: 'basic'; readonly user: string; readonly password: Secret }
  | { readonly kind: 'header'; readonly name: string; readonly value: Secret }
  | ({ readonly kind: 'oauth' } & OAuthCredentialConfig)
  | ({ readonly kind: 'azure' } & AzureCredentialConfig)
  | ({ readonly kind: 'aws' } & AwsCredentialConfig);

/** OAuth 2.0 client credentials (RFC 6749 section 4.4). */
export interface OAuthCredentialConfig {
  readonly tokenUrl: string;
  readonly clientId: string;
  readonly authentication:
    | { readonly kind: 'secret'; readonly secret: Secret; readonly method: 'basic' | 'post' }
    /** RFC 7523: a PEM private key; `audience`: of the assertion. */
    | { readonly kind: 'private-key'; readonly key: Secret; readonly keyId: string | undefined; readonly audience: string };
  readonly scope: string | undefined;
  /** Parameter that some servers ask for. */
  readonly audience: string | undefined;
  /** RFC 8707. */
  readonly resource: string | undefined;
}

/** A token of Microsoft Entra ID for one resource: an application ID URI, or the client id of the resource's application. */
export interface AzureCredentialConfig {
  readonly resource: string;
  readonly identity:
    /** Of the machine or app service; `clientId` picks one of several. */
    | { readonly kind: 'managed'; readonly clientId: string | undefined }
    /** Of a Kubernetes service account. What is undefined comes from the environment. */
    | { readonly kind: 'workload'; readonly tenant: string | undefined; readonly clientId: string | undefined }
    | { readonly kind: 'secret'; readonly tenant: string; readonly clientId: string; readonly secret: Secret };
}

/** AWS Signature Version 4. */
export interface AwsCredentialConfig {
  readonly region: string;
  readonly service: string;
  readonly accessKeyId: Secret;
  readonly secretAccessKey: Secret;
  readonly sessionToken: Secret | undefined;
}
