import type { AuditLog } from '../../audit/index.ts';
import type { Plane } from './plane.ts';

/** Prometheus text exposition, version 0.0.4: what an operator must see before users feel it. With workers, sums over all processes. */
export function metricsText(sources: { readonly plane: Plane; readonly audit: AuditLog; readonly pendingApprovals: number }): string {
  const { plane, audit } = sources;
  const workers = plane.use();
  const sum = (own: number, of: 'records' | 'residentBytes' | 'cpuSeconds'): number =>
    workers.reduce((total, worker) => total + worker[of], own);
  const { user, system } = process.cpuUsage();
  const healthy = audit.healthy && workers.every((worker) => worker.healthy);
  const gauges: readonly (readonly [string, string, number])[] = [
    ['sallyport_sessions_open', 'Sessions that are open now.', plane.sessions.list().length],
    ['sallyport_approvals_pending', 'Operations that wait for a reviewer.', sources.pendingApprovals],
    ['sallyport_audit_records', 'Durable records in the audit log, or in all of them.', sum(audit.size, 'records')],
    ['sallyport_audit_healthy', '1 while every audit log can be written; 0 means that operations are denied.', healthy ? 1 : 0],
    ['sallyport_workers', 'Workers that the configuration asks for; 0 without workers.', workers.length],
    ['sallyport_workers_running', 'Workers that serve clients now.', workers.filter((worker) => worker.running).length],
    ['process_resident_memory_bytes', 'Resident memory of the gateway.', sum(process.memoryUsage.rss(), 'residentBytes')],
    ['process_cpu_seconds_total', 'CPU time used.', sum((user + system) / 1e6, 'cpuSeconds')],
  ];
  return gauges.map(([name, help, value]) => `# HELP ${name} ${help}\n# TYPE ${name} ${kind(name)}\n${name} ${value}\n`).join('');
}

function kind(name: string): string {
  return name.endsWith('_total') ? 'counter' : 'gauge';
}
