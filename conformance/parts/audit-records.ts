import type { ApiClient } from '../../src/cli/client.ts';

export type FoundRecord = Readonly<Record<string, unknown>>;

/** Everything in a gateway's audit log, of these types (none: of all), as an auditor reads it at the API. */
export async function auditRecords(auditor: ApiClient, types: readonly string[]): Promise<readonly FoundRecord[]> {
  const found: FoundRecord[] = [];
  for (let at: number | null = 0; at !== null;) {
    const page: { records: { record: FoundRecord }[]; next: number | null } = await auditor.get('/api/v1/audit/records', {
      type: types.length === 0 ? undefined : types.join(','),
      sequence: at,
      limit: 1000,
    });
    found.push(...page.records.map(({ record }) => record));
    at = page.next;
  }
  return found;
}
