import { signAwsRequest, type AwsCredentials } from './aws-signature.ts';
import { requestJson, textAt } from './http.ts';
import { readEnvironment, SecretProblem, type SecretSources } from './sources.ts';
import type { SecretReference } from './reference.ts';

/**
 * A secret of AWS Secrets Manager (action GetSecretValue), signed with the credentials of the environment: AWS_ACCESS_KEY_ID,
 * AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN, AWS_REGION. AWS_ENDPOINT_URL_SECRETS_MANAGER names another endpoint.
 */
export async function readAwsSecret(reference: SecretReference & { kind: 'aws-secretsmanager' }, sources: SecretSources): Promise<string> {
  const region = sources.env.AWS_REGION ?? readEnvironment('AWS_DEFAULT_REGION', sources);
  const credentials: AwsCredentials = {
    accessKeyId: readEnvironment('AWS_ACCESS_KEY_ID', sources),
    secretAccessKey: readEnvironment('AWS_SECRET_ACCESS_KEY', sources),
    sessionToken: sources.env.AWS_SESSION_TOKEN,
  };
  const endpoint = sources.env.AWS_ENDPOINT_URL_SECRETS_MANAGER ?? `https://secretsmanager.${region}.amazonaws.com`;
  const problem = (message: string) => new SecretProblem(`aws-secretsmanager:${reference.id}: ${message}`);
  const url = new URL('/', endpoint);
  const body = JSON.stringify({ SecretId: reference.id });
  const fields = [
    { name: 'content-type', value: 'application/x-amz-json-1.1' },
    { name: 'x-amz-target', value: 'secretsmanager.GetSecretValue' },
  ];
  const signed = signAwsRequest(
    { method: 'POST', host: url.host, target: '/', fields, body: new TextEncoder().encode(body) },
    credentials,
    { region, service: 'secretsmanager', timeMs: sources.now() },
  );
  const headers = Object.fromEntries([...fields, ...signed].map(({ name, value }) => [name, value]));
  const answer = await requestJson({ service: 'AWS Secrets Manager', url: url.href, method: 'POST', headers, body }, sources, problem);
  const value = textAt(answer, 'SecretString') ?? decodeBinary(textAt(answer, 'SecretBinary'));
  if (value === undefined) throw problem('AWS Secrets Manager answered without a value');
  return reference.field === undefined ? value : fieldOf(value, reference.field, problem);
}

function fieldOf(value: string, field: string, problem: (message: string) => SecretProblem): string {
  let found: string | undefined;
  try {
    found = textAt(JSON.parse(value), field);
  } catch {
    throw problem('expected the secret to be JSON, because a field of it is asked for');
  }
  if (found === undefined) throw problem(`expected a text field ${field} in the secret`);
  return found;
}

function decodeBinary(base64: string | undefined): string | undefined {
  return base64 === undefined ? undefined : Buffer.from(base64, 'base64').toString('utf8');
}
