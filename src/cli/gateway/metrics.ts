import type { AuditLog } from '../../audit/index.ts';
import type { SessionRegistry } from '../../net/sessions.ts';

/** Prometheus text exposition, version 0.0.4: what an operator must see before users feel it. */
export function metricsText(sources: {
  readonly sessions: SessionRegistry;
  readonly audit: AuditLog;
  readonly pendingApprovals: number;
}): string {
  const sessions = sources.sessions.list();
  const memory = process.memoryUsage();
  const gauges: readonly (readonly [string, string, number])[] = [
    ['sallyport_sessions_open', 'Sessions that are open now.', sessions.length],
    ['sallyport_approvals_pending', 'Operations that wait for a reviewer.', sources.pendingApprovals],
    ['sallyport_audit_records', 'Durable records in the audit log.', sources.audit.size],
    [
      'sallyport_audit_healthy',
      '1 while the audit log can be written; 0 means that every operation is denied.',
      sources.audit.healthy ? 1 : 0,
    ],
    ['process_resident_memory_bytes', 'Resident memory of the gateway.', memory.rss],
    ['process_cpu_seconds_total', 'CPU time used.', (process.cpuUsage().user + process.cpuUsage().system) / 1e6],
  ];
  return gauges.map(([name, help, value]) => `# HELP ${name} ${help}\n# TYPE ${name} ${kind(name)}\n${name} ${value}\n`).join('');
}

function kind(name: string): string {
  return name.endsWith('_total') ? 'counter' : 'gauge';
}
