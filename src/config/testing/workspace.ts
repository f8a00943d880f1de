import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

/** A configuration folder of its own, removed by `remove`. Holds a good file, one policy and what they refer to. */
export class Workspace {
  readonly folder = mkdtempSync(join(tmpdir(), 'sallyport-config-'));
  readonly file = join(this.folder, 'sallyport.yaml');

  constructor() {
    this.write('sallyport.yaml', goodFile);
    this.write('policies/base.cedar', 'permit (principal, action, resource);\n');
    this.write('tls/gw.crt', 'certificate\n');
    this.write('tls/gw.key', 'key\n');
  }

  write(name: string, content: string | Uint8Array): string {
    const path = join(this.folder, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, content);
    return path;
  }

  /** The good file with each `[from, to]` replaced once; a `from` that is not there is an error of the test. */
  edit(...edits: readonly (readonly [from: string, to: string])[]): void {
    let text = goodFile;
    for (const [from, to] of edits) {
      if (!text.includes(from)) throw new Error(`the good file has no ${JSON.stringify(from)}`);
      text = text.replace(from, () => to);
    }
    this.write('sallyport.yaml', text);
  }

  remove(): void {
    rmSync(this.folder, { recursive: true });
  }
}

export const goodEnvironment = { ORDERS_PASSWORD: 'correct horse' };

export const goodFile = `gateway:
  name: gw-eastus-1
  host: gw.bank.example
  tls: { certificate: file:tls/gw.crt, key: file:tls/gw.key }
  data: data
listeners: { postgres: 5432, api: 127.0.0.1:8080 }
issuers:
  - name: github
    issuer: https://token.actions.githubusercontent.com
    audience: https://gw.bank.example
    kind: agent
    require: { repository_owner_id: "1203" }
    groups:
      - { group: deployers, when: { repository_id: "7741", environment: production } }
  - name: entra
    issuer: https://login.microsoftonline.com/tenant/v2.0
    audience: api://sallyport
    groups_claim: groups
    max_lifetime: 90m
targets:
  orders:
    protocol: postgres
    upstream: { host: orders.internal, database: orders, user: gw, password: env:ORDERS_PASSWORD }
    listen: 6432
    labels: { env: production, data: customer }
data_classes:
  ssn:
    columns: [ "orders/public.customers.ssn" ]
    paths: [ "orders/public.customers.profile#$.ssn" ]
    detect: [ us-ssn, { pattern: '\\d{3}-\\d{2}-\\d{4}' } ]
    mask: partial-last4
  card-number: { columns: [ 'orders/archive/public."Payments".pan' ], detect: card-number, mask: null }
policies: policies/
audit: { retain: 7y }
roles: { reviewer: [ dba ] }
`;
